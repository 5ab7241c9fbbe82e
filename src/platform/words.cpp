#include "plan/words.h"

#include "platform/platform.h"

namespace lifeboat::platform {
namespace {

Field field(const char* name, Shape shape, const char* help, bool required = false) {
  Field made;
  made.name = name;
  made.shape = std::move(shape);
  made.help = help;
  made.required = required;
  return made;
}

Record make_objectives() {
  Record words;
  words.name = "objectives";
  words.help = "What a recovery is measured against";
  words.fields = {
      field("rto", shape::duration(), "recovery time objective: from the loss to the last check"),
      field("rpo", shape::duration(), "recovery point objective: how much may be lost"),
  };
  return words;
}

Record make_operator_words() {
  Record words;
  words.name = "operator";
  words.help = "A person who may approve and command runs";
  words.fields = {
      field("key", shape::string(), "public key, as `lifeboat operators new` prints it", true),
      field("description", shape::string(), "who it is, for people"),
  };
  words.short_form = "key";
  return words;
}

Field optional_field(const char* name, Shape shape, const char* help, const char* fallback) {
  Field made = field(name, std::move(shape), help);
  made.fallback = fallback;
  return made;
}

Record make_hook_words() {
  Record words;
  words.name = "hooks";
  words.help = "Programs that freeze what is captured, and thaw it whatever happens";
  words.fields = {
      field("before", shape::string_or_list(),
            "program and arguments: freezes. It lies below the platform file's folder, or in PATH"),
      field("after", shape::string_or_list(),
            "program and arguments: thaws. Runs whenever `before` was started, whatever happened",
            true),
      optional_field("limit", shape::duration(),
                     "how long it may be frozen, from the start of `before`", "30s"),
      optional_field("timeout", shape::duration(), "how long one run of either may take", "30s"),
      optional_field("retry_for", shape::duration(),
                     "how long an `after` that fails is tried again", "5m"),
      field("env", shape::map(shape::string()), "environment of both"),
      field("secret_env", shape::map(shape::secret()), "environment of both that is secret"),
  };
  return words;
}

Record make_group_words() {
  Field attempts = field("attempts", shape::integer(), "how often it is captured at most: 1 to 10");
  attempts.fallback = 2;
  Record words;
  words.name = "group";
  words.help = "Sources whose moments belong together";
  words.fields = {
      field("sources", shape::list(shape::string()), "names of its sources: 2 to 16", true),
      field("max_skew", shape::duration(), "how far apart their moments may lie", true),
      std::move(attempts),
      field("hooks", shape::record(make_hook_words()),
            "freeze all of them for the time of their moments"),
      field("description", shape::string(), "what holds them together, for people"),
  };
  return words;
}

Record make_platform_words() {
  Record words;
  words.name = "platform file";
  words.help = "What a platform consists of, and how it comes back";
  words.fields = {
      field("version", shape::integer(), "version of this format: 1", true),
      field("platform", shape::string(), "name of the platform", true),
      field("repository", shape::string(),
            "where captures are kept: a directory, or s3://BUCKET/PREFIX"),
      field("objectives", shape::record(make_objectives()), "what recoveries are measured against"),
      field("sources", shape::map(shape::any()), "what is captured, by name"),
      field("groups", shape::map(shape::record(make_group_words())),
            "sources that are captured as of one moment, by name"),
      field("plans", shape::map(shape::any()), "recovery plans, by name"),
      field("operators", shape::map(shape::record(make_operator_words())),
            "people who may approve and command runs, by name"),
      field("include", shape::list(shape::string()),
            "more local files or folders that travel in the bundle"),
  };
  words.reserved = {"drills", "probes",   "incidents", "alerts",   "retention",
                    "guard",  "schedule", "daemon",    "approval", "every"};
  return words;
}

Record make_source_words() {
  Record words;
  words.name = "source";
  words.help = "One thing that holds state: its type with the configuration";
  words.fields = {
      field("description", shape::string(), "what it is, for people"),
      field("hooks", shape::record(make_hook_words()), "freeze it while it is captured"),
  };
  words.reserved = {"every", "rpo", "retention", "group", "verify"};
  return words;
}

// NAME: { TYPE: {...} } with exactly one of the known types.
Value source_schema(const Vocabulary& vocabulary) {
  Value schema = object_schema(source_words());
  Value properties = schema.at("properties");
  Value choices(Value::List{});
  for (const KnownSource& source : vocabulary.sources) {
    Value config = json_schema(source.fields);
    config.set("description", source.help);
    properties.set(source.name, std::move(config));
    Value names(Value::List{});
    names.push(source.name);
    Value one;
    one.set("required", std::move(names));
    choices.push(std::move(one));
  }
  schema.set("properties", std::move(properties));
  if (!choices.list().empty()) schema.set("oneOf", std::move(choices));
  return schema;
}

Value by_name(Value inner) {
  Value schema, names;
  names.set("pattern", "^[A-Za-z_][A-Za-z0-9_-]{0,62}$");
  schema.set("type", "object");
  schema.set("propertyNames", std::move(names));
  schema.set("additionalProperties", std::move(inner));
  return schema;
}

}  // namespace

const Record& platform_words() {
  static const Record words = make_platform_words();
  return words;
}

const Record& source_words() {
  static const Record words = make_source_words();
  return words;
}

const Record& hook_words() {
  static const Record words = make_hook_words();
  return words;
}

const KnownSource* Vocabulary::source(std::string_view name) const {
  for (const KnownSource& known : sources) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

Value platform_schema(const Vocabulary& vocabulary) {
  Value schema = object_schema(platform_words());
  Value properties = schema.at("properties");
  Value version;
  version.set("const", 1);
  version.set("description", platform_words().find("version")->help);
  properties.set("version", std::move(version));
  Value name = properties.at("platform");
  name.set("pattern", "^[A-Za-z_][A-Za-z0-9_-]{0,62}$");
  name.set("type", "string");
  properties.set("platform", std::move(name));
  properties.set("sources", by_name(source_schema(vocabulary)));
  properties.set("plans", by_name(plan::plan_schema(*vocabulary.steps, vocabulary.guards)));
  schema.set("properties", std::move(properties));
  schema.set("$schema", "http://json-schema.org/draft-07/schema#");
  schema.set("title", "Lifeboat platform file");
  return schema;
}

}  // namespace lifeboat::platform
