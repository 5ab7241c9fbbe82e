// steps/file_check/file_check_step.h - Step type "file-check": what is true of a file or a folder.
//
//   uploads:
//     file-check: { path: /srv/shop/uploads, kind: folder, min_count: 1000, max_age: 1h }
//   settings:
//     file-check:
//       path: /etc/shop/settings.json
//       mode: "0640"
//       owner: shop
//       json: { database.host: "${db.host}" }
//
// A relative path is below the plan's folder. Each word is one check. Sizes and ages of a folder
// are those of all regular files in it; its sha256 is the one of what
//   find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z
// prints within it. Looked at again every second while it is not so, at most for `within`.
//
// Outputs: size, count, newest. It changes nothing. Fence: native, there is nothing to fence.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType file_check_step();

}  // namespace lifeboat::steps
