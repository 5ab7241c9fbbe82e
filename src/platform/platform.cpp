#include "platform/platform.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "plan/expression.h"
#include "platform/yaml.h"

namespace lifeboat::platform {
namespace {

constexpr std::size_t operator_key_bytes = 32;
constexpr std::int64_t group_attempts_max = 10;
constexpr const char* name_hint = "letters, digits, '-' and '_', a letter first, at most 63";

class Reader {
 public:
  Reader(const Vocabulary& vocabulary, std::vector<Finding>& findings)
      : vocabulary_(vocabulary), findings_(findings) {}

  Platform read(Value tree);
  bool version_too_new() const { return too_new_; }

 private:
  void add(const Mark& mark, const std::string& path, std::string message, std::string hint = {}) {
    findings_.push_back({mark, path, std::move(message), std::move(hint)});
  }
  bool version(const Value& tree);
  Value head(Value words);  // answers `groups`, which needs the sources
  void operators(const Value& operators);
  void source(const std::string& name, const Value& body);
  const KnownSource* source_type(const Value& body, const std::string& path);
  void source_common(SourceEntry& entry, const Value& body, const std::string& path);
  void groups(const Value& groups);
  void group_sources(Group& group, const Value& words, const std::string& path);
  std::optional<Hooks> hooks(const Value& words, const std::string& path);
  std::chrono::nanoseconds duration(const Value& words, const char* word, const std::string& path);
  void no_references(const Value& value, const std::string& path);
  void plans(const Value& plans);
  // Members of a map in file order; a finding and nothing when it is none.
  std::vector<std::string> members(const Value& map, const std::string& path);

  const Vocabulary& vocabulary_;
  std::vector<Finding>& findings_;
  Platform platform_;
  bool too_new_ = false;
};

Platform Reader::read(Value tree) {
  if (!tree.is(Value::Type::map)) {
    add(tree.mark(), "",
        "expected a map with 'version: 1' first, found " + std::string(type_name(tree.type())));
    return {};
  }
  if (!version(tree)) return {};
  const Value sources = tree.at("sources");
  const Value plans = tree.at("plans");
  if (tree.has("sources")) tree.set("sources", Value(Value::Map{}));
  if (tree.has("plans")) tree.set("plans", Value(Value::Map{}));
  const Value groups = head(std::move(tree));
  for (const std::string& name : members(sources, "sources")) source(name, sources.at(name));
  this->groups(groups);
  this->plans(plans);
  return std::move(platform_);
}

// Before all else: what a later version means by its words is not for us to guess.
bool Reader::version(const Value& tree) {
  if (!tree.has("version")) {
    add(tree.mark(), "", "'version' is missing", "begin the file with 'version: 1'");
    return false;
  }
  Value version = tree.at("version");
  const std::size_t before = findings_.size();
  ValidateOptions options;
  options.path = "version";
  validate(version, shape::integer(), options, findings_);
  if (findings_.size() > before) return false;
  if (version.integer() == 1) return true;
  too_new_ = version.integer() > 1;
  add(version.mark(), "version",
      "version " + std::to_string(version.integer()) + " of the platform file is not known",
      too_new_ ? "this program reads version 1; a newer Lifeboat is needed"
               : "this program reads version 1");
  return false;
}

Value Reader::head(Value words) {
  const std::size_t before = findings_.size();
  validate(words, platform_words(), {}, findings_);
  if (findings_.size() > before) return {};
  platform_.name = words.text("platform");
  if (!plan::valid_name(platform_.name)) {
    add(words.at("platform").mark(), "platform", "not a name for a platform", name_hint);
  }
  platform_.repository = words.text("repository");
  if (words.has("repository") && platform_.repository.empty()) {
    add(words.at("repository").mark(), "repository",
        "has no value; expected a directory or s3://BUCKET/PREFIX");
  }
  const Value& objectives = words.at("objectives");
  if (objectives.has("rto")) platform_.objectives.rto = parse_duration(objectives.text("rto"));
  if (objectives.has("rpo")) platform_.objectives.rpo = parse_duration(objectives.text("rpo"));
  operators(words.at("operators"));
  if (words.has("include")) {
    for (const Value& path : words.at("include").list()) platform_.include.push_back(path.string());
  }
  return words.at("groups");
}

// Two names with one key would let one person approve as two.
void Reader::operators(const Value& operators) {
  std::map<std::string, std::string> owners;
  for (const std::string& name : members(operators, "operators")) {
    const Value& words = operators.at(name);
    const std::string path = "operators." + printable(name) + ".key";
    const std::string key = words.text("key");
    constexpr std::string_view prefix = "ed25519:";
    const auto bytes = key.starts_with(prefix)
                           ? from_base64(std::string_view(key).substr(prefix.size()))
                           : std::nullopt;
    if (!bytes || bytes->size() != operator_key_bytes) {
      add(words.at("key").mark(), path, "not a public key of an operator",
          "`lifeboat operators new` makes one: ed25519:...");
    } else if (const auto [owner, fresh] = owners.emplace(key, name); !fresh) {
      add(words.at("key").mark(), path, "this is the key of '" + owner->second + "' too",
          "each person has a key of their own");
    }
    platform_.operators[name] = {key, words.text("description")};
  }
}

std::vector<std::string> Reader::members(const Value& map, const std::string& path) {
  if (map.is_null()) return {};  // absent, or "sources:" with nothing below it
  if (!map.is(Value::Type::map)) {
    add(map.mark(), path, "expected a map by name, found " + std::string(type_name(map.type())));
    return {};
  }
  std::vector<std::pair<std::pair<int, int>, std::string>> places;
  for (const auto& [name, member] : map.map()) {
    const Mark mark = member.key_mark();
    places.push_back({{mark.line, mark.column}, name});
    if (!plan::valid_name(name)) add(mark, path, "'" + printable(name) + "' is no name", name_hint);
  }
  std::sort(places.begin(), places.end());
  std::vector<std::string> names;
  for (auto& [place, name] : places) names.push_back(std::move(name));
  return names;
}

void Reader::source(const std::string& name, const Value& body) {
  const std::string path = "sources." + printable(name);
  SourceEntry entry;
  entry.name = name;
  entry.mark = body.key_mark();
  if (!body.is(Value::Type::map)) {
    std::string types;
    for (const KnownSource& known : vocabulary_.sources) {
      types += (types.empty() ? "" : ", ") + known.name;
    }
    add(entry.mark, path, "expected a map with the source's type",
        "NAME: { TYPE: { ... } }; known types: " + types);
  } else if (const KnownSource* type = source_type(body, path); type != nullptr) {
    entry.type = type->name;
    entry.config = body.at(type->name);
    ValidateOptions options;
    options.path = path + "." + type->name;
    validate(entry.config, type->fields, options, findings_);
    no_references(entry.config, options.path);
  }
  if (body.is(Value::Type::map)) source_common(entry, body, path);
  platform_.sources.emplace(name, std::move(entry));
}

const KnownSource* Reader::source_type(const Value& body, const std::string& path) {
  const KnownSource* found = nullptr;
  bool odd = false;
  for (const auto& [key, member] : body.map()) {
    const KnownSource* type = vocabulary_.source(key);
    odd = odd || (type == nullptr && source_words().find(key) == nullptr);
    if (type == nullptr) continue;
    if (found != nullptr) {
      add(member.key_mark(), path,
          "a source has one type; this one has '" + found->name + "' and '" + key + "'");
      return nullptr;
    }
    found = type;
  }
  if (found == nullptr && !odd) {
    add(body.key_mark(), path, "the source has no type", "NAME: { TYPE: { ... } }");
  }
  return found;
}

void Reader::source_common(SourceEntry& entry, const Value& body, const std::string& path) {
  Value words(Value::Map{});
  words.in_place_of(body);
  const auto& reserved = source_words().reserved;
  for (const auto& [key, member] : body.map()) {
    if (vocabulary_.source(key) != nullptr) continue;
    const bool known = source_words().find(key) != nullptr ||
                       std::find(reserved.begin(), reserved.end(), key) != reserved.end();
    if (known) {
      words.set(key, member);
      continue;
    }
    std::vector<std::string> candidates{"description", "hooks"};
    for (const KnownSource& type : vocabulary_.sources) candidates.push_back(type.name);
    add(member.key_mark(), path, "unknown source type or key '" + printable(key) + "'",
        suggestion(key, candidates));
  }
  ValidateOptions options;
  options.path = path;
  const std::size_t before = findings_.size();
  validate(words, source_words(), options, findings_);
  entry.why = words.text("description");
  if (findings_.size() == before) entry.hooks = hooks(words.at("hooks"), path + ".hooks");
}

std::optional<Hooks> Reader::hooks(const Value& words, const std::string& path) {
  if (words.is_null()) return std::nullopt;
  no_references(words, path);
  Hooks made;
  for (auto [word, program] :
       {std::pair("before", &made.before), std::pair("after", &made.after)}) {
    if (!words.has(word)) continue;
    for (const Value& each : words.at(word).list()) program->push_back(each.string());
    if (program->empty() || program->front().empty()) {
      add(words.at(word).mark(), path + "." + word, "names no program",
          "[PROGRAM, ARGUMENTS...], or leave the word out");
    }
  }
  made.limit = duration(words, "limit", path);
  made.timeout = duration(words, "timeout", path);
  made.retry_for = duration(words, "retry_for", path);
  if (words.has("env")) {
    for (const auto& [name, value] : words.at("env").map()) made.env[name] = value.string();
  }
  made.words = words;
  return made;
}

// Of what was validated; more than nothing.
std::chrono::nanoseconds Reader::duration(const Value& words, const char* word,
                                          const std::string& path) {
  const auto time = parse_duration(words.text(word));
  if (time && *time > std::chrono::nanoseconds::zero()) return *time;
  add(words.at(word).mark(), path + "." + word, "must be more than zero");
  return {};
}

void Reader::groups(const Value& groups) {
  for (const std::string& name : members(groups, "groups")) {
    const Value& words = groups.at(name);
    const std::string path = "groups." + printable(name);
    Group group;
    group.why = words.text("description");
    group.max_skew = duration(words, "max_skew", path);
    const std::int64_t attempts = words.integer("attempts", 2);
    if (attempts < 1 || attempts > group_attempts_max) {
      add(words.at("attempts").mark(), path + ".attempts", "is 1 to 10");
    }
    group.attempts = static_cast<unsigned>(attempts);
    group_sources(group, words.at("sources"), path + ".sources");
    group.hooks = hooks(words.at("hooks"), path + ".hooks");
    platform_.groups.emplace(name, std::move(group));
  }
}

void Reader::group_sources(Group& group, const Value& words, const std::string& path) {
  std::vector<std::string> known;
  for (const auto& [name, entry] : platform_.sources) known.push_back(name);
  for (const Value& word : words.list()) {
    const std::string& name = word.string();
    if (!platform_.sources.contains(name)) {
      add(word.mark(), path, "there is no source '" + printable(name) + "'",
          suggestion(name, known));
      continue;
    }
    const bool twice = std::ranges::find(group.sources, name) != group.sources.end();
    const auto other = std::ranges::find_if(platform_.groups, [&](const auto& each) {
      return std::ranges::find(each.second.sources, name) != each.second.sources.end();
    });
    if (twice || other != platform_.groups.end()) {
      add(word.mark(), path,
          "'" + name + "' is in " + (twice ? "it twice" : "group '" + other->first + "' already"),
          "a source has one moment, so it is in one group at most");
    }
    group.sources.push_back(name);
  }
  if (words.list().size() < 2 || words.list().size() > group_sources_max) {
    add(words.mark(), path, "a group has 2 to 16 sources");
  }
}

// A `${` in a source would be taken for text, and fail much later.
void Reader::no_references(const Value& value, const std::string& path) {
  if (value.is(Value::Type::string) && has_reference(value.string())) {
    add(value.mark(), path, "'${...}' has no meaning in a source",
        "values of the environment are for secrets: {env: NAME}");
  }
  if (value.is(Value::Type::list)) {
    for (const Value& item : value.list()) no_references(item, path);
  }
  if (!value.is(Value::Type::map)) return;
  for (const auto& [key, member] : value.map()) no_references(member, path + "." + printable(key));
}

void Reader::plans(const Value& plans) {
  plan::CompileContext context;
  for (const auto& [name, person] : platform_.operators) context.operators.push_back(name);
  context.types = vocabulary_.steps;
  context.guards = vocabulary_.guards;
  const Value sources = source_values(platform_);
  for (const auto& [name, entry] : platform_.sources) context.sources[name] = sources.at(name);
  for (const std::string& name : members(plans, "plans")) {
    const Value& body = plans.at(name);
    if (!body.is(Value::Type::map)) {
      add(body.key_mark(), "plans." + printable(name), "expected a map with 'steps'");
      continue;
    }
    platform_.plans.emplace(name, plan::compile(name, body, context, findings_));
  }
}

tl::unexpected<Error> file_error(const std::string& path, int number) {
  const std::string what = "platform file " + printable(path) + ": " + std::strerror(number);
  if (number == ENOENT || number == ENOTDIR) {
    return fail(Error::Kind::not_found, what);
  }
  if (number == EACCES || number == EPERM) return fail(Error::Kind::denied, what);
  return fail(Error::Kind::unavailable, what);
}

Result<std::string> read_file(const std::string& path) {
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!file.open() || ::fstat(file.number(), &facts) != 0) return file_error(path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return fail(Error::Kind::invalid, "platform file " + printable(path) + ": not a regular file",
                "", Error::Code::usage);
  }
  if (facts.st_size > static_cast<off_t>(yaml_size_max_bytes)) {
    return fail(Error::Kind::invalid,
                "platform file " + printable(path) + ": " + std::to_string(facts.st_size) +
                    " bytes, the most that is read is " + std::to_string(yaml_size_max_bytes),
                "is this the right file?", Error::Code::usage);
  }
  // One byte more than allowed: a file that grew meanwhile is told by check_text().
  std::string text(yaml_size_max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.number(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

Result<Platform> read_platform(std::string_view text, const std::string& name,
                               const Vocabulary& vocabulary, std::vector<Finding>* findings) {
  std::vector<Finding> own;
  std::vector<Finding>& found = findings == nullptr ? own : *findings;
  found.clear();
  Value tree = parse_yaml(text, name, found);
  if (!found.empty()) return fail(findings_error(found));
  Reader reader(vocabulary, found);
  Platform platform = reader.read(std::move(tree));
  // In the order of the file, whoever found what; in the order of finding where that is the same.
  std::multimap<std::pair<int, int>, Finding> in_order;
  for (Finding& finding : found) {
    in_order.emplace(std::pair(finding.mark.line, finding.mark.column), std::move(finding));
  }
  found.clear();
  for (auto& [place, finding] : in_order) found.push_back(std::move(finding));
  if (!found.empty()) {
    Error error = findings_error(found);
    if (reader.version_too_new()) error.code = Error::Code::version_too_new;
    return fail(std::move(error));
  }
  platform.file = name;
  platform.text = text;
  return platform;
}

Result<Platform> load_platform(const std::string& path, const Vocabulary& vocabulary,
                               std::vector<Finding>* findings) {
  TRY(const auto text, read_file(path));
  TRY(auto platform, read_platform(text, path, vocabulary, findings));
  // Absolute: what the file names below its folder is then the same wherever it is said.
  std::error_code error;
  platform.directory = std::filesystem::absolute(path, error).lexically_normal().parent_path();
  if (error) return fail(Error::Kind::unavailable, path + ": " + error.message());
  return platform;
}

Value source_values(const Platform& platform) {
  Value values(Value::Map{});
  for (const auto& [name, entry] : platform.sources) {
    Value value = entry.config.is(Value::Type::map) ? entry.config : Value(Value::Map{});
    value.set("type", entry.type);
    values.set(name, std::move(value));
  }
  return values;
}

}  // namespace lifeboat::platform
