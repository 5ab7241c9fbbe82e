#include "steps/http/template_text.h"

#include <gtest/gtest.h>

#include "schema/json.h"

namespace lifeboat::steps {
namespace {

TEST(TemplateText, ReplacesNamesKeepsTypesAndSpreadsSecrets) {
  Value saved;
  saved.set("id", 17);
  saved.set("name", "chair");
  saved.set("key", Value("k").taint());
  EXPECT_EQ(filled_text("/a/{{id}}/{{ name }}", saved)->string(), "/a/17/chair");
  EXPECT_EQ(*filled(Value("{{id}}"), saved), Value(17));
  EXPECT_EQ(*filled(Value("x{{id}}"), saved), Value("x17"));
  EXPECT_TRUE(filled_text("token {{key}}", saved)->tainted());
  EXPECT_TRUE(filled(*parse_json(R"({"a": ["{{key}}"]})"), saved)->tainted());
  EXPECT_EQ(filled_text("{{ open", saved)->string(), "{{ open");
  EXPECT_FALSE(filled_text("{{}}", saved));
}

}  // namespace
}  // namespace lifeboat::steps
