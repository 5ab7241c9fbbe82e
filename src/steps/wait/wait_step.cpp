#include "steps/wait/wait_step.h"

#include "base/bytes.h"
#include "client/http/http.h"
#include "client/postgres/connection.h"
#include "client/tcp/connect.h"
#include "steps/bundle_path.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;

constexpr std::string_view interval_fallback = "1s";
constexpr std::string_view within_fallback = "10m";
constexpr auto http_patience = std::chrono::seconds(10);

std::chrono::nanoseconds duration_of(const Value& config, std::string_view field,
                                     std::string_view fallback) {
  const auto parsed = parse_duration(config.text(field, fallback));
  return parsed.value_or(std::chrono::seconds(1));
}

class WaitStep final : public plan::Step {
 public:
  WaitStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context), http_(make_http_client(context.clock())) {}

  // What it waits for need not be there yet: only words and local files are looked at.
  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    const Value& tcp = config_.at("tcp");
    if (tcp.is(Value::Type::string)) {
      TRY(const TcpAddress address, parse_tcp_address(tcp.string()));
    }
    const Value& http = config_.at("http");
    if (http.is(Value::Type::string)) {
      TRY(const UrlParts parts, parse_url(http.string()));
    }
    const Value& database = config_.at("sql").at("url");
    if (database.is(Value::Type::string)) {
      TRY(const postgres::Address address, postgres::parse_url(database.string()));
    }
    return check_readable(context_, config_.at("ca_file"));
  }

  Result<Observation> observe(const Operation& op) override {
    TRY(const std::optional<Error> problem, ask(op));
    // What a query does not find yet is `invalid` too: a table that a step is about to restore.
    const bool for_good = problem && problem->kind == Error::Kind::invalid && !config_.has("sql");
    if (for_good) return fail(*problem);
    Observation seen;
    seen.state = problem ? State::absent : State::ours_done;
    seen.summary = problem ? problem->what : what() + " answers";
    seen.would = "wait for " + what() + ", at most " +
                 human_duration(duration_of(config_, "within", within_fallback));
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    const auto within = duration_of(config_, "within", within_fallback);
    const auto interval = duration_of(config_, "interval", interval_fallback);
    const auto until = op.clock->boot() + within;
    std::string last;
    for (;;) {
      TRY(const std::optional<Error> problem, ask(op));
      if (!problem) return {};
      if (problem->kind == Error::Kind::invalid) return fail(*problem);
      if (problem->what != last) context_.log(problem->what);
      last = problem->what;
      if (op.clock->boot() + interval > until) {
        return fail(Error::Kind::unavailable,
                    what() + " gave no good answer within " + human_duration(within) +
                        "; the last: " + last,
                    "look at what should answer there; raise `within` if it is only slow",
                    Error::Code::timeout);
      }
      TRY_DO(op.pause(interval));
    }
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY(const std::optional<Error> problem, ask(op));
    plan::Verification proof;
    proof.checks.push_back({what(), "answers", problem ? problem->what : "answers", !problem});
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override { return op.proceed(); }

 private:
  // The one thing that is waited for, without secrets.
  std::string what() const {
    if (config_.has("tcp")) return "tcp " + printable(config_.text("tcp"));
    if (config_.has("http")) return shown_url(config_.text("http"));
    const auto address = postgres::parse_url(config_.at("sql").text("url"));
    return address ? address->shown() : "the database";
  }

  // nullopt: a good answer; else why not yet.  Errors: cancelled.
  Result<std::optional<Error>> ask(const Operation& op) {
    Result<void> answer = config_.has("tcp")    ? ask_tcp(op)
                          : config_.has("http") ? ask_http(op)
                                                : ask_sql(op);
    if (answer) return std::optional<Error>();
    // Ended by the operation itself, not by the time that one question may take.
    TRY_DO(op.proceed());
    return std::optional<Error>(std::move(answer).error());
  }

  Result<void> ask_tcp(const Operation& op) const {
    TRY(const TcpAddress address, parse_tcp_address(config_.text("tcp")));
    TRY(const Descriptor connection, connect_tcp(op, address));
    return {};
  }

  Result<void> ask_http(const Operation& op) {
    HttpRequest request;
    request.url = config_.text("http");
    request.timeout = http_patience;
    request.ca_file = below_bundle(context_, config_.text("ca_file"));
    TRY(const HttpResponse response, http_->send(op, request));
    const std::int64_t wanted = config_.integer("status", 0);
    if (wanted == 0 ? response.ok() : response.status == wanted) return {};
    return fail(Error::Kind::unavailable,
                shown_url(request.url) + " answered " + std::to_string(response.status));
  }

  Result<void> ask_sql(const Operation& op) const {
    const Value& sql = config_.at("sql");
    TRY(const postgres::Address address,
        postgres::parse_url(sql.text("url"), Secret(sql.text("password"))));
    TRY(const auto session, postgres::Connection::open(op, address));
    TRY(const postgres::Rows rows, session->query(op, sql.text("query", "select true")));
    const std::string first = rows.empty() || rows.columns.empty() ? "" : rows.text(0, 0);
    const bool good = !rows.empty() && !rows.columns.empty() && !rows.null(0, 0) && first != "f";
    if (good) return {};
    return fail(Error::Kind::unavailable, address.shown() + " answers, but not yet as wanted");
  }

  const Value config_;
  plan::StepContext& context_;
  std::unique_ptr<HttpClient> http_;
};

Record fields_of_sql() {
  Record sql;
  sql.name = "wait.sql";
  sql.help = "A PostgreSQL database and a query";
  sql.fields = {
      {.name = "url",
       .shape = shape::string(),
       .help = "postgresql://user@host:port/database",
       .required = true},
      {.name = "password", .shape = shape::secret(), .help = "Of the user"},
      {.name = "query",
       .shape = shape::string(),
       .help = "Good when its first value is there and not false",
       .fallback = Value("select true")},
  };
  sql.short_form = "url";
  return sql;
}

Record fields_of_wait() {
  Record record;
  record.name = "wait";
  record.help = "Waits until something answers";
  record.fields = {
      {.name = "tcp", .shape = shape::string(), .help = "HOST:PORT on which somebody listens"},
      {.name = "http", .shape = shape::string(), .help = "URL that answers"},
      {.name = "status",
       .shape = shape::integer(),
       .help = "The status that counts; without it any from 200 to 299"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "Certificates to trust instead of the system's"},
      {.name = "sql",
       .shape = shape::record(fields_of_sql()),
       .help = "A database that answers a query"},
      {.name = "interval",
       .shape = shape::duration(),
       .help = "Between two questions",
       .fallback = Value(interval_fallback)},
      {.name = "within",
       .shape = shape::duration(),
       .help = "How long at most",
       .fallback = Value(within_fallback)},
  };
  return record;
}

}  // namespace

plan::StepType wait_step() {
  plan::StepType type;
  type.name = "wait";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(30), std::chrono::minutes(5)};
  type.help = "Waits until a port, a page or a database answers; changes nothing";
  type.fields = fields_of_wait();
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.by_hand = by_hand::wait;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    int named = 0;
    for (const char* field : {"tcp", "http", "sql"}) named += config.has(field) ? 1 : 0;
    if (named != 1) {
      return fail(Error::Kind::invalid, "wait: exactly one of `tcp`, `http` and `sql` is wanted",
                  "write one step for each thing to wait for", Error::Code::usage);
    }
    return std::unique_ptr<plan::Step>(std::make_unique<WaitStep>(config, context));
  };
  return type;
}

}  // namespace lifeboat::steps
