// client/postgres/connection.h - One session with a PostgreSQL server, as a thin typed face of
// libpq.
//
// Life: parse_url() makes an Address, Connection::open() a session; query(), execute() and the COPY
// calls follow one another; the destructor ends the session (and with it an open transaction).
// Nothing blocks beyond the Operation: when it is stopped or its deadline passes, the server is
// asked to cancel the statement, and the answer is the operation's own error.
//
// Errors of every call, by SQLSTATE: denied (28xxx, 42501), unavailable (08xxx, 57Pxx, 53xxx, with
// code no_space for a full disk; 40001, 40P01, 55P03), conflict (23505, 42710, 42P04, ...),
// not_found (3D000), corrupt (XX001, XX002), cancelled (57014), invalid (the rest).  No text of an
// error holds a password; DETAIL lines are left out, because they quote rows.
//
// Threads: one at a time per connection; different connections are independent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat::postgres {

struct Address {
  std::string host = {};
  int port = 5432;
  std::string user = {};
  std::string database = {};  // "" in the URL: the user's name, as libpq has it
  Secret password = {};
  std::map<std::string, std::string> options = {};  // sslmode, sslrootcert, ...

  std::string endpoint() const;  // "host:port"
  // "postgresql://host:port/database": for people, guards and effects(); no user, no password.
  std::string shown() const;
  // key='value' pairs for a program's --dbname, without the password.
  std::string conninfo() const;
  // Content of a PGPASSFILE that gives the password to every connection.
  Secret passfile() const;
};

// Reads "postgresql://user@host:port/database?sslmode=...". A password in the URL is taken where
// `password` is empty.  Errors: invalid (without the text of the URL).
Result<Address> parse_url(const std::string& url, const Secret& password = {});

// One answer. Values are the server's text forms.
struct Rows {
  std::vector<std::string> columns;
  std::vector<std::uint32_t> types;  // type oids of the columns
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::uint64_t affected = 0;  // by INSERT, UPDATE, DELETE, COPY

  std::size_t size() const { return rows.size(); }
  bool empty() const { return rows.empty(); }
  bool null(std::size_t row, std::size_t column) const { return !rows[row][column]; }
  // NULL reads as "", 0, false.
  std::string text(std::size_t row, std::size_t column) const;
  std::int64_t integer(std::size_t row, std::size_t column) const;
  bool boolean(std::size_t row, std::size_t column) const;
};

using Parameters = std::vector<std::optional<std::string>>;

class Connection {
 public:
  // Errors also: unavailable "PostgreSQL at host:port does not answer: ..."
  class Session;  // libpq's; made by open() only
  explicit Connection(std::unique_ptr<Session> session);
  static Result<std::unique_ptr<Connection>> open(const Operation& op, const Address& address);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement; $1, $2 ... stand for the parameters.
  Result<Rows> query(const Operation& op, const std::string& statement,
                     const Parameters& parameters = {});
  // One or more statements in one implicit transaction; the answer is that of the last one. An
  // error names the statement it is about.
  Result<Rows> execute(const Operation& op, const std::string& script);

  // COPY ... TO STDOUT: each row (one line with its newline) in order. Answers the row count.
  Result<std::uint64_t> copy_out(const Operation& op, const std::string& statement,
                                 const std::function<Result<void>(ByteView)>& take);
  // COPY ... FROM STDIN: `give` fills at most the span and answers how much; 0 = end. When it fails
  // nothing is copied, and its error is the answer.
  Result<std::uint64_t> copy_in(
      const Operation& op, const std::string& statement,
      const std::function<Result<std::size_t>(std::span<std::uint8_t>)>& give);

  std::string identifier(std::string_view name) const;  // quoted
  std::string literal(std::string_view text) const;     // quoted
  int server_version() const;                           // 150009
  // SQLSTATE of the last error, "" when there was none.
  const std::string& last_state() const;
  const Address& address() const;

 private:
  std::unique_ptr<Session> session_;
};

// The statements of a script, without comments between them and without their semicolons: strings,
// dollar quotes, quoted names, nested comments and BEGIN ATOMIC bodies are understood.
std::vector<std::string> split_statements(std::string_view script);

// The first line of a statement, printable and at most 120 characters: for errors.
std::string shown_statement(std::string_view statement);

}  // namespace lifeboat::postgres
