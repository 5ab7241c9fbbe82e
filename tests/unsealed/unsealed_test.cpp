// With sealing replaced by nothing a planted secret must be found in the repository: otherwise the
// tests that seek secrets in vain would prove nothing.
#include <algorithm>

#include "repo/test_world.h"

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

}  // namespace
}  // namespace lifeboat::repo
