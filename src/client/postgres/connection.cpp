#include "client/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <regex>

namespace lifeboat::postgres {
namespace {

constexpr int look_ms = 50;  // how often a wait looks at the operation
constexpr auto connect_patience = std::chrono::seconds(20);
constexpr auto cancel_patience = std::chrono::seconds(10);
constexpr std::size_t copy_part_bytes = 64 << 10;

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, FreeResult>;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Error make_error(Error::Kind kind, std::string what, std::string hint = {},
                 Error::Code code = Error::Code::automatic) {
  return {kind, std::move(what), std::move(hint), code};
}

// What the caller can do about it, by SQLSTATE (PostgreSQL 15, appendix A).
Error classified(const std::string& state, std::string what) {
  using Kind = Error::Kind;
  const std::string kind = state.substr(0, 2);
  if (kind == "28") {
    return make_error(Kind::denied, std::move(what),
                      "check user and password, and pg_hba.conf of the server");
  }
  if (state == "42501") {
    return make_error(Kind::denied, std::move(what),
                      "grant what is missing, or connect as a superuser");
  }
  if (state == "53100") {
    return make_error(Kind::unavailable, std::move(what), "the disk of the server is full",
                      Error::Code::no_space);
  }
  if (state == "57014") return make_error(Kind::cancelled, std::move(what));
  if (kind == "08" || kind == "53" || kind == "57" || kind == "58" || state == "40001" ||
      state == "40P01" || state == "55P03" || state == "55006") {
    return make_error(Kind::unavailable, std::move(what));
  }
  if (state == "3D000") return make_error(Kind::not_found, std::move(what));
  if (state == "XX001" || state == "XX002") return make_error(Kind::corrupt, std::move(what));
  if (state == "23505" || state == "42710" || state == "42P04" || state == "42P06" ||
      state == "42P07" || state == "42723") {
    return make_error(Kind::conflict, std::move(what));
  }
  return make_error(Kind::invalid, std::move(what));
}

// With verbosity VERBOSE a refusal at connection reads "FATAL:  28P01: password ... LOCATION: ...".
Error connection_error(const Address& address, const std::string& message) {
  static const std::regex refusal("([A-Z]+):\\s+([0-9A-Z]{5}): ([^\\n]*)");
  std::smatch found;
  const std::string where = "PostgreSQL at " + address.endpoint();
  if (std::regex_search(message, found, refusal)) {
    return classified(found[2], where + " refuses: " + found[3].str());
  }
  if (message.find("fe_sendauth: no password supplied") != std::string::npos) {
    return make_error(Error::Kind::denied, where + " asks for a password, and none is configured",
                      "set the field `password`");
  }
  return make_error(Error::Kind::unavailable, where + " does not answer: " + trimmed(message),
                    "check that the server runs and that the address is right");
}

Rows rows_of(const PGresult* result) {
  Rows out;
  const int columns = PQnfields(result);
  for (int column = 0; column < columns; ++column) {
    out.columns.emplace_back(PQfname(result, column));
    out.types.push_back(PQftype(result, column));
  }
  const int count = PQntuples(result);
  out.rows.reserve(static_cast<std::size_t>(count));
  for (int row = 0; row < count; ++row) {
    auto& values = out.rows.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        values.emplace_back(std::nullopt);
        continue;
      }
      const auto length = static_cast<std::size_t>(PQgetlength(result, row, column));
      values.emplace_back(std::string(PQgetvalue(result, row, column), length));
    }
  }
  out.affected = std::strtoull(PQcmdTuples(const_cast<PGresult*>(result)), nullptr, 10);
  return out;
}

// Notices of the server are not for our standard error.
void drop_notice(void*, const PGresult*) {}

// The statement of a script that an error at this place (1-based, in characters) is about.
std::string statement_at(const std::string& script, std::size_t position) {
  const auto statements = split_statements(script);
  if (statements.size() == 1) return shown_statement(statements.front());
  std::size_t from = 0;
  for (const std::string& statement : statements) {
    const std::size_t begin = script.find(statement.substr(0, 40), from);
    if (begin == std::string::npos) continue;
    from = begin + statement.size();
    if (position <= from) return shown_statement(statement);
  }
  return shown_statement(script);
}

}  // namespace

std::string Rows::text(std::size_t row, std::size_t column) const {
  return rows[row][column].value_or("");
}
std::int64_t Rows::integer(std::size_t row, std::size_t column) const {
  return std::strtoll(text(row, column).c_str(), nullptr, 10);
}
bool Rows::boolean(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }

class Connection::Session {
 public:
  explicit Session(Address where) : address(std::move(where)) {}
  ~Session() {
    if (pg != nullptr) PQfinish(pg);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Result<void> connect(const Operation& op) {
    const std::string port = std::to_string(address.port);
    const std::string password(address.password.reveal());
    std::vector<const char*> keys, values;
    const auto put = [&](const char* key, const char* value) {
      keys.push_back(key);
      values.push_back(value);
    };
    put("host", address.host.c_str());
    put("port", port.c_str());
    put("user", address.user.c_str());
    put("dbname", address.database.c_str());
    if (!password.empty()) put("password", password.c_str());
    put("application_name", "lifeboat");
    for (const auto& [key, value] : address.options) put(key.c_str(), value.c_str());
    put(nullptr, nullptr);
    pg = PQconnectStartParams(keys.data(), values.data(), 0);
    if (pg == nullptr) {
      return fail(Error::Kind::unavailable, "no memory for a connection to PostgreSQL");
    }
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg, drop_notice, nullptr);
    TRY_DO(await_connected(op));
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    PQsetnonblocking(pg, 1);
    return {};
  }

  // Waits for the socket; answers what op says.
  Result<void> wait(const Operation& op, short events) const {
    TRY_DO(op.proceed());
    pollfd polled{PQsocket(pg), events, 0};
    poll(&polled, 1, look_ms);
    return op.proceed();
  }

  Result<void> flush(const Operation& op) const {
    while (true) {
      const int left = PQflush(pg);
      if (left == 0) return {};
      if (left < 0) return fail(lost());
      TRY_DO(wait(op, POLLOUT | POLLIN));
      if (PQconsumeInput(pg) == 0) return fail(lost());
    }
  }

  // The next result; null when there is none any more.
  Result<ResultPointer> next(const Operation& op) const {
    TRY_DO(flush(op));
    while (PQisBusy(pg) != 0) {
      TRY_DO(wait(op, POLLIN));
      if (PQconsumeInput(pg) == 0) return fail(lost());
    }
    return ResultPointer(PQgetResult(pg));
  }

  // After a stop: asks the server to cancel, and reads until the session is usable again.
  void cancel() const {
    PGcancel* token = PQgetCancel(pg);
    if (token == nullptr) return;
    std::array<char, 256> message{};
    PQcancel(token, message.data(), static_cast<int>(message.size()));
    PQfreeCancel(token);
    const SystemClock clock;
    const Operation patient = Operation{&clock}.within(cancel_patience);
    while (true) {
      auto result = next(patient);
      if (!result || *result == nullptr) return;
      const auto status = PQresultStatus(result->get());
      if (status == PGRES_COPY_IN) PQputCopyEnd(pg, "cancelled");
      if (status == PGRES_COPY_OUT) return;  // the destructor drops the session
    }
  }

  Error lost() const {
    return make_error(Error::Kind::unavailable,
                      "PostgreSQL at " + address.endpoint() +
                          " broke the connection: " + trimmed(PQerrorMessage(pg)));
  }

  // The result's own error; `script` gives the statement that it is about.
  Error error_of(const PGresult* result, const std::string& script) {
    const auto field = [&](int which) -> std::string {
      const char* text = PQresultErrorField(result, which);
      return text == nullptr ? "" : text;
    };
    state = field(PG_DIAG_SQLSTATE);
    std::string what = field(PG_DIAG_MESSAGE_PRIMARY);
    if (state.empty()) return lost();
    const std::size_t position = std::strtoull(field(PG_DIAG_STATEMENT_POSITION).c_str(), {}, 10);
    const std::string statement =
        position > 0 ? statement_at(script, position) : shown_statement(script);
    return classified(state, what + " (" + state + ") in: " + statement);
  }

  // Sends by `send`, gathers the last rows, and leaves the session ready for the next call.
  Result<Rows> gather(const Operation& op, bool sent, const std::string& script) {
    if (!sent) return fail(lost());
    Rows rows;
    std::optional<Error> first;
    while (true) {
      auto result = next(op);
      if (!result) {
        if (result.error().kind == Error::Kind::cancelled) cancel();
        return fail(std::move(result).error());
      }
      if (*result == nullptr) break;
      const auto status = PQresultStatus(result->get());
      if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        rows = rows_of(result->get());
      } else if (status == PGRES_COPY_IN) {
        PQputCopyEnd(pg, "COPY is not possible here");
      } else if (status == PGRES_COPY_OUT) {
        return fail(Error::Kind::invalid, "COPY TO STDOUT is not possible here");
      } else if (status != PGRES_EMPTY_QUERY && !first) {
        first = error_of(result->get(), script);
      }
    }
    if (first) return fail(std::move(*first));
    return rows;
  }

  // Starts a COPY and expects the given state.
  Result<void> begin_copy(const Operation& op, const std::string& statement,
                          ExecStatusType expected) {
    if (PQsendQuery(pg, statement.c_str()) == 0) return fail(lost());
    auto result = next(op);
    if (!result) {
      if (result.error().kind == Error::Kind::cancelled) cancel();
      return fail(std::move(result).error());
    }
    if (*result != nullptr && PQresultStatus(result->get()) == expected) return {};
    Error error = *result == nullptr ? lost() : error_of(result->get(), statement);
    TRY(const Rows rest, gather(op, true, statement));
    return fail(std::move(error));
  }

  Result<void> stream_out(const Operation& op,
                          const std::function<Result<void>(ByteView)>& take) const {
    while (true) {
      char* line = nullptr;
      const int length = PQgetCopyData(pg, &line, 1);
      if (length == 0) {
        TRY_DO(wait(op, POLLIN));
        if (PQconsumeInput(pg) == 0) return fail(lost());
        continue;
      }
      if (length == -1) return {};
      if (length < 0) return fail(lost());
      const std::unique_ptr<char, decltype(&PQfreemem)> freed(line, &PQfreemem);
      TRY_DO(take(as_bytes(std::string_view(line, static_cast<std::size_t>(length)))));
    }
  }

  Result<void> stream_in(const Operation& op,
                         const std::function<Result<std::size_t>(std::span<std::uint8_t>)>& give) {
    Bytes part(copy_part_bytes);
    while (true) {
      TRY_DO(op.proceed());
      TRY(const std::size_t count, give(part));
      if (count == 0) return {};
      while (true) {
        const int put = PQputCopyData(pg, as_text(part).data(), static_cast<int>(count));
        if (put < 0) return fail(lost());
        if (put > 0) break;
        TRY_DO(wait(op, POLLOUT));
      }
      TRY_DO(flush(op));
    }
  }

  Address address;
  PGconn* pg = nullptr;
  std::string state;

 private:
  Result<void> await_connected(const Operation& op) {
    const Operation patient = op.within(connect_patience);
    for (auto polled = PGRES_POLLING_WRITING; polled != PGRES_POLLING_OK;) {
      if (polled == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD) {
        return fail(connection_error(address, PQerrorMessage(pg)));
      }
      auto ready = wait(patient, polled == PGRES_POLLING_READING ? POLLIN : POLLOUT);
      if (!ready) {
        TRY_DO(op.proceed());
        return fail(connection_error(address, "timeout"));
      }
      pollfd now{PQsocket(pg),
                 static_cast<short>(polled == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
      if (poll(&now, 1, 0) > 0) polled = PQconnectPoll(pg);
    }
    return {};
  }
};

Connection::Connection(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const Operation& op, const Address& address) {
  TRY_DO(op.proceed());
  auto session = std::make_unique<Session>(address);
  TRY_DO(session->connect(op));
  return std::make_unique<Connection>(std::move(session));
}

Result<Rows> Connection::query(const Operation& op, const std::string& statement,
                               const Parameters& parameters) {
  TRY_DO(op.proceed());
  std::vector<const char*> values;
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  const bool sent =
      PQsendQueryParams(session_->pg, statement.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) != 0;
  return session_->gather(op, sent, statement);
}

Result<Rows> Connection::execute(const Operation& op, const std::string& script) {
  TRY_DO(op.proceed());
  const bool sent = PQsendQuery(session_->pg, script.c_str()) != 0;
  return session_->gather(op, sent, script);
}

Result<std::uint64_t> Connection::copy_out(const Operation& op, const std::string& statement,
                                           const std::function<Result<void>(ByteView)>& take) {
  TRY_DO(op.proceed());
  TRY_DO(session_->begin_copy(op, statement, PGRES_COPY_OUT));
  auto streamed = session_->stream_out(op, take);
  if (!streamed) {
    session_->cancel();
    return fail(std::move(streamed).error());
  }
  TRY(const Rows rows, session_->gather(op, true, statement));
  return rows.affected;
}

Result<std::uint64_t> Connection::copy_in(
    const Operation& op, const std::string& statement,
    const std::function<Result<std::size_t>(std::span<std::uint8_t>)>& give) {
  TRY_DO(op.proceed());
  TRY_DO(session_->begin_copy(op, statement, PGRES_COPY_IN));
  auto streamed = session_->stream_in(op, give);
  const SystemClock clock;
  const Operation patient = Operation{&clock}.within(cancel_patience);
  while (PQputCopyEnd(session_->pg, streamed ? nullptr : "the rest did not come") == 0) {
    TRY_DO(session_->wait(streamed ? op : patient, POLLOUT));
  }
  // Where the server refused a row, its error tells more than that it broke off.
  auto rows = session_->gather(streamed ? op : patient, true, statement);
  if (!streamed) {
    const bool ours =
        streamed.error().kind != Error::Kind::unavailable || rows || session_->state == "57014";
    return fail(ours ? std::move(streamed).error() : std::move(rows).error());
  }
  if (!rows) return fail(std::move(rows).error());
  return rows->affected;
}

std::string Connection::identifier(std::string_view name) const {
  char* quoted = PQescapeIdentifier(session_->pg, name.data(), name.size());
  const std::unique_ptr<char, decltype(&PQfreemem)> freed(quoted, &PQfreemem);
  return quoted == nullptr ? "\"\"" : quoted;  // not in the session's encoding: no such name
}

std::string Connection::literal(std::string_view text) const {
  char* quoted = PQescapeLiteral(session_->pg, text.data(), text.size());
  const std::unique_ptr<char, decltype(&PQfreemem)> freed(quoted, &PQfreemem);
  return quoted == nullptr ? "NULL" : quoted;
}

int Connection::server_version() const { return PQserverVersion(session_->pg); }
const std::string& Connection::last_state() const { return session_->state; }
const Address& Connection::address() const { return session_->address; }

}  // namespace lifeboat::postgres
