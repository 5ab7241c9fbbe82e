#include "steps/bundle_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/descriptor.h"

namespace lifeboat::steps {

Result<void> check_readable(const plan::StepContext& context, const Value& path) {
  if (!path.is(Value::Type::string) || path.string().empty()) return {};
  const std::string file = below_bundle(context, path.string());
  const Descriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!opened.open()) {
    const int number = errno;
    const std::string what = printable(file) + " cannot be read: " + errno_text(number);
    if (number == EACCES || number == EPERM) {
      return fail(Error::Kind::denied, what, "run it as a user who may read this");
    }
    const bool may_come = path.string().front() == '/' && (number == ENOENT || number == ENOTDIR);
    return fail(may_come ? Error::Kind::not_found : Error::Kind::invalid, what,
                "put it there, or name the one that is meant");
  }
  struct stat seen = {};
  if (fstat(opened.number(), &seen) == 0 && S_ISDIR(seen.st_mode)) {
    return fail(Error::Kind::invalid, printable(file) + " is a folder, not a file",
                "name a file in it");
  }
  return {};
}

}  // namespace lifeboat::steps
