// backup/crew.h - What is captured together: a source alone, or the sources of a group.
//
// A crew that is a group opens all its sinks, freezes its members (all at once: hooks of two
// members run side by side) and then the group as one,
// begins all captures at the same instant, and thaws once the last moment is safe. Where their
// moments lie too far apart it does so again, as often as the group says.
//
// Threads: run() in one; it starts one more for each member of a group.
#pragma once

#include <vector>

#include "backup/backup.h"

namespace lifeboat::backup {

struct Crew {
  std::vector<std::size_t> members;  // indices into the sources
  const CaptureGroup* group = nullptr;
};

// Groups first: the others are not waited for when they go on for long.
std::vector<Crew> crews_of(const std::vector<NamedSource>& sources,
                           const std::vector<CaptureGroup>& groups);

struct CrewWork {
  repo::Session& session;
  std::vector<NamedSource>& sources;
  const BackupOptions& options;
  std::vector<SourceResult>& results;  // of the same length; a crew writes those of its members
};
// Answers what became of the group, nullopt for a source alone.
std::optional<GroupResult> run_crew(const Operation& op, const Crew& crew, const CrewWork& work);

// Captures a source into a sink of its own; `result` gets everything but the name.
Result<repo::Snapshot> capture_into(const Operation& op, repo::Session& session,
                                    source::Source& source, const repo::SnapshotDraft& draft,
                                    const BackupOptions& options);

}  // namespace lifeboat::backup
