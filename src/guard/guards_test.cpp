#include "guard/guards.h"

#include <sys/utsname.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "client/process/test_launcher.h"

namespace lifeboat::guards {
namespace {

using testing::HasSubstr;

class Guards : public testing::Test {
 protected:
  Guards() : folder_(*TemporaryFolder::make("guards")) { around_.directory = folder_.path(); }

  Result<plan::Fingerprint> look(const plan::GuardKind& kind, const Value& config) {
    return kind.look(op_, config, around_);
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() + "/" + name) << text;
    return name;
  }

  SystemClock clock_;
  Operation op_{&clock_};
  TemporaryFolder folder_;
  plan::GuardSurroundings around_{nullptr, &clock_, "", ""};
};

TEST_F(Guards, EveryKindHasAFieldForWhatIsExpected) {
  for (const auto& kind : {aws_account_guard(), file_guard(), git_guard(), git_ref_guard(),
                           host_guard(), postgres_guard(), rabbitmq_guard()}) {
    EXPECT_NE(kind.fields.find(kind.expected), nullptr) << kind.name;
    EXPECT_FALSE(kind.help.empty()) << kind.name;
    EXPECT_NE(plan::guard_fields(kind).find("adopt"), nullptr) << kind.name;
  }
}

TEST_F(Guards, AFileIsKnownByWhatItHolds) {
  Value config;
  config.set("path", write("id", "machine 42\n"));
  const auto kind = file_guard();
  const auto found = look(kind, config);
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->at, folder_.path() + "/id");
  EXPECT_TRUE(kind.holds("machine 42", *found));
  EXPECT_FALSE(kind.holds("machine 43", *found));
  EXPECT_FALSE(kind.holds("", *found));
  // What is adopted goes into journal and evidence.
  EXPECT_EQ(found->identity, "machine 42");
  config.set("path", write("id", "machine 42\nand what is nobody's business\n"));
  EXPECT_THAT(look(kind, config)->identity, testing::MatchesRegex("sha256:[0-9a-f]{64}"));
}

TEST_F(Guards, WhatIsNoSmallFileIsRefused) {
  Value config;
  config.set("path", write("large", std::string(5000, 'x')));
  const auto large = look(file_guard(), config);
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().what, HasSubstr("at most 4096 bytes"));
  config.set("path", ".");
  EXPECT_EQ(look(file_guard(), config).error().kind, Error::Kind::invalid);
  config.set("path", "none");
  EXPECT_EQ(look(file_guard(), config).error().kind, Error::Kind::not_found);
}

TEST_F(Guards, AMachineIsKnownByItsName) {
  struct utsname name{};
  ASSERT_EQ(::uname(&name), 0);
  const auto found = look(host_guard(), Value(Value::Map{}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity, static_cast<const char*>(name.nodename));
}

}  // namespace
}  // namespace lifeboat::guards
