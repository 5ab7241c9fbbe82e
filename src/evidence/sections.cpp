#include "evidence/sections.h"

#include <fmt/format.h>

#include "run/text.h"
#include "schema/fields.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

using Row = std::vector<std::string>;

const Value::List& items(const Value& value) {
  static const Value::List none;
  return value.is(Value::Type::list) ? value.list() : none;
}

std::vector<std::string> texts(const Value& value) {
  std::vector<std::string> lines;
  for (const Value& item : items(value)) lines.push_back(scalar_text(item));
  return lines;
}

std::string joined(const Value& value) { return fmt::format("{}", fmt::join(texts(value), ", ")); }

std::string number(const Value& value, std::string_view none = "") {
  if (value.is(Value::Type::integer) || value.is(Value::Type::number)) {
    return fmt::format("{:.1f}", value.number());
  }
  return std::string(none);
}

// `none`: why nothing was measured.
std::string objective_text(const Value& value, const char* none) {
  const bool reached = !value.at("measured_s").is_null();
  const std::string measured = reached ? number(value.at("measured_s")) + " s measured" : none;
  if (value.at("objective_s").is_null()) return measured + "; no objective";
  const Value& met = value.at("met");
  return fmt::format("{}, {} s wanted{}", measured, number(value.at("objective_s")),
                     !met.is(Value::Type::boolean) ? ""
                     : met.boolean()               ? ": met"
                                                   : ": MISSED");
}

Section facts(const Value& document) {
  const Value& report = document.at("report");
  const Value& point = document.at("point");
  Section section{"", "", {}, {}, {}};
  const auto row = [&](const char* name, std::string value) {
    if (!value.empty()) section.rows.push_back({name, std::move(value)});
  };
  row("Run", document.text("run"));
  row("Platform", report.text("platform"));
  row("Plan", report.text("plan"));
  row("Scenario", report.text("scenario"));
  row("Outcome", report.text("outcome"));
  row("Begun", document.text("begun"));
  row("Ended", report.text("ended"));
  row("T0", report.text("t0") + ", " + report.text("t0_origin"));
  const char* disagree = "not measured: clocks disagree";
  row("RTO", objective_text(document.at("rto"),
                            report.boolean("recovered", false) ? disagree : "not reached"));
  row("RPO", objective_text(document.at("rpo"), point.is_null() ? "no recovery point" : disagree));
  row("Waiting for people only", number(report.at("awaited_s")) + " s");
  if (!report.at("so_far_s").is_null()) row("Time so far", number(report.at("so_far_s")) + " s");
  row("Checks", fmt::format("{} of {} as expected", scalar_text(report.at("checks_ok")),
                            scalar_text(report.at("checks"))));
  if (!point.is_null()) {
    row("Recovery point", point.text("id") + (point.boolean("complete", false) ? "" : ", partial"));
    row("Consistent", point.text("earliest") + " to " + point.text("latest"));
    row("Its age at T0", number(point.at("age_at_t0_s")) + " s");
  }
  row("Platform file and scripts", document.text("bundle"));
  for (const Value& plan : items(document.at("plans"))) {
    row("Plan, SHA-256", plan.text("sha256") + " (" + plan.text("file") + ")");
  }
  row("Repository", document.text("repository"));
  row("Lifeboat that began the run", report.text("version"));
  row("Lifeboat that made this", document.at("made").text("version") + ", SHA-256 " +
                                     document.at("made").text("program_sha256"));
  row("Made", document.at("made").text("time") + " on " + document.at("made").text("host"));
  return section;
}

Section timeline(const Value& document) {
  Section section{"Timeline",
                  "Seconds since T0; the critical path is marked.",
                  {"step", "type", "state", "start", "end", "at work", "waited for people",
                   "attempts", "checks", ""},
                  {},
                  {}};
  for (const Value& step : items(document.at("report").at("steps"))) {
    section.rows.push_back(
        {(step.boolean("critical", false) ? "* " : "") + step.text("name"), step.text("type"),
         step.text("state"), number(step.at("start_s")), number(step.at("end_s")),
         number(step.at("took_s")), number(step.at("awaited_s")), scalar_text(step.at("attempts")),
         scalar_text(step.at("checks_ok")) + "/" + scalar_text(step.at("checks")),
         step.text("summary")});
  }
  return section;
}

Section attempts(const Value& document) {
  Section section{"Attempts", "", {"step", "attempt", "begun", "ended", "how", ""}, {}, {}};
  for (const char* steps : {"steps", "former_steps"}) {
    for (const Value& step : items(document.at(steps))) {
      for (const Value& attempt : items(step.at("attempts"))) {
        section.rows.push_back({step.text("name"), scalar_text(attempt.at("generation")),
                                attempt.text("begun"), scalar_text(attempt.at("ended")),
                                attempt.text("end"), attempt.text("text")});
      }
    }
  }
  return section;
}

Section checks(const Value& document) {
  Section section{"Checks", "", {"step", "check", "expected", "found", ""}, {}, {}};
  for (const Value& step : items(document.at("steps"))) {
    for (const Value& check : items(step.at("checks"))) {
      section.rows.push_back({step.text("name"), check.text("name"), check.text("expected"),
                              check.text("actual"), check.boolean("ok", false) ? "ok" : "FAILED"});
    }
  }
  return section;
}

Section members(const Value& document) {
  Section section{"Restored from", "", {"source", "snapshot"}, {}, {}};
  const Value& members = document.at("point").at("members");
  if (!members.is(Value::Type::map)) return section;
  for (const auto& [source, snapshot] : members.map()) {
    section.rows.push_back({source, scalar_text(snapshot)});
  }
  return section;
}

Section target(const Value& document) {
  Section section{"Target",
                  "Which one it was: what the guards of the plan wanted and found before changes.",
                  {"guard", "wanted", "found", "at", "when", ""},
                  {},
                  {}};
  for (const Value& look : items(document.at("target"))) {
    const std::string how = look.text("how");
    section.rows.push_back({look.text("guard"), look.text("wanted"), look.text("found"),
                            look.text("at"), scalar_text(look.at("time")),
                            how == "refused" ? "ANOTHER ONE: refused" : how});
  }
  const bool none = section.rows.empty();
  if (none) section.note = "The plan has no guards: which target it was stands in no proof here.";
  if (none && !document.has("target")) section.note.clear();  // of a program before there were any
  return section;
}

Section changes(const Value& document) {
  Section section{"Changes",
                  "What each step may change, and what it answered. Secrets are masked.",
                  {"step", "changes", "outputs"},
                  {},
                  {}};
  for (const Value& step : items(document.at("steps"))) {
    const Value& outputs = step.at("outputs");
    const bool some = outputs.is(Value::Type::map) && !outputs.map().empty();
    if (!some && items(step.at("changes")).empty()) continue;
    section.rows.push_back(
        {step.text("name"), joined(step.at("changes")), some ? to_json(outputs) : ""});
  }
  return section;
}

std::string gate_line(const std::string& step, const Value& gate) {
  const std::string by = joined(gate.at("by"));
  return fmt::format("{} asked for the approval of {} of {}{}", step, scalar_text(gate.at("count")),
                     by.empty() ? "the operators" : by,
                     gate.text("reason").empty() ? "" : ": " + gate.text("reason"));
}

Section people(const Value& document) {
  Section section{
      "People",
      "What was asked of the run, in order. The signed words, keys and signatures are in "
      "evidence.json; `lifeboat evidence verify` verifies them.",
      {"taken", "who", "what", "step", "reason", "signed", "verdict"},
      {},
      {}};
  for (const Value& request : items(document.at("people").at("requests"))) {
    section.rows.push_back(
        {request.text("taken"), request.text("by"), request.text("action"), request.text("step"),
         request.text("reason"), request.boolean("signed", false) ? request.text("key") : "no",
         request.boolean("accepted", false) ? "taken" : "refused: " + request.text("why")});
  }
  for (const Value& step : items(document.at("steps"))) {
    if (step.has("gate")) section.lines.push_back(gate_line(step.text("name"), step.at("gate")));
  }
  if (section.rows.empty()) section.note = section.lines.empty() ? "Nobody was asked." : "";
  return section;
}

Section deviations(const Value& document) {
  Section section{"Deviations", "", {"kind", "step", ""}, {}, {}};
  for (const Value& item : items(document.at("deviations"))) {
    section.rows.push_back({item.text("kind"), item.text("step"), item.text("text")});
  }
  if (!section.rows.empty()) return section;
  section.note = is_recovered(document) ? "None: the run went as planned."
                                        : "None by itself, but the run did not recover.";
  return section;
}

Section findings(const Value& document) {
  Section section{"Findings",
                  "Each stays open until somebody closes it with a reason: `lifeboat runs review`.",
                  {"id", ""},
                  {},
                  {}};
  for (const Value& item : items(document.at("findings"))) {
    section.rows.push_back({item.text("id"), item.text("text")});
  }
  if (section.rows.empty()) section.note = "None.";
  return section;
}

Section drivers(const Value& document) {
  Section section{"Drivers, in turn", "", {"host", "process", "since", "over"}, {}, {}};
  for (const Value& item : items(document.at("drivers"))) {
    section.rows.push_back(
        {item.text("host"), scalar_text(item.at("pid")), item.text("begun"), item.text("over")});
  }
  return section;
}

Section journal(const Value& document) {
  const Value& its = document.at("journal");
  Section section{"Journal", "What all of this was made from.", {}, {}, {}};
  section.rows = {
      {"Events", scalar_text(its.at("events"))},
      {"Segments", scalar_text(its.at("segments"))},
      {"SHA-256 of the last one", its.text("head")},
      {"Freshness",
       document.at("report").boolean("freshness_proven", false) ? "proven" : "unproven"}};
  return section;
}

}  // namespace

std::string headline(const Value& document) { return document.at("report").text("verdict"); }

bool is_recovered(const Value& document) {
  return document.at("report").boolean("recovered", false);
}

std::vector<Section> sections_of(const Value& document) {
  const Value& report = document.at("report");
  std::vector<Section> sections{facts(document),    timeline(document),   checks(document),
                                members(document),  target(document),     changes(document),
                                people(document),   deviations(document), findings(document),
                                attempts(document), drivers(document),    journal(document)};
  sections.insert(sections.end() - 3, Section{"Remarks", "", {}, {}, texts(report.at("remarks"))});
  std::erase_if(sections, [](const Section& section) {
    return section.rows.empty() && section.lines.empty() && section.note.empty();
  });
  return sections;
}

}  // namespace lifeboat::evidence
