// platform/platform.h - The platform file: everything that a person tells Lifeboat, checked.
//
// One YAML file, kept in the platform's own Git repository. Reading it finds all mistakes at once,
// each with line, column and the nearest right word; only a file without any becomes a Platform.
// Reading never touches what the file describes. The caller brings the Vocabulary: which source
// and step types this program has.
//
// Threads: a Platform is immutable after reading.  User's page: docs/plan-file.md.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat::platform {

struct KnownSource {
  std::string name;  // the word of the file: "postgres"
  std::string help;
  Record fields;
};
struct Vocabulary {
  std::vector<KnownSource> sources;
  const plan::StepTypes* steps = nullptr;
  const plan::GuardKinds* guards = nullptr;  // null: none
  const KnownSource* source(std::string_view name) const;
};

struct Objectives {
  std::optional<std::chrono::nanoseconds> rto, rpo;
};

// Programs around a capture: `before` freezes, `after` thaws, whatever happens.
struct Hooks {
  std::vector<std::string> before, after;  // program and arguments; `before` may be empty
  std::chrono::nanoseconds limit{}, timeout{}, retry_for{};
  std::map<std::string, std::string> env;
  Value words;  // as hook_words() has them; secrets still say where they come from
};

struct SourceEntry {
  std::string name;
  std::string type;
  Value config;  // validated; secrets still say where they come from ({env: NAME} ...)
  std::optional<Hooks> hooks;
  std::string why;
  Mark mark;
};

// Sources that are captured as of one moment, as far as that can be: every one is in the file, and
// none in two groups.
struct Group {
  std::vector<std::string> sources;
  std::chrono::nanoseconds max_skew{};
  unsigned attempts = 2;
  std::optional<Hooks> hooks;
  std::string why;
};
inline constexpr std::size_t group_sources_max = 16;

// Somebody who may approve and command runs: known by the public half of an Ed25519 key.
struct Operator {
  std::string key;  // "ed25519:" and 32 bytes in base64
  std::string why;
};

struct Platform {
  int version = 1;
  std::string name;
  std::string repository;  // "" = not said in the file
  Objectives objectives;
  std::map<std::string, SourceEntry> sources;
  std::map<std::string, Group> groups;
  std::map<std::string, plan::Plan> plans;
  std::map<std::string, Operator> operators;
  std::vector<std::string> include;  // local files and folders for the bundle

  std::string file;       // as it was named
  std::string directory;  // of the file; relative paths are below it. "" = read from text
  std::string text;       // as it was read: the bundle's first member
};

// Reads the text of a platform file; `name` is what errors call it.
// Errors: invalid (code usage) with all findings, one a line; code version_too_new for a later
// version. `findings`, when given, gets them one by one as well.
Result<Platform> read_platform(std::string_view text, const std::string& name,
                               const Vocabulary& vocabulary,
                               std::vector<Finding>* findings = nullptr);

// The same from disk; sets `directory`. A file of more than 1 MiB is refused before it is read.
// Errors: not_found, denied; those of read_platform().
Result<Platform> load_platform(const std::string& path, const Vocabulary& vocabulary,
                               std::vector<Finding>* findings = nullptr);

// What `${sources.NAME}` gives: type and configuration of each source, for plan::Scope.
Value source_values(const Platform& platform);

// Local files that a recovery reads: `include:`, `files:` of the plans, and what steps name that
// exists below the platform file's folder. Regular files, sorted, relative to `directory`; what
// links point to outside of it is left out. Errors: not_found (a file that is named but not there),
// invalid (outside of the folder; more than 10,000 files).
Result<std::vector<std::string>> local_files(const Platform& platform,
                                             const Vocabulary& vocabulary);

// A secret that a recovery needs and that comes from this machine only: neither a source captures
// it nor a step makes it.
struct LocalSecret {
  Mark mark;
  std::string path;  // "plans.shop-lost.steps.orders.restore.password"
  std::string from;  // "environment variable ORDERS_PASSWORD", "file secrets/pw", "program pass"
  // The same as the file says it: {env: NAME}, {file: PATH} or {exec: [...]}. Null where it only
  // looks like a secret: in a field that may hold anything, the body of a request.
  Value place;
};
std::vector<LocalSecret> local_secrets(const Platform& platform, const Vocabulary& vocabulary);

// JSON Schema of the platform file, for editors (`lifeboat schema`).
Value platform_schema(const Vocabulary& vocabulary);

// The tables of the file's own words, for the schema and the docs.
const Record& platform_words();  // of the file itself
const Record& source_words();    // of sources.NAME, besides the source type itself
const Record& hook_words();      // of `hooks`, of sources and groups

}  // namespace lifeboat::platform
