#include "steps/file_check/file_check_step.h"

#include <algorithm>

#include "base/bytes.h"
#include "schema/json.h"
#include "steps/bundle_path.h"
#include "steps/by_hand/by_hand.h"
#include "steps/file_check/file_facts.h"
#include "steps/json_path.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t text_bytes_max = 64u << 20;

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

class FileQuestion final : public Question {
 public:
  FileQuestion(Value config, const plan::StepContext& context)
      : config_(std::move(config)), context_(context) {}

  std::string what() const override {
    const Value& path = config_.at("path");
    return path.is(Value::Type::string) ? shown_value(path) : "the file";
  }

  Result<void> words() const override {
    const Value& path = config_.at("path");
    if (path.is(Value::Type::string) && path.string().empty()) {
      return fail(Error::Kind::invalid, "file-check: `path` is empty");
    }
    const Value& json = config_.at("json");
    if (!json.is(Value::Type::map)) return {};
    for (const auto& [place, wanted] : json.map()) {
      TRY(const Value nothing, at_path(Value(), place));
    }
    return {};
  }

  Result<Sight> look(const Operation& op) override {
    TRY_DO(words());
    const std::string path = below_bundle(context_, config_.text("path"));
    const std::string kind = config_.text("kind");
    TRY(const FileFacts facts, file_facts(op, path, kind != "link"));
    Sight sight;
    sight.outputs.set("size", facts.bytes).set("count", facts.files);
    sight.outputs.set("newest", rfc3339(facts.newest));
    const bool there = facts.kind != "nothing";
    if (!config_.boolean("exists", true)) {
      sight.check("exists", "nothing", facts.kind, !there);
      return sight;
    }
    sight.check("exists", kind.empty() ? "something" : kind, facts.kind,
                there && (kind.empty() || facts.kind == kind));
    if (!sight.good()) return sight;
    compare_facts(op.clock->wall(), facts, sight);
    if (config_.has("sha256")) {
      TRY(const std::string digest, digest_of(op, path));
      sight.check("sha256", config_.text("sha256"), digest, digest == config_.text("sha256"));
    }
    TRY_DO(compare_content(op, path, sight));
    return sight;
  }

 private:
  void compare_facts(WallTime now, const FileFacts& facts, Sight& sight) const {
    compare_range("size", facts.bytes, sight);
    compare_range("count", facts.files, sight);
    if (config_.has("mode")) {
      const std::string wanted = config_.text("mode");
      sight.check("mode", wanted, facts.mode,
                  std::string(4 - wanted.size(), '0') + wanted == facts.mode);
    }
    if (config_.has("owner")) {
      const std::string wanted = config_.text("owner");
      sight.check("owner", shown_text(wanted), facts.owner,
                  wanted == facts.owner || wanted == facts.owner_id);
    }
    if (config_.has("group")) {
      const std::string wanted = config_.text("group");
      sight.check("group", shown_text(wanted), facts.group,
                  wanted == facts.group || wanted == facts.group_id);
    }
    if (const auto age = parse_duration(config_.text("max_age"))) {
      const bool young = facts.files > 0 && facts.newest.ns >= now.ns - age->count();
      sight.check("newest", "at most " + config_.text("max_age") + " old",
                  facts.files == 0 ? "no file" : "of " + rfc3339(facts.newest), young);
    }
  }

  // `min_NAME` and `max_NAME`.
  void compare_range(const std::string& name, std::uint64_t actual, Sight& sight) const {
    for (const bool least : {true, false}) {
      const std::string field = (least ? "min_" : "max_") + name;
      if (!config_.has(field)) continue;
      const auto wanted = static_cast<std::uint64_t>(config_.integer(field, 0));
      const auto text = [&](std::uint64_t number) {
        return name == "size" ? bytes_text(number) : std::to_string(number);
      };
      sight.check(name, (least ? "at least " : "at most ") + text(wanted), text(actual),
                  least ? actual >= wanted : actual <= wanted);
    }
  }

  Result<void> compare_content(const Operation& op, const std::string& path, Sight& sight) const {
    const Value& parts = config_.at("contains");
    const Value& json = config_.at("json");
    if (!parts.is(Value::Type::list) && !json.is(Value::Type::map)) return {};
    TRY(const std::string content, content_of(op, path, text_bytes_max));
    if (parts.is(Value::Type::list)) {
      for (const Value& part : parts.list()) {
        const bool there = content.find(part.string()) != std::string::npos;
        sight.check("text", "contains " + shown_value(part),
                    there ? "contains it" : "does not contain it", there);
      }
    }
    if (!json.is(Value::Type::map)) return {};
    const auto tree = parse_json(content);
    for (const auto& [place, wanted] : json.map()) {
      TRY(const Value actual, at_path(tree ? *tree : Value(), place));
      const std::string said = tree ? shown_value(actual) : "the file is not JSON";
      sight.check(printable(place), shown_value(wanted), wanted.tainted() ? "***" : said,
                  tree && equals_wanted(actual, wanted));
    }
    return {};
  }

  const Value config_;
  const plan::StepContext& context_;
};

Record fields_of_file_check() {
  Record record;
  record.name = "file-check";
  record.help = "What is true of a file or a folder";
  record.short_form = "path";
  record.fields = {
      {.name = "path",
       .shape = shape::string(),
       .help = "A file or folder; relative paths are below the plan's folder",
       .required = true},
      {.name = "exists",
       .shape = shape::boolean(),
       .help = "false: nothing may be there",
       .fallback = Value(true)},
      {.name = "kind",
       .shape = shape::choice({"file", "folder", "link", "socket", "pipe", "device"}),
       .help = "What it is; links are followed unless `link` is wanted"},
      {.name = "min_size", .shape = shape::integer(), .help = "Bytes at least, of all files in it"},
      {.name = "max_size", .shape = shape::integer(), .help = "Bytes at most"},
      {.name = "min_count", .shape = shape::integer(), .help = "Regular files in it, at least"},
      {.name = "max_count", .shape = shape::integer(), .help = "Regular files in it, at most"},
      {.name = "sha256",
       .shape = shape::string(),
       .help = "Of its content, in lower case hex; of a folder the one of `find . -type f -print0 "
               "| LC_ALL=C sort -z | xargs -0 sha256sum -z`"},
      {.name = "mode", .shape = shape::string(), .help = "Its permissions: \"0640\""},
      {.name = "owner", .shape = shape::string(), .help = "Name or number"},
      {.name = "group", .shape = shape::string(), .help = "Name or number"},
      {.name = "contains",
       .shape = shape::string_or_list(),
       .help = "Texts that the file holds, as they are"},
      {.name = "json",
       .shape = shape::map(shape::any()),
       .help = "Path into the JSON of the file -> the value there"},
      {.name = "max_age",
       .shape = shape::duration(),
       .help = "The newest file was changed no longer ago"},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Look again every second until all holds, at most so long"},
  };
  return record;
}

Error usage(const std::string& what, const std::string& hint) {
  return {Error::Kind::invalid, "file-check: " + what, hint, Error::Code::usage};
}

Result<void> words_fit(const Value& config) {
  for (const char* field : {"min_size", "max_size", "min_count", "max_count"}) {
    if (config.integer(field, 0) < 0) {
      return fail(usage("`" + std::string(field) + "` is negative", "write 0 or more"));
    }
  }
  const Value& mode = config.at("mode");
  if (mode.is(Value::Type::string)) {
    const std::string& text = mode.string();
    const bool octal =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
    if (!octal || text.size() < 3 || text.size() > 4) {
      return fail(usage("`mode` is " + shown_text(text), "write it like \"0640\""));
    }
  }
  const Value& digest = config.at("sha256");
  if (digest.is(Value::Type::string)) {
    const auto bytes = from_hex(digest.string());
    const bool right = bytes && to_hex(*bytes) == digest.string() && bytes->size() == 32;
    if (!right) return fail(usage("`sha256` is none", "write 64 hex digits in lower case"));
  }
  if (config.boolean("exists", true)) return {};
  for (const char* field : {"kind", "min_size", "max_size", "min_count", "max_count", "sha256",
                            "mode", "owner", "group", "contains", "json", "max_age"}) {
    if (!config.has(field)) continue;
    return fail(usage("`exists: false` and `" + std::string(field) + "` exclude each other",
                      "nothing can be true of what is not there"));
  }
  return {};
}

}  // namespace

plan::StepType file_check_step() {
  plan::StepType type;
  type.name = "file-check";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(1), std::chrono::seconds(10)};
  type.help = "Looks at a file or a folder of this machine; changes nothing";
  type.fields = fields_of_file_check();
  type.outputs = {
      {"size", shape::integer()}, {"count", shape::integer()}, {"newest", shape::time()}};
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.by_hand = by_hand::file_check;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    return make_looking_step(std::make_unique<FileQuestion>(config, context), patience_of(config),
                             context);
  };
  return type;
}

}  // namespace lifeboat::steps
