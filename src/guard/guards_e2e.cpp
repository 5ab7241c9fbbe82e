// Against real servers and git: testbed/with postgres postgres=TESTBED_POSTGRES2_ rabbitmq
// rabbitmq=TESTBED_RABBITMQ2_ -- guard_e2e
#include <map>

#include "base/bytes.h"
#include "base/temporary_folder.h"
#include "base/testbed_variable.h"
#include "client/process/test_launcher.h"
#include "guard/guards.h"
#include "source/git/git_program.h"

namespace lifeboat::guards {
namespace {

using source::git::GitProgram;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class GuardsE2e : public testing::Test {
 protected:
  GuardsE2e() : folder_(*TemporaryFolder::make("guards")) { around_.directory = folder_.path(); }

  Result<plan::Fingerprint> look(const plan::GuardKind& kind, const Value& config) {
    return kind.look(op_, config, around_);
  }
  std::string git(const GitProgram& program, std::vector<std::string> args) {
    const std::map<std::string, std::string> who = {{"GIT_AUTHOR_NAME", "a"},
                                                    {"GIT_AUTHOR_EMAIL", "a@example.org"},
                                                    {"GIT_COMMITTER_NAME", "a"},
                                                    {"GIT_COMMITTER_EMAIL", "a@example.org"}};
    const auto said = program.run(
        op_, {.args = std::move(args), .git_dir = folder_.path() + "/repository", .env = who});
    EXPECT_TRUE(said) << said.error().what;
    return said ? said->substr(0, said->find('\n')) : "";
  }

  SystemClock clock_;
  Operation op_{&clock_};
  TemporaryFolder folder_;
  plan::GuardSurroundings around_{&test_launcher(), &clock_, "", ""};
};

TEST_F(GuardsE2e, APostgresqlServerIsKnownByItsSystemIdentifier) {
  std::map<std::string, std::string> identities;
  for (const std::string prefix : {"TESTBED_POSTGRES_", "TESTBED_POSTGRES2_"}) {
    Value config;
    config.set("url", testbed_variable((prefix + "URL").c_str()));
    config.set("password", testbed_variable((prefix + "PASSWORD").c_str()));
    const auto found = look(postgres_guard(), config);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_THAT(found->identity, MatchesRegex("[0-9]{10,20}"));
    EXPECT_THAT(found->at, HasSubstr("postgresql://"));
    EXPECT_THAT(found->at, Not(HasSubstr(testbed_variable((prefix + "PASSWORD").c_str()))));
    identities[prefix] = found->identity;
  }
  EXPECT_NE(identities["TESTBED_POSTGRES_"], identities["TESTBED_POSTGRES2_"]);
}

TEST_F(GuardsE2e, AServerThatDoesNotAnswerIsUnavailable) {
  Value config;
  config.set("url", "postgresql://nobody@127.0.0.1:1/postgres");
  const auto found = look(postgres_guard(), config);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, Error::Kind::unavailable);
}

TEST_F(GuardsE2e, ABrokerIsKnownByTheIdOfItsCluster) {
  std::map<std::string, std::string> identities;
  for (const std::string prefix : {"TESTBED_RABBITMQ_", "TESTBED_RABBITMQ2_"}) {
    Value config;
    config.set("url", testbed_variable((prefix + "URL").c_str()));
    config.set("user", testbed_variable((prefix + "USER").c_str()));
    config.set("password", testbed_variable((prefix + "PASSWORD").c_str()));
    const auto found = look(rabbitmq_guard(), config);
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_THAT(found->identity, testing::StartsWith("rabbitmq-cluster-id-"));
    identities[prefix] = found->identity;
  }
  EXPECT_NE(identities["TESTBED_RABBITMQ_"], identities["TESTBED_RABBITMQ2_"]);
}

TEST_F(GuardsE2e, ARepositoryIsKnownByTheCommitThatItBeginsWith) {
  const std::string place = folder_.path() + "/repository";
  const GitProgram program(test_launcher(), *source::git::read_address(place, "/"));
  const auto made = program.run(op_, {.args = {"init", "--quiet", "--bare", "-b", "main", place}});
  ASSERT_TRUE(made) << made.error().what;
  Value config;
  config.set("url", place);
  const auto empty = look(git_guard(), config);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().kind, Error::Kind::not_found);
  const std::string tree = git(program, {"mktree"});
  const std::string root = git(program, {"commit-tree", tree, "-m", "one"});
  const std::string tip = git(program, {"commit-tree", tree, "-p", root, "-m", "two"});
  git(program, {"update-ref", "refs/heads/main", tip});
  const auto found = look(git_guard(), config);
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->identity, root);
  EXPECT_TRUE(git_guard().holds(root, *found));
  EXPECT_FALSE(git_guard().holds(tip, *found));
  // Somebody puts a history of its own beside it.
  const std::string other = git(program, {"commit-tree", tree, "-m", "pages"});
  git(program, {"update-ref", "refs/heads/pages", other});
  const auto with_pages = look(git_guard(), config);
  ASSERT_TRUE(with_pages) << with_pages.error().what;
  EXPECT_TRUE(git_guard().same(found->identity, *with_pages));
  EXPECT_TRUE(git_guard().holds(root, *with_pages));
  EXPECT_FALSE(git_guard().same(with_pages->identity, *found));
  config.set("ref", "refs/heads/main");
  EXPECT_EQ(look(git_ref_guard(), config)->identity, tip);
  config.set("ref", "refs/heads/other");
  EXPECT_EQ(look(git_ref_guard(), config).error().kind, Error::Kind::not_found);
  config.set("ref", "main");
  EXPECT_EQ(look(git_ref_guard(), config).error().code, Error::Code::usage);
}

}  // namespace
}  // namespace lifeboat::guards
