// With sealing replaced by nothing a planted secret must be found in the repository: otherwise the
// tests that seek secrets in vain would prove nothing.
#include <algorithm>
#include <atomic>

#include "repo/test_world.h"

namespace lifeboat::crypt {
extern std::atomic<bool> sealing_loses_a_bit;  // unsealed.cpp
}

namespace lifeboat::repo {
namespace {

using UnsealedTest = RepositoryTest;

TEST_F(UnsealedTest, PlantedSecretsAreFoundWhenSealingIsBroken) {
  const std::string planted = "planted-" + to_hex(random_bytes(32, 5));
  TestItems items{{file_item("name"), to_bytes(planted), {}}};
  SnapshotDraft draft;
  draft.source = planted;
  const auto sink = value(session_->snapshot(world_.op, draft));
  works(write_item(world_.op, *sink, items.front()));
  works(sink->commit(world_.op, {}));
  for (const char* prefix : {"packs/", "log/"}) {
    const auto objects = store_.objects();
    EXPECT_TRUE(std::any_of(objects.begin(), objects.end(), [&](const auto& it) {
      return it.first.starts_with(prefix) &&
             as_text(it.second).find(planted) != std::string_view::npos;
    })) << prefix;
  }
}

TEST_F(UnsealedTest, ABlobThatDoesNotReadBackAsItWasWrittenEndsTheBackup) {
  const TestItems items{{file_item("name"), random_bytes(300'000, 1), {}}};
  SnapshotDraft draft;
  draft.source = "tree";
  const auto sink = value(session_->snapshot(world_.op, draft));
  crypt::sealing_loses_a_bit = true;
  works(write_item(world_.op, *sink, items.front()));
  const auto refused = sink->commit(world_.op, {});
  crypt::sealing_loses_a_bit = false;
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
  EXPECT_NE(refused.error().what.find("possible hardware fault"), std::string::npos);
  works(repository_->refresh(world_.op));
  EXPECT_TRUE(repository_->snapshots().empty());
}

}  // namespace
}  // namespace lifeboat::repo
