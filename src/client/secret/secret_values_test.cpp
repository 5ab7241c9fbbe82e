#include "client/secret/secret_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* variable = "LIFEBOAT_TEST_SECRET";
constexpr const char* treasure = "hunter2 'quoted' \n in two lines";

// Remembers what it was asked to run and to mask; answers what the test prepared.
class FakeLauncher final : public Launcher {
 public:
  Result<Finished> run(const Operation&, const Command& command, ByteView) override {
    commands.push_back(command);
    return answer;
  }
  Result<std::unique_ptr<Child>> start(const Operation&, const Command&) override {
    return fail(Error::Kind::invalid, "a secret needs no running child");
  }
  void mask(const Secret& secret) override { masks.emplace_back(secret.reveal()); }
  std::string masked(std::string_view text) const override { return std::string(text); }
  std::vector<int> living(const std::string&) const override { return {}; }

  Finished answer;
  std::vector<Command> commands;
  std::vector<std::string> masks;
};

Value from_env(const std::string& name) { return Value{}.set("env", name); }
Value from_file(const std::string& path) { return Value{}.set("file", path); }
Value from_exec(Value::List words) { return Value{}.set("exec", Value(std::move(words))); }

Record record_with(Shape shape) {
  return Record{.name = "thing",
                .fields = {{.name = "user", .shape = shape::string()},
                           {.name = "password", .shape = std::move(shape)}}};
}

class SecretValues : public testing::Test {
 protected:
  SecretValues() {
    ::setenv(variable, treasure, 1);
    std::string pattern = (std::filesystem::temp_directory_path() / "secrets.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SecretValues() override {
    ::unsetenv(variable);
    std::filesystem::remove_all(folder_);
  }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  Result<void> reveal(Value& value, const Record& record) {
    return reveal_secrets(op_, value, record, {&launcher_, folder_.string()});
  }
  // What `password: PLACE` becomes, beside a user that stays.
  Result<Value> reveal_one(Value place) {
    Value value;
    value.set("user", "anna").set("password", std::move(place));
    TRY_DO(reveal(value, record_with(shape::secret())));
    EXPECT_EQ(value.text("user"), "anna");
    EXPECT_FALSE(value.at("user").tainted());
    return value.at("password");
  }

  SystemClock clock_;
  Operation op_{&clock_};
  FakeLauncher launcher_;
  std::filesystem::path folder_;
};

TEST_F(SecretValues, AnEnvironmentVariableIsTakenAsItIs) {
  const auto secret = reveal_one(from_env(variable));
  ASSERT_TRUE(secret) << secret.error().what;
  EXPECT_EQ(secret->string(), treasure);
  ::setenv(variable, "ends with a newline\n", 1);
  EXPECT_EQ(reveal_one(from_env(variable))->string(), "ends with a newline\n");
}

TEST_F(SecretValues, OneNewlineAtTheEndOfAFileIsDropped) {
  put("plain", "treasure");
  put("line", "treasure\n");
  put("lines", "treasure\n\n");
  put("empty", "");
  EXPECT_EQ(reveal_one(from_file("plain"))->string(), "treasure");
  EXPECT_EQ(reveal_one(from_file("line"))->string(), "treasure");
  EXPECT_EQ(reveal_one(from_file("lines"))->string(), "treasure\n");
  EXPECT_EQ(reveal_one(from_file("empty"))->string(), "");
}

TEST_F(SecretValues, ARelativeFileIsBelowTheFolderAndAnAbsoluteOneIsNot) {
  put("key", "relative");
  EXPECT_EQ(reveal_one(from_file("key"))->string(), "relative");
  EXPECT_EQ(reveal_one(from_file((folder_ / "key").string()))->string(), "relative");
}

TEST_F(SecretValues, AProgramIsRunInTheFolderAndItsOutputIsTheSecret) {
  launcher_.answer.output = std::string(treasure) + "\n";
  const auto secret = reveal_one(from_exec({Value("pass"), Value("show"), Value("orders")}));
  ASSERT_TRUE(secret) << secret.error().what;
  EXPECT_EQ(secret->string(), treasure);
  ASSERT_EQ(launcher_.commands.size(), 1u);
  EXPECT_THAT(launcher_.commands[0].argv, ElementsAre("pass", "show", "orders"));
  EXPECT_EQ(launcher_.commands[0].directory, folder_.string());
}

TEST_F(SecretValues, AProgramFindsTheHomeAndTheAgentsOfThePersonAndNothingElse) {
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ::setenv("HOME", "/home/anna", 1);
  ::setenv("SSH_AUTH_SOCK", "/run/agent", 1);
  ::setenv("GNUPGHOME", "/home/anna/keys", 1);
  ASSERT_TRUE(reveal_one(from_exec({Value("pass")})));
  home.empty() ? ::unsetenv("HOME") : ::setenv("HOME", home.c_str(), 1);
  ::unsetenv("SSH_AUTH_SOCK");
  ::unsetenv("GNUPGHOME");
  const Command& command = launcher_.commands.front();
  EXPECT_EQ(command.home, "/home/anna");
  EXPECT_EQ(command.env.at("SSH_AUTH_SOCK"), "/run/agent");
  EXPECT_EQ(command.env.at("GNUPGHOME"), "/home/anna/keys");
  EXPECT_FALSE(command.env.contains(variable));
}

TEST_F(SecretValues, WhatWasRevealedIsTaintedMaskedAndStillKnowsItsPlace) {
  Value place = from_env(variable);
  place.at_mark({"lifeboat.yaml", 7, 15});
  const auto secret = reveal_one(std::move(place));
  ASSERT_TRUE(secret);
  EXPECT_TRUE(secret->own_taint());
  EXPECT_EQ(secret->mark().text(), "lifeboat.yaml:7:15");
  EXPECT_THAT(launcher_.masks, ElementsAre(treasure));
}

TEST_F(SecretValues, AValueThatAReferenceBroughtStaysAndIsMasked) {
  Value brought(treasure);
  const auto secret = reveal_one(brought.taint());
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->string(), treasure);
  EXPECT_TRUE(secret->own_taint());
  EXPECT_THAT(launcher_.masks, ElementsAre(treasure));
}

TEST_F(SecretValues, AMissingPlaceIsNamed) {
  ::unsetenv(variable);
  const auto unset = reveal_one(from_env(variable));
  ASSERT_FALSE(unset);
  EXPECT_EQ(unset.error().kind, Error::Kind::invalid);  // only a person can set it
  EXPECT_THAT(unset.error().what, HasSubstr(variable));
  const auto absent = reveal_one(from_file("absent"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, Error::Kind::not_found);
  EXPECT_THAT(absent.error().what, HasSubstr("absent"));
  std::filesystem::create_directory(folder_ / "folder");
  const auto folder = reveal_one(from_file("folder"));
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().what, HasSubstr("folder"));
}

TEST_F(SecretValues, NoErrorHoldsASecret) {
  put("large", std::string(treasure) + std::string(2u << 20, 'x'));
  launcher_.answer = {.status = 1, .output = treasure, .errors = "no such entry", .left = {}};
  const std::vector<Value> places = {from_file("large"), from_exec({Value("pass")})};
  for (const Value& place : places) {
    // The first one is found; the error of the second must not tell it.
    Value value(Value::List{from_env(variable), place});
    Value tree = Value{}.set("password", std::move(value));
    const auto failed = reveal(tree, record_with(shape::list(shape::secret())));
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().what + failed.error().hint, Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(reveal_one(from_exec({Value("pass")})).error().what, HasSubstr("status 1"));
}

TEST_F(SecretValues, AreFoundInListsMapsAndRecords) {
  const Record inner{.name = "login", .fields = {{.name = "key", .shape = shape::secret()}}};
  const Record outer = record_with(shape::map(shape::list(shape::record(inner))));
  const auto login = [] { return Value{}.set("key", from_env(variable)); };
  Value value;
  value.set("password", Value{}.set("a", Value(Value::List{login(), login()})).set("b", Value()));
  EXPECT_EQ(secret_places(value, outer).size(), 2u);
  const auto done = reveal(value, outer);
  ASSERT_TRUE(done) << done.error().what;
  for (const Value& each : value.at("password").at("a").list()) {
    EXPECT_EQ(each.text("key"), treasure);
    EXPECT_TRUE(each.at("key").own_taint());
  }
  EXPECT_THAT(secret_places(value, outer), IsEmpty());
}

TEST_F(SecretValues, WhatIsNoSecretByItsShapeIsLeftAlone) {
  Value value;
  value.set("user", "anna").set("password", from_env(variable));
  const Value before = value;
  ASSERT_TRUE(reveal(value, record_with(shape::any())));
  EXPECT_EQ(value, before);
  EXPECT_FALSE(value.tainted());
  EXPECT_THAT(launcher_.masks, IsEmpty());
}

TEST_F(SecretValues, AnAbsentSecretIsNone) {
  Value value = Value{}.set("user", "anna");
  EXPECT_TRUE(reveal(value, record_with(shape::secret())));
  value.set("password", Value());
  EXPECT_TRUE(reveal(value, record_with(shape::secret())));
  EXPECT_TRUE(value.at("password").is_null());
}

TEST_F(SecretValues, WhetherOneIsThereIsToldWithoutReadingIt) {
  put("there", treasure);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const SecretSources sources{&launcher_, folder_.string()};
  for (const Value& there : {from_env(variable), from_file("there"), from_file("pipe"),
                             from_exec({"sh", "-c", "exit 1"}), from_exec({"/bin/sh"})}) {
    const auto seen = secret_is_there(there, sources);
    EXPECT_TRUE(seen) << seen.error().what;
  }
  const std::vector<std::pair<Value, std::string>> missing = {
      {from_env("LIFEBOAT_TEST_NOT_SET"), "LIFEBOAT_TEST_NOT_SET is not set"},
      {from_file("none"), "/none"},
      {from_file("."), "is a folder"},
      {from_exec({"no-such-program", "argument"}), "program no-such-program is not installed"},
      {from_exec({"bin/ask"}), "no program at"},
  };
  for (const auto& [place, what] : missing) {
    const auto seen = secret_is_there(place, sources);
    ASSERT_FALSE(seen) << what;
    EXPECT_THAT(seen.error().what, HasSubstr(what));
  }
  EXPECT_THAT(launcher_.commands, IsEmpty());
  EXPECT_THAT(launcher_.masks, IsEmpty());
}

TEST_F(SecretValues, PlacesAreToldInWordsAndNothingIsRead) {
  const Record record = record_with(shape::list(shape::secret()));
  Value value = Value{}.set(
      "password", Value(Value::List{from_env("UNSET"), from_file("absent"),
                                    from_exec({Value("pass"), Value("show")}), Value("${a.b}")}));
  EXPECT_THAT(secret_places(value, record),
              ElementsAre("environment variable UNSET", "file absent", "program pass"));
  EXPECT_THAT(launcher_.commands, IsEmpty());
}

}  // namespace
}  // namespace lifeboat
