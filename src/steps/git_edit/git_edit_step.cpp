#include "steps/git_edit/git_edit_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "client/secret/secret_values.h"
#include "schema/json.h"
#include "source/git/git_source.h"
#include "steps/by_hand/by_hand.h"
#include "steps/git_edit/branch_clone.h"
#include "steps/git_edit/edit.h"
#include "steps/lazy_step.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;
using source::git::Address;
using source::git::GitProgram;
using ErrorKind = Error::Kind;

constexpr int most_attempts = 6;
constexpr auto first_pause = std::chrono::milliseconds(100);

// `repo:` is a place, or what `${sources.NAME}` gives: a map with url or path, user, password.
std::string place_of(const Value& config) {
  const Value& repo = config.at("repo");
  if (repo.is(Value::Type::string)) return repo.string();
  return repo.text("url", repo.text("path"));
}

Result<Address> address_of(const Value& config, const std::string& directory) {
  TRY(Address address, source::git::read_address(place_of(config), directory));
  for (const Value* from : {&config.at("repo"), &config}) {
    if (!from->is(Value::Type::map)) continue;
    if (from->at("user").is(Value::Type::string)) address.user = from->text("user");
    if (from->at("password").is(Value::Type::string)) {
      address.password = Secret(from->text("password"));
    }
    if (from->at("ca_file").is(Value::Type::string)) address.ca_file = from->text("ca_file");
  }
  if (!address.ca_file.empty() && address.ca_file.front() != '/') {
    address.ca_file = directory + "/" + address.ca_file;
  }
  return address;
}

using Files = std::map<std::string, std::vector<Change>>;

Files files_of(const Value& config) {
  Files files;
  for (const auto& [file, values] : config.at("set").map()) {
    for (const auto& [path, value] : values.map()) files[file].push_back({path, value});
  }
  return files;
}

std::string shown(const Value& value) {
  return value.tainted() ? "(secret)" : printable(leaf_text(value));
}

// A file knows texts, and nothing: 3 and "3" are the same in it.
bool same(const Value& is, const Value& wanted) {
  return is.is_null() == wanted.is_null() && leaf_text(is) == leaf_text(wanted);
}

// All files of the step at one commit: as they are, and as they are to be.
struct Comparison {
  std::map<std::string, std::string> contents;                 // of files that have to change
  std::map<std::string, std::map<std::string, Value>> before;  // file -> path -> value
  bool equal() const { return contents.empty(); }
};

class GitEditStep final : public plan::Step {
 public:
  GitEditStep(Value config, Address address, plan::StepContext& context)
      : config_(std::move(config)),
        files_(files_of(config_)),
        git_(context.launcher(), std::move(address)),
        context_(context) {}

  Result<void> preflight(const Operation& op) override {
    for (const auto& [file, changes] : files_) TRY_DO(form_of(file));
    TRY_DO(git_.run(op, {.args = {"version"}}));
    return {};
  }

  Result<Observation> observe(const Operation& op) override {
    TRY_DO(connect(op));
    TRY(const Comparison now, compare(op, files_, clone_->tip()));
    TRY(const auto own, standing_commit(op));
    Observation seen;
    seen.before = before_of(now);
    seen.generation = own ? own->generation : 0;
    const std::string where =
        fmt::format("{} branch {}", printable(git_.address().place()), printable(clone_->branch()));
    if (now.equal()) {
      seen.state = State::ours_done;
      seen.outputs = outputs(own ? own->commit : clone_->tip());
      seen.summary = where + ": all values are set";
      return seen;
    }
    TRY(const bool untouched, untouched_since(op, own, now));
    seen.state = untouched ? State::ours_partial : own ? State::drifted : State::absent;
    seen.summary =
        fmt::format("{}: {} of {} files differ", where, now.contents.size(), files_.size());
    if (own) {
      const std::string commit = own->commit.substr(0, 12);
      seen.summary += untouched ? ", commit " + commit + " was for other values"
                                : ", changed since commit " + commit;
    }
    seen.changes = changes_of(now);
    seen.would = "commit " + text_of(seen.changes);
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY_DO(connect(op));
    return push_with_retries(op, [&]() -> Result<std::optional<BranchClone::Draft>> {
      TRY(const Comparison now, compare(op, files_, clone_->tip()));
      TRY(const bool pushed, has_pushed(op));
      if (now.equal() || pushed) return std::optional<BranchClone::Draft>();
      BranchClone::Draft draft = new_draft(message());
      draft.contents = now.contents;
      return std::optional(std::move(draft));
    });
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(connect(op));
    plan::Verification proof;
    for (const auto& [file, changes] : files_) {
      TRY(const std::string text, clone_->read(op, clone_->tip(), file));
      TRY(const Edited edited, edit(file, text, changes));
      for (const Change& change : changes) {
        const Value& is = edited.before.at(change.path);
        const bool equal = same(is, change.value);
        const bool hidden = change.value.tainted();
        proof.checks.push_back(
            {fmt::format("{} {}", printable(file), printable(change.path)), shown(change.value),
             hidden ? (equal ? "(secret)" : "(another secret)") : shown(is), equal});
      }
    }
    TRY(const auto own, standing_commit(op));
    proof.outputs = outputs(own ? own->commit : clone_->tip());
    return proof;
  }

  Result<void> undo(const Operation& op, const Value& before) override {
    TRY_DO(connect(op));
    return push_with_retries(op, [&]() -> Result<std::optional<BranchClone::Draft>> {
      TRY(const auto own, standing_commit(op));
      if (!own) return std::optional<BranchClone::Draft>();  // nothing of ours, or undone already
      BranchClone::Draft draft = new_draft("Undo: " + message());
      draft.trailers.undo = true;
      for (const auto& [file, values] : before.at("values").map()) {
        TRY(const auto content, undone(op, own->commit, file, values));
        if (content) draft.contents[file] = *content;
      }
      if (draft.contents.empty()) return std::optional<BranchClone::Draft>();
      return std::optional(std::move(draft));
    });
  }

 private:
  // Of the values that differ: the others are in `before` as they are to be.
  std::vector<plan::Change> changes_of(const Comparison& now) const {
    std::vector<plan::Change> changes;
    for (const auto& [file, values] : now.before) {
      for (const Change& wanted : files_.at(file)) {
        const auto was = values.find(wanted.path);
        if (was == values.end() || same(was->second, wanted.value)) continue;
        changes.push_back({printable(file) + ": " + printable(wanted.path),
                           wanted.value.tainted() ? "(another secret)" : shown(was->second),
                           shown(wanted.value)});
      }
    }
    return changes;
  }

  Trailers trailers() const {
    return {context_.run(), context_.step(), context_.generation(), false};
  }
  std::string message() const {
    return config_.text("message", fmt::format("Set {} after a recovery", names_text()));
  }
  std::string names_text() const {
    std::string text;
    for (const auto& [file, changes] : files_) text += (text.empty() ? "" : ", ") + file;
    return text.size() > 60 ? fmt::format("values in {} files", files_.size()) : text;
  }
  Value outputs(const std::string& commit) const {
    Value out{Value::Map{}};
    out.set("commit", commit);
    out.set("branch", clone_->branch());
    return out;
  }

  Value before_of(const Comparison& now) const {
    Value before{Value::Map{}};
    before.set("commit", clone_->tip());
    Value files{Value::Map{}};
    for (const auto& [file, values] : now.before)
      files.set(file, Value(Value::Map(values.begin(), values.end())));
    before.set("values", std::move(files));
    return before;
  }

  static std::string text_of(const std::vector<plan::Change>& changes) {
    constexpr std::size_t most = 10;
    std::string text;
    for (std::size_t i = 0; i < std::min(changes.size(), most); ++i) {
      text += fmt::format("{}{} -> {}", (text.empty() ? "" : ", ") + changes[i].what + ": ",
                          changes[i].from, changes[i].to);
    }
    return changes.size() > most ? fmt::format("{} and {} more", text, changes.size() - most)
                                 : text;
  }

  // An earlier attempt of ours set other values, and they are as it left them: nobody else did
  // anything here.
  Result<bool> untouched_since(const Operation& op, const std::optional<BranchClone::Own>& own,
                               const Comparison& now) {
    if (!own || own->generation >= context_.generation()) return false;
    const auto then = compare(op, files_, own->commit);
    if (!then && then.error().kind != ErrorKind::not_found) return fail(then.error());
    return then && then->before == now.before;
  }

  Result<void> connect(const Operation& op) {
    if (clone_) return clone_->refresh(op);
    TRY(clone_, BranchClone::open(op, git_, config_.text("branch")));
    return {};
  }

  Result<Comparison> compare(const Operation& op, const Files& files, const std::string& commit) {
    Comparison result;
    for (const auto& [file, changes] : files) {
      TRY(const std::string text, clone_->read(op, commit, file));
      TRY(Edited edited, edit(file, text, changes));
      result.before[file] = std::move(edited.before);
      if (edited.changed) result.contents[file] = std::move(edited.text);
    }
    return result;
  }

  BranchClone::Draft new_draft(const std::string& message) const {
    BranchClone::Draft draft;
    draft.message = message;
    draft.trailers = trailers();
    draft.committer.seconds = context_.clock().wall().ns / 1'000'000'000;
    const std::string author = config_.text("author", "Lifeboat <lifeboat@localhost>");
    const auto angle = author.find('<');
    draft.committer.name = author.substr(0, author.find_last_not_of(" <", angle) + 1);
    const auto end = author.find('>', angle == std::string::npos ? 0 : angle);
    draft.committer.email = angle == std::string::npos ? "lifeboat@localhost"
                                                       : author.substr(angle + 1, end - angle - 1);
    return draft;
  }

  // Our commit, unless it was taken back.
  Result<std::optional<BranchClone::Own>> standing_commit(const Operation& op) {
    TRY(const auto own, clone_->own_commit(op, trailers()));
    return own && own->undo ? std::optional<BranchClone::Own>() : own;
  }

  // Whether this attempt's commit is on the branch: values that differ nevertheless were set by
  // somebody else since.  Errors: conflict, when a later attempt was here, or it was undone.
  Result<bool> has_pushed(const Operation& op) {
    TRY(const auto own, clone_->own_commit(op, trailers()));
    if (!own || own->generation < context_.generation()) return false;
    if (own->generation == context_.generation() && !own->undo) return true;
    return fail(ErrorKind::conflict,
                fmt::format("branch {}: {} is of a later attempt of this step",
                            printable(clone_->branch()), own->commit.substr(0, 12)),
                "this engine was replaced; look at the run with `lifeboat runs show`",
                Error::Code::refused);
  }

  // Somebody else's push in between is no failure: read again, decide again, a few times.
  template <class MakeDraft>
  Result<void> push_with_retries(const Operation& op, MakeDraft&& make_draft) {
    if (context_.generation() > 1) {
      TRY(const auto removed, clone_->remove_stale_locks(op));
      for (const std::string& lock : removed) context_.log(printable(lock) + ": stale, removed");
    }
    auto pause = std::chrono::nanoseconds(first_pause);
    for (int attempt = 1;; ++attempt, pause *= 2) {
      TRY(const std::optional<BranchClone::Draft> draft, make_draft());
      if (!draft) return {};
      auto pushed = clone_->commit_files(op, *draft);
      if (pushed) {
        context_.log(fmt::format("commit {} on branch {}", *pushed, clone_->branch()));
        return {};
      }
      if (pushed.error().kind != ErrorKind::conflict || attempt == most_attempts) {
        return fail(std::move(pushed).error());
      }
      context_.log(fmt::format("the push was rejected, reading again ({} of {}): {}", attempt,
                               most_attempts, pushed.error().what));
      TRY_DO(op.pause(pause));
      TRY_DO(clone_->refresh(op));
    }
  }

  // The file without our change; nullopt when nothing is to be done.
  Result<std::optional<std::string>> undone(const Operation& op, const std::string& own,
                                            const std::string& file, const Value& values) {
    TRY(const std::string now, clone_->blob_id(op, clone_->tip(), file));
    TRY(const std::string ours, clone_->blob_id(op, own, file));
    TRY(const std::string text, clone_->read(op, clone_->tip(), file));
    std::vector<Change> changes;
    for (const auto& [path, value] : values.map()) changes.push_back({path, value});
    TRY(const Edited back, edit(file, text, changes));
    if (!back.changed) return std::optional<std::string>();
    if (now == ours) {
      TRY(std::string before, clone_->read(op, own + "^", file));
      TRY(const Edited same, edit(file, before, changes));
      if (!same.changed) return std::optional(std::move(before));
    }
    return std::optional(back.text);
  }

  const Value config_;
  const Files files_;
  const GitProgram git_;
  plan::StepContext& context_;
  std::unique_ptr<BranchClone> clone_;
};

Result<void> reveal_repo(const Operation& op, plan::StepContext& context, Value& config) {
  Value& repo = config.map().at("repo");
  const std::string type = repo.text("type", "git");
  if (type != "git") {
    return fail(ErrorKind::invalid, fmt::format("git-edit: `repo` is a source of type {}", type),
                "name a git source", Error::Code::usage);
  }
  return reveal_secrets(op, repo, source::git_source().fields,
                        {.launcher = &context.launcher(), .directory = context.secret_directory()});
}

Record git_edit_fields() {
  return {
      .name = "git-edit",
      .help = "Sets values in YAML, JSON, .env or .properties files of a git repository.",
      .fields = {{.name = "repo",
                  .shape = shape::any(),
                  .help = "URL or path, or ${sources.NAME} of a git source",
                  .required = true},
                 {.name = "user", .shape = shape::string(), .help = "for http(s)"},
                 {.name = "password", .shape = shape::secret(), .help = "for http(s)"},
                 {.name = "ca_file", .shape = shape::string(), .help = "certificates to trust"},
                 {.name = "branch", .shape = shape::string(), .help = "default: where HEAD points"},
                 {.name = "set",
                  .shape = shape::map(shape::map(shape::any())),
                  .help = "{file: {dotted.path: value}}; each value has to be there already",
                  .required = true},
                 {.name = "message", .shape = shape::string(), .help = "of the commit"},
                 {.name = "author", .shape = shape::string(), .help = "NAME <EMAIL>"}}};
}

}  // namespace

plan::StepType git_edit_step() {
  plan::StepType type;
  type.name = "git-edit";
  type.usually = {std::chrono::seconds(2), std::chrono::seconds(10), std::chrono::minutes(1)};
  type.help = git_edit_fields().help;
  type.fields = git_edit_fields();
  type.outputs = {{"commit", shape::string()}, {"branch", shape::string()}};
  type.fence = plan::Fence::native;
  type.effects = [](const Value& config) {
    const auto address = source::git::read_address(place_of(config), ".");
    const std::string branch = config.text("branch", "HEAD");
    return std::vector<std::string>{
        fmt::format("git {} branch {}", address ? address->place() : "(not known yet)", branch)};
  };
  type.by_hand = by_hand::git_edit;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    if (!config.at("set").is(Value::Type::map) || config.at("set").map().empty()) {
      return fail(ErrorKind::invalid, "git-edit: `set` names no file", "", Error::Code::usage);
    }
    // What `${sources.NAME}` gives still names where its password is.
    if (config.at("repo").is(Value::Type::map)) {
      return std::make_unique<LazyStep>(
          [config, &context](const Operation& op) -> Result<std::unique_ptr<plan::Step>> {
            Value revealed = config;
            TRY_DO(reveal_repo(op, context, revealed));
            TRY(Address address, address_of(revealed, context.bundle_directory()));
            return std::make_unique<GitEditStep>(revealed, std::move(address), context);
          });
    }
    Address address;  // before a run `repo` may be null: the output of a step that was not made
    if (!config.at("repo").is_null()) {
      TRY(address, address_of(config, context.bundle_directory()));
    }
    return std::make_unique<GitEditStep>(config, std::move(address), context);
  };
  return type;
}

}  // namespace lifeboat::steps
