// steps/git_edit/git_edit_step.h - Step type "git-edit": new values in files of a git repository.
//
//   reconfigure:
//     git-edit:
//       repo: "${sources.deploy}"            # or a URL or path, with user and password
//       branch: main                         # default: where HEAD points
//       set: { "apps/backend/values.yaml": { db.host: "${app.db_host}" },
//              "apps/backend/.env": { DB_PORT: "${app.db_port}" } }
//
// Only the bytes of the named values change (steps/git_edit/edit.h). All files go into one commit,
// made by git's plumbing in a temporary clone; its trailers Lifeboat-Run, Lifeboat-Step and
// Lifeboat-Generation are the marker. The push adds to exactly the commit that was read: when
// somebody else was faster it is rejected, read again and tried again, a few times. That makes the
// fence native. Values that are equal already need no commit.
//
// undo: a second commit puts back what observe saw; a file that nobody changed since is put back
// byte by byte.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType git_edit_step();

}  // namespace lifeboat::steps
