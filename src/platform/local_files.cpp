// The bundle's closure. What a person names must be there; what steps mention ("bin/start.sh" in an
// argument) is taken when it is there, because a recovery without it would only fail later. Too
// much is harmless: the bundle is sealed like all else. Of sources only the certificates that they
// trust are taken, what they read is theirs to capture. Secrets that come from files are not taken,
// by whatever path they are named: what opens the platform does not travel with it.
#include <filesystem>
#include <set>

#include "base/bytes.h"
#include "base/guard.h"
#include "plan/expression.h"
#include "platform/platform.h"
#include "platform/walk.h"

namespace lifeboat::platform {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t files_max = 10'000;

// A path that stays below the folder it is relative to.
bool stays_below(const fs::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  const fs::path normal = path.lexically_normal();
  return *normal.begin() != "..";
}

bool is_folder_word(const std::string& key) {
  return key == "directory" || key == "dir" || key == "folder";
}

class Closure {
 public:
  Closure(fs::path root, std::set<std::string> secrets)
      : root_(std::move(root)), secrets_(std::move(secrets)) {}

  Result<void> named(const std::string& name) {
    const fs::path path(name);
    if (!stays_below(path)) {
      return fail(Error::Kind::invalid,
                  "'" + printable(name) + "' is not below the folder of the platform file",
                  "copy it there; only such files travel in the bundle", Error::Code::usage);
    }
    if (!fs::exists(root_ / path)) {
      return fail(Error::Kind::not_found,
                  "'" + printable(name) + "', which the platform file names, is not there");
    }
    return take(path);
  }

  // Takes a path that a step mentions, if it is one. The folder of the platform file itself is
  // none: who wants all of it says so.
  Result<void> mentioned(const std::string& text, bool folder) {
    const fs::path path(text);
    if (path.lexically_normal() == "." || text.size() > 255 ||
        text.find('\0') != std::string::npos || !stays_below(path))
      return {};
    std::error_code none;
    const fs::file_status status = fs::status(root_ / path, none);
    const bool wanted = fs::is_regular_file(status) || (folder && fs::is_directory(status));
    return wanted ? take(path) : Result<void>{};
  }

  std::vector<std::string> sorted() const { return {files_.begin(), files_.end()}; }

 private:
  Result<void> take(const fs::path& path) {
    if (!inside(path)) return {};
    if (!fs::is_directory(root_ / path)) return add(path);
    // Folders are not followed through links: no cycles, and nothing from outside. A clone's own
    // history is no file of the platform.
    auto entries = fs::recursive_directory_iterator(root_ / path);
    for (auto entry = fs::begin(entries); entry != fs::end(entries); ++entry) {
      const fs::path below = entry->path().lexically_relative(root_);
      if (below.filename() == ".git") {
        if (entry->is_directory()) entry.disable_recursion_pending();
      } else if (entry->is_regular_file() && inside(below)) {
        TRY_DO(add(below));
      }
    }
    return {};
  }

  // Whether the file itself, all links followed, lies below the root.
  bool inside(const fs::path& path) const {
    const fs::path real = fs::weakly_canonical(root_ / path);
    return stays_below(real.lexically_relative(fs::weakly_canonical(root_)));
  }

  Result<void> add(const fs::path& path) {
    const std::string real = fs::weakly_canonical(root_ / path).string();
    if (!fs::is_regular_file(root_ / path) || secrets_.contains(real)) return {};
    files_.insert(path.lexically_normal().string());
    if (files_.size() <= files_max) return {};
    return fail(Error::Kind::invalid,
                "the platform file names more than " + std::to_string(files_max) + " files",
                "data belongs into a source of type files", Error::Code::usage);
  }

  fs::path root_;
  std::set<std::string> secrets_;  // canonical
  std::set<std::string> files_;
};

// Every text of a configuration but secrets.
Result<void> mention(const Value& config, const Shape& shape, Closure& closure) {
  Result<void> done;
  walk({config, shape, "", ""}, [&](const Visited& node) {
    if (!done || !secret_origin(node).empty()) return false;
    const bool text = node.value.is(Value::Type::string) && !has_reference(node.value.string());
    if (text) done = closure.mentioned(node.value.string(), is_folder_word(node.key));
    return true;
  });
  return done;
}

// The certificates that a source trusts: its login needs them in a recovery too.
Result<void> mention_certificates(const Value& config, Closure& closure) {
  const std::string file = config.text("ca_file");
  return file.empty() ? Result<void>{} : closure.mentioned(file, false);
}

// Files that secrets come from, wherever the platform file says so; canonical paths.
std::set<std::string> secret_files(const Platform& platform, const Vocabulary& vocabulary) {
  std::set<std::string> files;
  const fs::path root(platform.directory);
  const auto look = [&](const Value& config, const Shape& shape) {
    walk({config, shape, "", ""}, [&](const Visited& node) {
      const std::string file = secret_file(node);
      if (!file.empty()) files.insert(fs::weakly_canonical(root / file).string());
      return true;
    });
  };
  for (const auto& [name, entry] : platform.sources) {
    const KnownSource* type = vocabulary.source(entry.type);
    if (type != nullptr) look(entry.config, shape::record(type->fields));
  }
  for (const auto& [name, plan] : platform.plans) {
    for (const plan::InputField& input : plan.inputs) look(input.fallback, input.shape);
    for (const plan::StepNode& step : plan.steps) {
      const plan::StepType* type = vocabulary.steps->find(step.type);
      if (type != nullptr) look(step.config, shape::record(type->fields));
    }
  }
  return files;
}

}  // namespace

Result<std::vector<std::string>> local_files(const Platform& platform,
                                             const Vocabulary& vocabulary) {
  if (platform.directory.empty()) return std::vector<std::string>{};
  const auto work = [&]() -> Result<std::vector<std::string>> {
    Closure closure(fs::path(platform.directory), secret_files(platform, vocabulary));
    for (const std::string& name : platform.include) TRY_DO(closure.named(name));
    for (const auto& [name, entry] : platform.sources) {
      TRY_DO(mention_certificates(entry.config, closure));
    }
    for (const auto& [name, plan] : platform.plans) {
      for (const std::string& file : plan.files) TRY_DO(closure.named(file));
      for (const plan::StepNode& step : plan.steps) {
        const plan::StepType* type = vocabulary.steps->find(step.type);
        if (type == nullptr) continue;
        TRY_DO(mention(step.config, shape::record(type->fields), closure));
      }
    }
    return closure.sorted();
  };
  return guard(Error::Kind::unavailable, "files of the bundle", work);
}

}  // namespace lifeboat::platform
