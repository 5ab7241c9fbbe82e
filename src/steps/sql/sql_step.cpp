#include "steps/sql/sql_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "client/postgres/connection.h"
#include "schema/json.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;
using postgres::Connection;
using postgres::Rows;
using ConnectionPointer = std::unique_ptr<Connection>;

constexpr char fence_table[] = R"(
SELECT pg_catalog.pg_advisory_xact_lock(7810765092302119284);
CREATE SCHEMA IF NOT EXISTS lifeboat;
CREATE TABLE IF NOT EXISTS lifeboat.steps (
  run text NOT NULL, step text NOT NULL, generation bigint NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run, step)))";
constexpr std::size_t longest_answer = 200;  // of a value in a check

// Words that would end the transaction which makes `run` happen once.
bool ends_transaction(const std::string& statement) {
  std::string word;
  for (const char c : statement) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  static const std::vector<std::string> words = {"BEGIN",    "START", "COMMIT", "END",
                                                 "ROLLBACK", "ABORT", "PREPARE"};
  if (word == "PREPARE") return statement.find("TRANSACTION") != std::string::npos;
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A value of the platform file as the server would print it.
std::string text_of(const Value& value) {
  if (value.is(Value::Type::string)) return value.string();
  if (value.is(Value::Type::boolean)) return value.boolean() ? "t" : "f";
  return to_json(value);
}

// Booleans of the server are t and f; a person may write true.
bool same(const Value& expected, const std::optional<std::string>& actual) {
  if (expected.is_null() || !actual) return expected.is_null() && !actual;
  const std::string text = text_of(expected);
  if (text == *actual) return true;
  if (expected.is(Value::Type::integer) || expected.is(Value::Type::number)) {
    char* end = nullptr;
    const double number = std::strtod(actual->c_str(), &end);
    return !actual->empty() && *end == '\0' && number == expected.number();
  }
  return false;
}

Result<Value> typed(const std::string& name, const std::string& type,
                    const std::optional<std::string>& text) {
  if (!text) return Value();
  char* end = nullptr;
  const auto wrong = [&]() {
    return fail(Error::Kind::invalid, "output " + printable(name) + " is no " + type + ": " +
                                          printable(text->substr(0, 60)));
  };
  if (type == "integer") {
    const long long number = std::strtoll(text->c_str(), &end, 10);
    if (text->empty() || *end != '\0') return wrong();
    return Value(static_cast<std::int64_t>(number));
  }
  if (type == "number") {
    const double number = std::strtod(text->c_str(), &end);
    if (text->empty() || *end != '\0') return wrong();
    return Value(number);
  }
  if (type == "boolean") {
    if (*text != "t" && *text != "f") return wrong();
    return Value(*text == "t");
  }
  if (type == "any" || type == "list" || type == "map") return parse_json(*text);
  return Value(*text);
}

class SqlStep final : public plan::Step {
 public:
  SqlStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context) {
    for (const Value& one : list("run")) {
      for (std::string& statement : postgres::split_statements(one.string())) {
        statements_.push_back(std::move(statement));
      }
    }
  }

  Result<void> preflight(const Operation& op) override {
    if (!config_.at("url").is(Value::Type::string)) return {};  // another step will tell
    const auto connection = open(op);
    if (connection) return {};
    // A database that an earlier step restores is not there yet.
    if (connection.error().kind == Error::Kind::not_found) return {};
    return fail(connection.error());
  }

  Result<Observation> observe(const Operation& op) override {
    Observation seen;
    seen.would = statements_.empty()
                     ? "look only"
                     : fmt::format("run {} statements in one transaction, the first: {}",
                                   statements_.size(), postgres::shown_statement(statements_[0]));
    if (statements_.empty()) {
      seen.state = State::ours_done;
      seen.summary = "changes nothing; its answers are looked at by verify";
      TRY(seen.outputs, read_outputs(op));
      return seen;
    }
    TRY(const ConnectionPointer connection, open(op));
    TRY(const std::uint64_t generation, marked_generation(op, *connection));
    TRY(const std::optional<bool> effect, in_effect(op, *connection));
    seen.generation = generation;
    const bool applied = generation > 0;
    if (effect.value_or(applied)) seen.state = State::ours_done;
    if (applied && effect && !*effect) seen.state = State::drifted;
    seen.summary = applied ? "applied by this run" : "not applied by this run";
    if (effect) seen.summary += *effect ? ", in effect" : ", not in effect";
    if (seen.state == State::ours_done) {
      TRY(seen.outputs, read_outputs(op));
    } else {
      for (const std::string& statement : statements_) {
        seen.changes.push_back({postgres::shown_statement(statement), "", "run"});
      }
    }
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    if (statements_.empty()) return {};
    TRY(const ConnectionPointer connection, open(op));
    TRY(const std::optional<bool> effect, in_effect(op, *connection));
    if (effect.value_or(false)) return {};
    TRY(const Rows begun, connection->execute(op, "BEGIN"));
    TRY_DO(prepare_fence(op, *connection));
    TRY(const Rows marked,
        connection->query(
            op,
            "INSERT INTO lifeboat.steps (run, step, generation) VALUES ($1, $2, $3) "
            "ON CONFLICT DO NOTHING",
            {context_.run(), context_.step(), std::to_string(context_.generation())}));
    if (marked.affected == 0) return {};  // it has happened; the open transaction goes with us
    std::uint64_t done = 0;
    for (const std::string& statement : statements_) {
      TRY(const Rows rows, connection->execute(op, statement));
      context_.progress(++done, statements_.size(), "statements");
    }
    TRY(const Rows committed, connection->execute(op, "COMMIT"));
    context_.log(fmt::format("ran {} statements", statements_.size()));
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    plan::Verification proof;
    TRY(const ConnectionPointer connection, open(op));
    if (!statements_.empty()) TRY_DO(add_effect_check(op, *connection, proof));
    TRY_DO(begin_reading(op, *connection));
    for (const Value& one : list("expect")) TRY_DO(add_expected(op, *connection, one, proof));
    TRY(proof.outputs, read_outputs(op));
    return proof;
  }

  Result<void> undo(const Operation&, const Value&) override {
    if (statements_.empty()) return {};
    return fail(Error::Kind::invalid, "statements are irreversible",
                "write a step that runs the opposite");
  }

 private:
  const Value::List& list(std::string_view field) const {
    static const Value::List none;
    const Value& value = config_.at(field);
    return value.is(Value::Type::list) ? value.list() : none;
  }

  Result<ConnectionPointer> open(const Operation& op) const {
    TRY(const postgres::Address address,
        postgres::parse_url(config_.text("url"), Secret(config_.text("password"))));
    return Connection::open(op, address);
  }

  static Result<void> begin_reading(const Operation& op, Connection& connection) {
    TRY(const Rows begun,
        connection.execute(op, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return {};
  }

  // Generation of the marker row of this run and step; 0 = there is none.
  Result<std::uint64_t> marked_generation(const Operation& op, Connection& connection) const {
    TRY(const Rows table,
        connection.query(op, "SELECT pg_catalog.to_regclass('lifeboat.steps') IS NOT NULL"));
    if (!table.boolean(0, 0)) return 0;
    TRY(const Rows rows,
        connection.query(op, "SELECT generation FROM lifeboat.steps WHERE run = $1 AND step = $2",
                         {context_.run(), context_.step()}));
    return rows.empty() ? 0 : static_cast<std::uint64_t>(rows.integer(0, 0));
  }

  // What the configured `observe` answers; nullopt when there is none.
  Result<std::optional<bool>> in_effect(const Operation& op, Connection& connection) const {
    const std::string query = config_.text("observe");
    if (query.empty()) return std::optional<bool>();
    TRY_DO(begin_reading(op, connection));
    auto rows = connection.query(op, query);
    TRY(const Rows ended, connection.execute(op, "ROLLBACK"));
    // What it asks about may not be there yet: tables, columns, schemas.
    const std::string state = rows ? "" : connection.last_state();
    if (state == "42P01" || state == "42703" || state == "3F000") return std::optional<bool>(false);
    if (!rows) return fail(std::move(rows).error());
    return std::optional<bool>(!rows->empty() && rows->boolean(0, 0));
  }

  Result<void> prepare_fence(const Operation& op, Connection& connection) const {
    auto made = connection.execute(op, fence_table);
    if (made) return {};
    Error error = std::move(made).error();
    if (error.kind == Error::Kind::denied) {
      error.what = "the marker of this step cannot be written: " + error.what;
      error.hint = "grant CREATE on the database, or make schema lifeboat for this user";
    }
    return fail(std::move(error));
  }

  Result<void> add_effect_check(const Operation& op, Connection& connection,
                                plan::Verification& proof) const {
    TRY(const std::optional<bool> effect, in_effect(op, connection));
    if (effect) {
      proof.checks.push_back({"observe: " + postgres::shown_statement(config_.text("observe")),
                              "true", *effect ? "true" : "false", *effect});
      return {};
    }
    TRY(const std::uint64_t generation, marked_generation(op, connection));
    proof.checks.push_back({"statements: marker of run " + context_.run(), "present",
                            generation > 0 ? "present" : "absent", generation > 0});
    return {};
  }

  static Result<void> add_expected(const Operation& op, Connection& connection, const Value& one,
                                   plan::Verification& proof) {
    const std::string query = one.text("query");
    TRY(const Rows rows, connection.query(op, query));
    const std::string name = one.text("name", postgres::shown_statement(query));
    const auto first = rows.empty() || rows.columns.empty() ? std::nullopt : rows.rows[0][0];
    const std::string shown = printable(first.value_or("nothing").substr(0, longest_answer));
    const auto add = [&](std::string expected, std::string actual, bool ok) {
      proof.checks.push_back({name, std::move(expected), std::move(actual), ok});
    };
    bool compared = false;
    if (one.has("equals")) {
      const Value& wanted = one.at("equals");
      add(wanted.tainted() ? "(a secret)" : printable(text_of(wanted)),
          wanted.tainted() ? "(not shown)" : shown, same(wanted, first));
      compared = true;
    }
    if (one.has("at_least")) {
      char* end = nullptr;
      const double number = first ? std::strtod(first->c_str(), &end) : 0;
      const bool is_number = first && !first->empty() && *end == '\0';
      add("at least " + text_of(one.at("at_least")), shown,
          is_number && number >= one.at("at_least").number());
      compared = true;
    }
    if (one.has("rows")) {
      add(text_of(one.at("rows")) + " rows", std::to_string(rows.size()) + " rows",
          one.integer("rows", -1) == static_cast<std::int64_t>(rows.size()));
      compared = true;
    }
    if (!compared) add("true", shown, first == "t");
    return {};
  }

  Result<Value> read_outputs(const Operation& op) const {
    Value outputs{Value::Map{}};
    const Value& queries = config_.at("read");
    if (!queries.is(Value::Type::map)) return outputs;
    TRY(const ConnectionPointer connection, open(op));
    TRY_DO(begin_reading(op, *connection));
    for (const auto& [name, query] : queries.map()) {
      TRY(const Rows rows, connection->query(op, query.string()));
      const auto first = rows.empty() || rows.columns.empty() ? std::nullopt : rows.rows[0][0];
      TRY(Value value, typed(name, config_.at("outputs").text(name, "string"), first));
      outputs.set(name, std::move(value));
    }
    return outputs;
  }

  const Value config_;
  plan::StepContext& context_;
  std::vector<std::string> statements_;
};

Record expect_fields() {
  Record expect;
  expect.name = "sql.expect";
  expect.help = "A query and what its first value must be; with nothing else, true.";
  expect.fields = {
      {.name = "name", .shape = shape::string(), .help = "how the check is called; default: query"},
      {.name = "query", .shape = shape::string(), .help = "one statement", .required = true},
      {.name = "equals", .shape = shape::any(), .help = "the first value is this"},
      {.name = "at_least", .shape = shape::number(), .help = "the first value is at least this"},
      {.name = "rows", .shape = shape::integer(), .help = "so many rows are answered"}};
  expect.short_form = "query";
  return expect;
}

Record sql_fields() {
  return {
      .name = "sql",
      .help = "Statements that run once in a PostgreSQL database, and queries that prove it.",
      .fields = {
          {.name = "url",
           .shape = shape::string(),
           .help = "postgresql://user@host:port/database",
           .required = true},
          {.name = "password", .shape = shape::secret(), .help = "password of the user in `url`"},
          {.name = "run",
           .shape = shape::string_or_list(),
           .help = "statements, all in one transaction, at most once a run"},
          {.name = "observe",
           .shape = shape::string(),
           .help = "a query that answers true when the effect is there"},
          {.name = "expect",
           .shape = shape::list(shape::record(expect_fields())),
           .help = "queries and what they must answer; each is one check"},
          {.name = "read",
           .shape = shape::map(shape::string()),
           .help = "output -> query whose first value it takes"},
          {.name = "outputs",
           .shape = shape::map(
               shape::choice({"string", "integer", "number", "boolean", "list", "map", "any"})),
           .help = "output -> its type"}}};
}

// Errors: invalid when a statement would end the transaction.
Result<void> check_statements(const Value& run) {
  if (!run.is(Value::Type::list)) return {};
  for (const Value& one : run.list()) {
    for (const std::string& statement : postgres::split_statements(one.string())) {
      if (!ends_transaction(statement)) continue;
      return fail(Error::Kind::invalid,
                  "sql: `run` is one transaction and may not end it: " +
                      postgres::shown_statement(statement),
                  "leave BEGIN, COMMIT and ROLLBACK out", Error::Code::usage);
    }
  }
  return {};
}

Result<std::unique_ptr<plan::Step>> make(const Value& config, plan::StepContext& context) {
  TRY_DO(check_statements(config.at("run")));
  const auto empty = [&](const char* field) {
    return !config.at(field).is(Value::Type::list) || config.at(field).list().empty();
  };
  if (empty("run") && empty("expect")) {
    return fail(Error::Kind::invalid, "sql: nothing to run and nothing to expect",
                "write `run`, `expect`, or both", Error::Code::usage);
  }
  return std::make_unique<SqlStep>(config, context);
}

}  // namespace

plan::StepType sql_step() {
  plan::StepType type;
  type.name = "sql";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(5), std::chrono::minutes(5)};
  type.fields = sql_fields();
  type.help = type.fields.help;
  type.outputs_field = "outputs";
  type.fence = plan::Fence::native;
  type.effects = [](const Value& config) -> std::vector<std::string> {
    if (config.at("run").is_null()) return {};
    const auto address = postgres::parse_url(config.text("url"));
    return {address ? address->shown() : "(not known yet)"};
  };
  type.by_hand = by_hand::sql;
  type.make = make;
  return type;
}

}  // namespace lifeboat::steps
