#include "client/postgres/passwords.h"

#include <libpq-fe.h>

#include <array>

namespace lifeboat::postgres {

// libpq hashes (normalisation of the password, salt, iterations) for a connection; with the
// algorithm named it asks no server, so one that never was opened will do.
Result<std::string> password_verifier(const std::string& user, const Secret& password) {
  const std::array<const char*, 1> none{nullptr};
  PGconn* nobody = PQconnectStartParams(none.data(), none.data(), 0);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> closed(nobody, &PQfinish);
  const std::string text(password.reveal());
  char* verifier = PQencryptPasswordConn(nobody, text.c_str(), user.c_str(), "scram-sha-256");
  if (verifier == nullptr) {
    return fail(Error::Kind::invalid, "the password of role " + printable(user) +
                                          " cannot be hashed by this client library");
  }
  const std::unique_ptr<char, decltype(&PQfreemem)> freed(verifier, &PQfreemem);
  return std::string(verifier);
}

Result<Login> try_login(const Operation& op, const Address& address) {
  const auto session = Connection::open(op, address);
  if (session) return Login::accepted;
  const Error& error = session.error();
  if (error.kind == Error::Kind::unavailable || error.kind == Error::Kind::cancelled) {
    return fail(error);
  }
  // 28xxx is decided before the right to the database is looked at.
  const bool past_password =
      error.what.find("permission denied for database") != std::string::npos ||
      error.kind == Error::Kind::not_found;
  return past_password ? Login::accepted : Login::refused;
}

}  // namespace lifeboat::postgres
