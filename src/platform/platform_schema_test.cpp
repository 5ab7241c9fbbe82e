// The program and the JSON Schema that it prints for editors must agree: on each file of a corpus,
// and for the mistakes that a schema cannot know, that it does not claim to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
// GCC 12 warns of its own <regex> when it optimizes with sanitizers (PR 105562).
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <regex>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#pragma GCC diagnostic pop

#include "platform/platform.h"
#include "platform/vocabulary_fixture.h"
#include "platform/yaml.h"
#include "schema/json.h"

namespace lifeboat::platform {
namespace {

using valijson::adapters::NlohmannJsonAdapter;

// The file as an editor hands it to a schema: scalars typed by YAML's core schema.
nlohmann::json as_editors_see_it(const std::string& text) {
  std::vector<Finding> findings;
  Value tree = parse_yaml(text, "f", findings);
  EXPECT_TRUE(findings.empty());
  validate(tree, shape::any(), {}, findings);
  return nlohmann::json::parse(to_json(tree));
}

bool schema_accepts(const nlohmann::json& document) {
  static const nlohmann::json text =
      nlohmann::json::parse(to_json(platform_schema(test_vocabulary())));
  valijson::Schema schema;
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
  parser.populateSchema(NlohmannJsonAdapter(text), schema);
  valijson::Validator strict(valijson::Validator::kStrongTypes);
  const NlohmannJsonAdapter target(document);
  return strict.validate(schema, target, nullptr);
}

enum class Verdict { good, bad, only_the_program_sees_it };
struct Example {
  std::string text;
  Verdict verdict;
};
void PrintTo(const Example& example, std::ostream* out) { *out << example.text; }

class Agreement : public testing::TestWithParam<Example> {};
TEST_P(Agreement, OfSchemaAndProgram) {
  const auto& [text, verdict] = GetParam();
  const auto platform = read_platform(text, "f", test_vocabulary());
  EXPECT_EQ(platform.has_value(), verdict == Verdict::good)
      << (platform ? "" : platform.error().what);
  EXPECT_EQ(schema_accepts(as_editors_see_it(text)), verdict != Verdict::bad);
}

std::string with(const std::string& text) { return "version: 1\nplatform: shop\n" + text; }
Example good(const std::string& text) { return {with(text), Verdict::good}; }
Example bad(const std::string& text) { return {with(text), Verdict::bad}; }
Example unseen(const std::string& text) { return {with(text), Verdict::only_the_program_sees_it}; }
std::string step(const std::string& body) {
  return "plans: { p: { steps: { a: " + body + ", z: { run: {} } } } }\n";
}
std::string source(const std::string& body) { return "sources: { orders: " + body + " }\n"; }

INSTANTIATE_TEST_SUITE_P(
    Head, Agreement,
    testing::Values(Example{good_file(), Verdict::good}, good(""), good("sources: {}\n"),
                    good("repository: 5\n"), good("objectives: { rto: 1h30m }\n"),
                    good("include: [a, b]\n"), bad("include: a\n"),
                    bad("objectives: { rto: 90 }\n"), bad("objectives: { rta: 1h }\n"),
                    bad("retention: { last: 1 }\n"), bad("sources: [a]\n"), bad("sauces: {}\n"),
                    Example{"version: 2\nplatform: shop\n", Verdict::bad},
                    Example{"version: \"1\"\nplatform: shop\n", Verdict::bad},
                    Example{"platform: shop\n", Verdict::bad},
                    Example{"version: 1\n", Verdict::bad},
                    Example{"version: 1\nplatform: a shop\n", Verdict::bad}));

INSTANTIATE_TEST_SUITE_P(
    Sources, Agreement,
    testing::Values(good(source("{ postgres: x }")), good(source("{ postgres: 5 }")),
                    good(source("{ postgres: { url: true } }")),
                    good(source("{ postgres: { url: x, databases: a } }")),
                    good(source("{ postgres: { url: x, databases: [a, b] } }")),
                    good(source("{ postgres: { url: x, password: { exec: [a] } } }")),
                    good(source("{ postgres: { url: x, wait: 5s } }")),
                    good(source("{ files: { path: x, follow: true }, description: y }")),
                    bad(source("{ files: { path: x, follow: yes } }")),
                    bad(source("{ files: { path: x, follow: \"true\" } }")),
                    bad(source("{ files: {} }")), bad(source("{ files: }")), bad(source("x")),
                    bad(source("{ postgres: { url: x, jobs: \"4\" } }")),
                    bad(source("{ postgres: { url: x, jobs: 4.5 } }")),
                    bad(source("{ postgres: { url: ~ } }")),
                    bad(source("{ postgres: { url: x, password: y } }")),
                    bad(source("{ postgres: { url: x, password: { env: A, file: B } } }")),
                    bad(source("{ postgres: { url: x, password: { exec: [] } } }")),
                    bad(source("{ postgres: { url: x, password: { sops: y } } }")),
                    bad(source("{ postgres: { url: x, wait: soon } }")),
                    bad(source("{ postgres: x, files: { path: y } }")),
                    bad(source("{ description: x }")), bad(source("{ rabbit: x }")),
                    bad(source("{ postgres: x, every: 5m }")),
                    bad("sources: { 1a: { files: { path: x } } }\n"),
                    unseen(source("{ files: { path: \"${x}\" } }"))));

INSTANTIATE_TEST_SUITE_P(
    Plans, Agreement,
    testing::Values(
        good(step("{ run: }")), good(step("{ run: x }")), good(step("{ run: { port: 5 } }")),
        good(step("{ run: { port: \"${z.port}\" } }")),
        good(step("{ run: { hosts: \"${z.hosts}\" } }")),
        good(step("{ run: { env: { A: 1, B: true, C: \"${z.url}\" } } }")),
        good(step("{ run: { password: \"${z.token}\" } }")),
        good(step("{ run: { free: { deep: [1, ~, { x: y }] } } }")),
        good(step("{ run: x, after: z, timeout: 5m, retry: 3, on_failure: stop }")),
        good(step("{ run: x, after: [z], retry: { times: 2, backoff: 1s } }")),
        bad(step("{ run: { port: x } }")), bad(step("{ run: { port: \"5\" } }")),
        bad(step("{ run: { env: [a] } }")), bad(step("{ run: { password: x } }")),
        bad(step("{ run: { prot: 5 } }")), bad(step("{ run: x, after: { b: c } }")),
        bad(step("{ run: x, timeout: 5 }")), bad(step("{ run: x, timeout: \"${z.url}\" }")),
        bad(step("{ run: x, on_failure: panic }")), bad(step("{ run: x, run_if: y }")),
        bad(step("{ run: x, restore: { source: orders, into: y } }")), bad(step("{ after: z }")),
        bad(step("x")), bad(step("{ restore: { source: orders } }")),
        bad("plans: { p: { steps: {} } }\n"), bad("plans: { p: {} }\n"),
        bad("plans: { p: { steps: { 1a: { run: x } } } }\n"),
        bad("plans: { p: { inputs: { a: { type: strin } }, steps: { b: { run: x } } } }\n"),
        bad("plans: { p: { guard: x, steps: { b: { run: x } } } }\n"),
        good("plans: { p: { inputs: { a: secret, b: { default: 5, type: integer } }, files: [x], "
             "scenario: y, steps: { b: { run: x } } } }\n"),
        unseen(step("{ run: \"${nobody.url}\" }")), unseen(step("{ run: x, after: nobody }")),
        unseen(step("{ run: \"${1 +}\" }")), unseen(step("{ run: x, retry: 1000 }")),
        unseen(step("{ run: { port: \"${z.url}\" } }")),
        unseen("plans: { p: { steps: { inputs: { run: x } } } }\n")));

TEST(PlatformSchema, RefusesMoreThanNothing) {
  EXPECT_FALSE(schema_accepts(nlohmann::json::array()));
  EXPECT_FALSE(schema_accepts(nlohmann::json::object()));
}

}  // namespace
}  // namespace lifeboat::platform
