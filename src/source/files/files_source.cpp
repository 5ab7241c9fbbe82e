#include "source/files/files_source.h"

#include <filesystem>

#include "source/files/files_capture.h"
#include "source/files/files_compare.h"
#include "source/files/files_restore.h"
#include "source/files/place.h"

namespace lifeboat::source {
namespace files {

Result<void> FilesSource::preflight(const Operation& op) {
  TRY_DO(op.proceed());
  auto root = open_root(path_);
  if (!root) {
    Error error = root.error();
    error.what = "files: " + error.what;
    if (error.kind == Error::Kind::not_found) error.hint = "correct `path`, or make the folder";
    if (error.kind == Error::Kind::invalid) error.hint = "`path` must name a folder";
    return fail(std::move(error));
  }
  const auto entries = entries_of(root->number());
  if (!entries) return wrap(entries.error(), "files: " + path_);
  return {};
}

Result<void> FilesSource::capture(const Operation& op, capture::Sink& sink) {
  TRY_DO(op.proceed());
  return FilesCapture(sink, clock_).run(op, path_, options_);
}

Result<TargetState> FilesSource::target(const Operation& op) {
  TRY(const TargetPlace place, TargetPlace::at(path_));
  return place.state(op);
}

Result<RestoreReport> FilesSource::restore(const Operation& op, capture::Feed& feed,
                                           const RestoreOptions& options) {
  TRY_DO(op.proceed());
  FilesRestore work(feed, options);
  TRY_DO(work.look(op));
  TRY(TargetPlace place, TargetPlace::at(path_));
  TRY(const Descriptor root, place.prepare(op, options));
  auto report = work.build(op, root.number());
  if (!report) {
    // A disk that is full is of use to nobody; the first error stays the one that is told.
    const bool full = report.error().effective_code() == Error::Code::no_space;
    if (full) static_cast<void>(place.discard(op));
    return fail(report.error());
  }
  TRY(report->kept_aside, place.publish(op));
  return report;
}

Result<std::vector<Check>> FilesSource::verify(const Operation& op, capture::Feed& feed) {
  return FilesCompare(path_, options_, feed).run(op);
}

Result<std::string> FilesSource::fingerprint(const Operation& op) {
  return tree_fingerprint(op, path_, options_);
}

Result<std::vector<Kept>> FilesSource::kept(const Operation& op) {
  TRY(const TargetPlace place, TargetPlace::at(path_));
  return place.kept(op);
}

Result<void> FilesSource::remove_kept(const Operation& op, const std::string& name) {
  TRY(TargetPlace place, TargetPlace::at(path_));
  return place.remove_kept(op, name);
}

}  // namespace files

namespace {

Record fields_of_files() {
  Record record;
  record.name = "files";
  record.help = "A folder with everything in it";
  record.fields = {
      {.name = "path",
       .shape = shape::string(),
       .help = "The folder; relative paths are below the platform file",
       .required = true},
      {.name = "exclude",
       .shape = shape::list(shape::string()),
       .help = "Patterns of what is left out: without '/' for a name in any folder, with '/' for "
               "the whole path; '*' stops at '/'"},
      {.name = "one_file_system",
       .shape = shape::boolean(),
       .help = "Do not enter file systems that are mounted within",
       .fallback = Value(false)},
  };
  record.short_form = "path";
  return record;
}

std::string path_of(const Value& config, const std::string& directory) {
  const std::filesystem::path path = config.text("path");
  if (path.is_absolute() || path.empty()) return path.string();
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

Result<std::unique_ptr<Source>> make_files(const Value& config, const Context& context) {
  std::string path = path_of(config, context.directory);
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
    return fail(Error::Kind::invalid, "files: '" + printable(path) + "' is no absolute path",
                "write `path` with a leading '/'", Error::Code::usage);
  }
  files::WalkOptions options;
  if (config.at("exclude").is(Value::Type::list)) {
    for (const Value& pattern : config.at("exclude").list()) {
      options.exclude.push_back(pattern.string());
    }
  }
  options.one_file_system = config.boolean("one_file_system", false);
  return std::unique_ptr<Source>(
      std::make_unique<files::FilesSource>(std::move(path), std::move(options), *context.clock));
}

Result<Value> retarget_files(const Value& config, const std::string& into, const Value& with) {
  Value target = config;
  target.set("path", into);
  if (with.is(Value::Type::map)) {
    for (const auto& [name, value] : with.map()) target.set(name, value);
  }
  return target;
}

}  // namespace

SourceType files_source() {
  SourceType type;
  type.name = "files";
  type.help = "A folder with everything in it: links, attributes, owners, devices, holes";
  type.fields = fields_of_files();
  type.keeps_aside = KeepsAside::by_rename;
  type.retarget = retarget_files;
  type.make = make_files;
  type.local_paths = [](const Value& config) {
    return std::vector<std::string>{config.text("path")};
  };
  return type;
}

}  // namespace lifeboat::source
