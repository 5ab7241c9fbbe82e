// `lifeboat evidence`: the signed records of recoveries: list, export, verify, and what they show
// of the controls that auditors ask for.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <set>

#include "app/commands/commands.h"
#include "app/evidence_sealing.h"
#include "backup/bundle.h"
#include "base/descriptor.h"
#include "base/temporary_folder.h"
#include "crypt/operator_key.h"
#include "evidence/controls.h"
#include "evidence/folder.h"
#include "evidence/verify.h"
#include "run/takeover.h"

namespace lifeboat::app {
namespace {

Value unreadable_value(const std::string& run, const std::string& plan, const std::string& why) {
  Value row;
  row.set("run", run);
  row.set("plan", printable(plan));
  row.set("why", printable(why));
  return row;
}

// --- list, export ---

class EvidenceList {
 public:
  void add(const repo::RunRecord& record, const std::vector<journal::Event>& events,
           const run::RunState& state) {
    for (const evidence::Sealed& sealed : evidence::sealed_in(events)) {
      Value row = of_run(record);
      row.set("number", sealed.number);
      row.set("outcome", sealed.outcome);
      row.set("sealed", rfc3339(sealed.time));
      row.set("manifest_sha256", sealed.manifest);
      items_.push(std::move(row));
      table_.rows.push_back({record.run, printable(record.plan), std::to_string(sealed.number),
                             printable(sealed.outcome), rfc3339(sealed.time),
                             sealed.manifest.substr(0, 12)});
    }
    if (!state.end) add_without(record, "", "has not ended");
    if (evidence::lacks_evidence(events)) {
      add_without(record, printable(state.end ? state.end->outcome : ""), "not made yet");
    }
  }
  void add_unreadable(const repo::RunRecord& record, const std::string& why) {
    unreadable_.push(unreadable_value(record.run, record.plan, why));
    table_.rows.push_back({record.run, printable(record.plan), "-", "-", "cannot be read", ""});
  }
  void show(Program& program) {
    Value document;
    document.set("items", std::move(items_));
    document.set("unreadable", std::move(unreadable_));
    program.terminal().show("EvidenceList", document, table_);
  }

 private:
  static Value of_run(const repo::RunRecord& record) {
    Value row;
    row.set("run", record.run);
    row.set("plan", printable(record.plan));
    return row;
  }
  // A run, or its last end, of which there is none.
  void add_without(const repo::RunRecord& record, const std::string& outcome, const char* why) {
    Value row = of_run(record);
    row.set("number", Value());
    row.set("outcome", outcome.empty() ? Value() : Value(outcome));
    row.set("sealed", Value());
    row.set("manifest_sha256", Value());
    row.set("why", why);
    items_.push(std::move(row));
    table_.rows.push_back(
        {record.run, printable(record.plan), "-", outcome.empty() ? "-" : outcome, why, ""});
  }

  Value items_{Value::List{}}, unreadable_{Value::List{}};
  Table table_{.columns = {"RUN", "PLAN", "NUMBER", "OUTCOME", "SEALED", "MANIFEST"}, .rows = {}};
};

Result<int> list_evidence(const Operation& op, Program& program) {
  TRY(Opened opened, program.open_repository(op));
  EvidenceList list;
  for (const repo::RunRecord& record : opened.repository->runs()) {
    const auto journal = journal::Journal::open(op, *opened.repository, record.run,
                                                run::this_driver(program.random()));
    if (!journal && is_transient(journal.error())) return fail(journal.error());
    if (!journal && journal.error().kind == Error::Kind::not_found) continue;  // never begun
    const auto events =
        journal ? (*journal)->events() : Result<std::vector<journal::Event>>(fail(journal.error()));
    TRY_DO(op.proceed());
    const auto state = events ? run::replay(*events) : Result<run::RunState>(fail(events.error()));
    if (state) {
      list.add(record, *events, *state);
    } else {
      program.terminal().say("not looked at: " + printable(state.error().what));
      list.add_unreadable(record, state.error().what);
    }
  }
  list.show(program);
  return 0;
}

struct Export {
  std::string run, folder;
  std::int64_t number = -1;
};

Result<evidence::Sealed> chosen(const Operation& op, Program& program, repo::Repository& repository,
                                const std::string& run, std::int64_t number) {
  TRY(const auto journal,
      journal::Journal::open(op, repository, run, run::this_driver(program.random())));
  if (number < 0 && evidence::lacks_evidence(journal->events())) {
    const auto key = evidence_key(op, program);
    TRY(const auto state, run::replay(journal->events()));
    TRY(const auto sealed, seal_evidence(op, program, repository, state, key));
    if (sealed) return *sealed;
  }
  const auto known = evidence::sealed_in(journal->events());
  const auto found = std::ranges::find_if(known.rbegin(), known.rend(), [&](const auto& sealed) {
    return number < 0 || sealed.number == static_cast<std::uint64_t>(number);
  });
  if (found != known.rend()) return *found;
  return fail(Error::Kind::not_found,
              number < 0 ? "run " + run + " has not ended: there is no evidence of it yet"
                         : fmt::format("run {} has no evidence {}", run, number),
              number < 0 ? "`lifeboat runs watch " + run + "` shows what it does"
                         : "`lifeboat evidence list` lists what there is");
}

Result<int> export_evidence(const Operation& op, Program& program, const Export& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const std::string run, find_run(op, *opened.repository, given.run));
  TRY(const auto sealed, chosen(op, program, *opened.repository, run, given.number));
  TRY(const auto files, evidence::read_sealed(op, *opened.repository, run, sealed));
  TRY_DO(evidence::write_folder(given.folder, files));
  Value document;
  document.set("run", run);
  document.set("number", sealed.number);
  document.set("folder", printable(given.folder));
  document.set("manifest_sha256", sealed.manifest);
  Table table{.columns = {"FILE", "BYTES"}, .rows = {}};
  for (const auto& [name, bytes] : files) {
    table.rows.push_back({printable(name), std::to_string(bytes.size())});
  }
  program.terminal().show("EvidenceExport", document, table);
  return 0;
}

Result<int> show_keys(const Operation& op, Program& program) {
  TRY(Opened opened, program.open_repository(op));
  const repo::Signer signer = opened.repository->signer();
  Value document;
  document.set("repository", to_hex(signer.repository));
  document.set("root", crypt::verify_key_text(signer.root));
  document.set("writer", crypt::verify_key_text(signer.writer));
  program.terminal().show(
      "EvidenceKeys", document,
      {.columns = {"KEY", "WHOSE"},
       .rows = {{document.text("root"), "root of this repository"},
                {document.text("writer"), "its writer, certified by the root"}}});
  return 0;
}

// --- verify ---

// A key, or a file of keys: one a line, # begins a comment.
Result<void> add_trust(std::set<std::string>& trust, const std::string& word) {
  if (crypt::verify_key_from(word)) {
    trust.insert(word);
    return {};
  }
  const auto wrong = [](const std::string& what) {
    return fail(Error::Kind::invalid, what,
                "a key is written ed25519:BASE64, as `lifeboat evidence "
                "keys` and `lifeboat operators show` print it",
                Error::Code::usage);
  };
  if (word.starts_with("ed25519:")) return wrong("--trust " + printable(word) + " is no key");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(word.c_str(), "re"),
                                                             std::fclose);
  if (!file) return wrong("--trust " + printable(word) + ": " + errno_text(errno));
  TRY(const std::string text, read_all(fileno(file.get())));
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    line = line.substr(0, line.find_first_of("# \t\r"));
    if (line.empty()) continue;
    if (!crypt::verify_key_from(line)) {
      return wrong(printable(word) + ": '" + printable(line) + "' is no key");
    }
    trust.insert(line);
  }
  return {};
}

std::string trust_text(const evidence::SignedBy& by, bool asked) {
  if (!by.holds) return "DOES NOT HOLD";
  if (by.trusted) return "holds, trusted";
  return asked ? "holds, NOT trusted" : "holds; whether it is theirs is for you to know";
}

void show_verdict(Program& program, const evidence::Verdict& verdict, bool asked) {
  Value document, faults{Value::List{}}, signers{Value::List{}};
  document.set("whole", verdict.whole());
  document.set("version_too_new", verdict.too_new());
  document.set("trusted", verdict.trusted());
  document.set("run", printable(verdict.run));
  document.set("repository", printable(verdict.repository));
  document.set("made", printable(verdict.made));
  document.set("headline", printable(verdict.headline));
  document.set("files", verdict.files);
  document.set("bytes", verdict.bytes);
  document.set("signed_requests", verdict.signed_requests);
  document.set("approvals", verdict.approvals);
  Table table{.columns = {"WHAT", "STATE"}, .rows = {}};
  table.rows.push_back({"run " + printable(verdict.run), printable(verdict.headline)});
  table.rows.push_back({fmt::format("{} files", verdict.files),
                        verdict.whole()     ? "every byte is as it was signed"
                        : verdict.too_new() ? "of a later version than this program knows"
                                            : "NOT as they were signed"});
  table.rows.push_back(
      {fmt::format("{} approvals, {} signed requests", verdict.approvals, verdict.signed_requests),
       verdict.whole() ? "proven by their signatures" : "not proven"});
  for (const evidence::SignedBy& by : verdict.signers) {
    Value line;
    line.set("role", printable(by.role));
    line.set("key", printable(by.key));
    if (!by.root.empty()) line.set("root", printable(by.root));
    line.set("holds", by.holds);
    line.set("trusted", by.trusted);
    signers.push(std::move(line));
    table.rows.push_back({"signed by " + printable(by.key), trust_text(by, asked)});
    if (!by.root.empty()) {
      table.rows.push_back({"  of the repository with root " + printable(by.root), ""});
    }
  }
  for (const evidence::Fault& fault : verdict.faults) {
    Value line;
    line.set("file", printable(fault.file));
    line.set("what", printable(fault.what));
    faults.push(std::move(line));
    table.rows.push_back(
        {(fault.newer ? "NEWER " : "FAULT ") + printable(fault.file), printable(fault.what)});
  }
  document.set("faults", std::move(faults));
  document.set("signers", std::move(signers));
  program.terminal().show("EvidenceVerdict", document, table);
}

Result<int> verify_evidence(Program& program, const std::string& folder,
                            const std::vector<std::string>& words) {
  std::set<std::string> trust;
  for (const std::string& word : words) TRY_DO(add_trust(trust, word));
  TRY(const auto files, evidence::read_folder(folder));
  const evidence::Verdict verdict = evidence::verify(files, trust);
  show_verdict(program, verdict, !trust.empty());
  if (!verdict.whole()) {
    const std::string first = fmt::format("{}: {}", printable(verdict.faults.front().file),
                                          printable(verdict.faults.front().what));
    if (verdict.too_new()) {
      return fail(Error::Kind::invalid, first, "use a newer Lifeboat",
                  Error::Code::version_too_new);
    }
    return fail(Error::Kind::corrupt, first,
                "ask for the bundle again: `lifeboat evidence export` takes it from the repository",
                Error::Code::integrity);
  }
  if (trust.empty() || verdict.trusted()) return 0;
  return fail(Error::Kind::denied, "the bundle is whole, and signed by nobody whom you trust",
              "compare the keys with those that you know", Error::Code::wrong_key);
}

// --- controls ---

struct Ages {
  std::string recovery = "90d", backup = "24h";
  std::vector<std::string> plans;
};

Result<std::chrono::nanoseconds> age(const char* option, const std::string& text) {
  const auto parsed = parse_duration(text);
  if (parsed && parsed->count() > 0) return *parsed;
  return fail(Error::Kind::invalid, fmt::format("{} {} is no time", option, printable(text)),
              "write 90d, 36h or 45m", Error::Code::usage);
}

std::vector<std::string> names_of(const platform::Platform& platform) {
  std::vector<std::string> names;
  for (const auto& [name, plan] : platform.plans) names.push_back(name);
  return names;
}

// The plans that the platform has: by its file, else by the bundle of the newest recovery point.
Result<std::vector<std::string>> plans_of(const Operation& op, Program& program,
                                          repo::Repository& repository) {
  if (!program.options.config.empty()) {
    TRY(const auto platform, program.platform_file());
    program.terminal().say("the plans are those of " + printable(program.options.config));
    return names_of(platform);
  }
  const auto points = repository.points();
  if (points.empty() || !points.back().about.bundle) return std::vector<std::string>{};
  TRY(const TemporaryFolder folder, TemporaryFolder::make("bundle"));
  TRY_DO(backup::unpack_bundle(op, repository, *points.back().about.bundle, folder.path()));
  TRY(const auto platform, program.read_platform(folder.path() + "/lifeboat.yaml"));
  program.terminal().say("the plans are those of recovery point " + points.back().id.brief());
  return names_of(platform);
}

Value control_value(const evidence::Answer& answer) {
  Value row, runs{Value::List{}}, why{Value::List{}}, needs{Value::List{}};
  row.set("standard", answer.control->standard);
  row.set("clause", answer.control->clause);
  row.set("title", answer.control->title);
  row.set("state", evidence::state_word(answer.state));
  for (const evidence::Need need : answer.control->needs) needs.push(evidence::need_name(need));
  for (const std::string& run : answer.runs) runs.push(run);
  for (const std::string& line : answer.why) why.push(printable(line));
  row.set("needs", std::move(needs));
  row.set("runs", std::move(runs));
  row.set("why", std::move(why));
  return row;
}

Result<int> show_controls(const Operation& op, Program& program, const Ages& given) {
  evidence::ControlAges ages;
  TRY(ages.recovery, age("--recovery-within", given.recovery));
  TRY(ages.backup, age("--backup-within", given.backup));
  TRY(Opened opened, program.open_repository(op));
  std::vector<std::string> plans = given.plans;
  if (plans.empty()) {
    TRY(plans, plans_of(op, program, *opened.repository));
  }
  TRY(const auto facts, evidence::read_facts(op, *opened.repository));
  const auto answers = evidence::judge_controls(facts, plans, ages, program.clock().wall());
  Value items{Value::List{}};
  Table table{.columns = {"CONTROL", "STATE", "TITLE", "WHY"}, .rows = {}};
  bool all = true;
  for (const evidence::Answer& answer : answers) {
    items.push(control_value(answer));
    all = all && answer.state == evidence::State::pass;
    std::vector<std::string> row{
        std::string(answer.control->standard) + " " + answer.control->clause,
        std::string(evidence::state_word(answer.state)), answer.control->title, ""};
    for (const std::string& why : answer.why) {
      row.back() = printable(why);
      table.rows.push_back(row);
      row = {"", "", "", ""};
    }
  }
  Value document, unreadable{Value::List{}};
  for (const evidence::UnreadableRun& run : facts.unreadable) {
    unreadable.push(unreadable_value(run.run, run.plan, run.why));
  }
  document.set("items", std::move(items));
  document.set("unreadable", std::move(unreadable));
  document.set("confirm",
               "which clause asks for what is Lifeboat's reading: a person has to "
               "confirm it");
  program.terminal().show("ControlMap", document, table);
  program.terminal().say(
      "Which clause asks for what is Lifeboat's reading of the standards: a "
      "person has to confirm it.");
  for (const evidence::UnreadableRun& run : facts.unreadable) {
    program.terminal().say("not looked at: run " + run.run + ": " + printable(run.why));
  }
  return all ? 0 : exit_status(Error::Code::not_ready);
}

// --- the command tree ---

void add_verify(CLI::App& parent, Program& program) {
  struct Given {
    std::string folder;
    std::vector<std::string> trust;
  };
  auto given = std::make_shared<Given>();
  auto* command =
      parent.add_subcommand("verify", "Verify a bundle offline: every byte, signatures, approvals");
  command->add_option("bundle", given->folder, "folder that `evidence export` wrote")->required();
  command->add_option("--trust", given->trust,
                      "a key that you know (ed25519:...), or a file of such keys");
  command->footer(
      "Needs no repository, no key and no network. Exit status: 0 whole (and trusted, with\n"
      "--trust), 12 signed by nobody whom you trust, 13 something was changed, 17 a newer "
      "Lifeboat\n"
      "wrote it.\n\nExamples:\n"
      "  lifeboat evidence verify ./evidence-4f2a\n"
      "  lifeboat evidence verify ./evidence-4f2a --trust keys-of-acme.txt");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation&) {
      return verify_evidence(program, given->folder, given->trust);
    };
  });
}

void add_controls(CLI::App& parent, Program& program) {
  auto ages = std::make_shared<Ages>();
  auto* command =
      parent.add_subcommand("controls", "What runs and backups show of the controls of auditors");
  command->add_option("--recovery-within", ages->recovery,
                      "how old a proven recovery may be (90d)");
  command->add_option("--backup-within", ages->backup, "how old a recovery point may be (24h)");
  command->add_option("--plan", ages->plans, "only this plan (default: all of the platform)");
  command->footer(
      "pass: every fact that the control needs holds; stale: it held too long ago; fail: it does\n"
      "not. Exit status 4 unless all pass. Which clause asks for what is Lifeboat's reading of "
      "the\n"
      "standards: a person has to confirm it for the audit at hand.\n\nExamples:\n"
      "  lifeboat evidence controls\n"
      "  lifeboat evidence controls --recovery-within 365d -o json | jq '.items[].state'");
  command->callback([&program, ages] {
    program.chosen = [&program, ages](const Operation& op) {
      return show_controls(op, program, *ages);
    };
  });
}

}  // namespace

void add_evidence(CLI::App& root, Program& program) {
  auto* evidence = root.add_subcommand("evidence", "The signed records of recoveries");
  evidence->require_subcommand(1);
  evidence->footer(
      "Examples:\n  lifeboat evidence export latest ./evidence\n"
      "  lifeboat evidence verify ./evidence --trust keys-of-acme.txt");
  auto* list = evidence->add_subcommand("list", "List the evidence that is kept");
  list->footer("Examples:\n  lifeboat evidence list\n  lifeboat evidence list -o json");
  list->callback([&program] {
    program.chosen = [&program](const Operation& op) { return list_evidence(op, program); };
  });
  auto given = std::make_shared<Export>();
  auto* exported = evidence->add_subcommand("export", "Write the evidence of a run to a folder");
  exported->add_option("run", given->run, "as `runs list` shows it, or `latest`")->required();
  exported->add_option("folder", given->folder, "a new folder")->required();
  exported
      ->add_option("--number", given->number,
                   "of an earlier end of the run, as `evidence list` shows it")
      ->check(CLI::NonNegativeNumber);
  exported->footer(
      "Evidence of a run that has ended and has none (its driver was killed) is made first.\n\n"
      "Example:\n  lifeboat evidence export latest ./evidence");
  exported->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return export_evidence(op, program, *given);
    };
  });
  add_verify(*evidence, program);
  add_controls(*evidence, program);
  auto* keys = evidence->add_subcommand("keys", "Print the keys that evidence is signed with");
  keys->footer(
      "Give the root's key to whoever verifies, by another way than the bundle.\n\n"
      "Example:\n  lifeboat evidence keys");
  keys->callback([&program] {
    program.chosen = [&program](const Operation& op) { return show_keys(op, program); };
  });
}

}  // namespace lifeboat::app
