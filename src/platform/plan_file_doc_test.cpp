// docs/plan-file.md is for people; this holds it to the tables that the program validates with.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "plan/expression.h"
#include "plan/words.h"
#include "platform/platform.h"
#include "platform/yaml.h"
#include "test_places.h"

namespace lifeboat::platform {
namespace {

std::string page() {
  std::ifstream file(LIFEBOAT_SOURCE_DIR "/docs/plan-file.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void names_all(const std::string& text, const Record& record) {
  for (const Field& field : record.fields) {
    EXPECT_NE(text.find("`" + field.name + "`"), std::string::npos)
        << record.name << ": " << field.name;
    if (field.shape.kind == Shape::Kind::record) names_all(text, *field.shape.record);
    for (const std::string& choice : field.shape.choices) {
      EXPECT_NE(text.find("`" + choice + "`"), std::string::npos) << field.name << ": " << choice;
    }
  }
  for (const std::string& word : record.reserved) {
    EXPECT_NE(text.find("`" + word + "`"), std::string::npos) << record.name << ": " << word;
  }
}

TEST(PlanFilePage, NamesEveryWordOfTheTables) {
  const std::string text = page();
  ASSERT_FALSE(text.empty());
  names_all(text, platform_words());
  names_all(text, source_words());
  names_all(text, plan::plan_words());
  names_all(text, plan::input_words());
  names_all(text, plan::step_words());
  for (const std::string& word : plan::shape_words()) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
  }
  for (const std::string& root : plan::root_words()) {
    EXPECT_NE(text.find("${" + root + "."), std::string::npos) << root;
  }
}

// The types themselves are known above this module; the form can be proven here.
TEST(PlanFilePage, ItsExampleIsRightYamlWithRightExpressions) {
  const std::string text = page();
  const std::string fence = "```yaml\nversion: 1\n";
  const auto start = text.find(fence);
  ASSERT_NE(start, std::string::npos);
  const auto end = text.find("\n```", start);
  const std::string example = text.substr(start + 8, end - start - 7);
  std::vector<Finding> findings;
  const Value tree = parse_yaml(example, "plan-file.md", findings);
  for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
  for (const auto& [name, step] : tree.at("plans").at("shop-lost").at("steps").map()) {
    EXPECT_TRUE(plan::valid_name(name));
    for (const std::string& used : plan::references(step)) {
      EXPECT_TRUE(tree.at("plans").at("shop-lost").at("steps").has(used)) << used;
    }
  }
}

}  // namespace
}  // namespace lifeboat::platform
