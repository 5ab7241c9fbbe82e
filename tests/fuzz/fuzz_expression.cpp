// Expressions and templates: parsed, and evaluated twice, with two values for each secret.
//
// Nothing of a secret may be seen in what is not marked as one: a result without taint is the same
// whatever the secrets are, and no error quotes them.
#include <algorithm>
#include <array>
#include <random>

#include "plan/expression.h"
#include "schema/json.h"
#include "tests/fuzz/harness.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

// One change in four makes the expression a part of a larger one.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  constexpr std::array<std::array<const char*, 2>, 6> around{{{"(", ") ?? 'x'"},
                                                              {"inputs.on ? (", ") : 1"},
                                                              {"[", ", 2]"},
                                                              {"not (", ")"},
                                                              {"(", ") == inputs.secret"},
                                                              {"${", "}"}}};
  std::mt19937 dice(seed);
  const auto& [before, after] = around[dice() % around.size()];
  const std::string text = before + std::string(bytes, bytes + size) + after;
  if (dice() % 4 != 0 || text.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::copy(text.begin(), text.end(), bytes);
  return text.size();
}

namespace lifeboat::fuzz {
namespace {

plan::Scope scope_with(const std::string& secret) {
  Value token(secret);
  token.taint();
  plan::Scope scope;
  scope.inputs.set("name", "shop").set("n", 3).set("on", true).set("none", Value());
  scope.inputs.set("secret", token);
  scope.sources.set("orders", *parse_json(R"({"type":"postgres","jobs":4,"rate":0.5})"));
  scope.run.set("id", "run-1");
  scope.platform.set("name", "shop");
  scope.outputs["db"] = *parse_json(R"({"url":"postgresql://db","port":5432,"hosts":["a","b"]})");
  scope.outputs["db"].set("token", token);
  scope.outputs["db"].set("mixed", Value(Value::List{Value("a"), token}));
  scope.skipped = {"gone"};
  return scope;
}

constexpr char one[] = "first-Secret-7f3a", two[] = "other secret, longer: b2c9";

bool quotes_secret(const Error& error) {
  const std::string said = error.what + error.hint;
  return said.find(one) != std::string::npos || said.find(two) != std::string::npos;
}

bool uses(const plan::Expression& expression, plan::Expression::Kind kind) {
  if (expression.kind == kind) return true;
  for (const plan::Expression& part : expression.parts) {
    if (uses(part, kind)) return true;
  }
  return false;
}

void no_interference(const Result<Value>& a, const Result<Value>& b) {
  HOLDS(a || (is_utf8(a.error().what) && !quotes_secret(a.error())));
  HOLDS(b || !quotes_secret(b.error()));
  const bool open_a = a && !a->tainted(), open_b = b && !b->tainted();
  HOLDS(open_a == open_b);
  HOLDS(!open_a || *a == *b);
}

void expression(std::string_view text) {
  static const plan::Scope first = scope_with(one), second = scope_with(two);
  const auto parsed = plan::parse_expression(text);
  if (!parsed) {
    HOLDS(parsed.error().kind == Error::Kind::invalid && is_utf8(parsed.error().what));
    return;
  }
  std::vector<plan::Reference> references;
  plan::collect_references(*parsed, references);
  for (const plan::Reference& reference : references)
    HOLDS(reference.path.front().is(Value::Type::string));
  const auto result = plan::evaluate(*parsed, first);
  no_interference(result, plan::evaluate(*parsed, second));
  // Seeds: none with both of these that has a value.
  using Kind = plan::Expression::Kind;
  plant(result && uses(*parsed, Kind::first) && uses(*parsed, Kind::choice));
}

void text_with_expressions(std::string_view text) {
  static const plan::Scope first = scope_with(one), second = scope_with(two);
  const auto parsed = plan::parse_template(text);
  if (!parsed) return;
  const Value config{std::string(text)};
  no_interference(plan::resolve(config, first), plan::resolve(config, second));
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const std::string_view text = as_text(fuzz::view(bytes, size));
  // libFuzzer learns what the checks look for; an input that holds it quotes only itself.
  for (const char* secret : {fuzz::one, fuzz::two}) {
    if (text.find(secret) != std::string_view::npos) return -1;
  }
  fuzz::expression(text);
  fuzz::text_with_expressions(text);
  return 0;
}
