#include <libpq-fe.h>

#include <charconv>

#include "client/postgres/connection.h"

namespace lifeboat::postgres {
namespace {

std::string conninfo_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

Result<Address> parse_url(const std::string& url, const Secret& password) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    return fail(Error::Kind::invalid, "not a PostgreSQL URL",
                "write postgresql://user@host:port/database", Error::Code::usage);
  }
  char* problem = nullptr;  // quotes the URL, which may hold a password: never shown
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), &problem);
  PQfreemem(problem);
  if (parsed == nullptr) {
    return fail(Error::Kind::invalid, "a PostgreSQL URL that cannot be read",
                "write postgresql://user@host:port/database", Error::Code::usage);
  }
  Address address;
  address.password = password;
  bool port_good = true, extra_secret = false;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val == nullptr || *option->val == '\0') continue;
    const std::string_view key = option->keyword, value = option->val;
    if (key == "host") {
      address.host = value;
    } else if (key == "port") {
      const auto end = value.data() + value.size();
      const auto read = std::from_chars(value.data(), end, address.port);
      port_good = read.ec == std::errc() && read.ptr == end;
    } else if (key == "user") {
      address.user = value;
    } else if (key == "dbname") {
      address.database = value;
    } else if (key == "password") {
      if (address.password.empty()) address.password = Secret(std::string(value));
    } else if (key == "sslpassword") {
      extra_secret = true;
    } else {
      address.options.emplace(key, value);
    }
  }
  PQconninfoFree(parsed);
  if (!port_good || address.port < 1 || address.port > 65535) {
    return fail(Error::Kind::invalid, "a PostgreSQL URL with a port that is none",
                "several hosts in one URL are not supported", Error::Code::usage);
  }
  if (extra_secret) {  // options reach the arguments of programs
    return fail(Error::Kind::invalid, "a PostgreSQL URL with sslpassword in it",
                "use a client key without a passphrase, in a file only you can read",
                Error::Code::usage);
  }
  if (address.host.empty()) address.host = "localhost";
  if (address.user.empty()) address.user = "postgres";
  if (address.database.empty()) address.database = address.user;
  return address;
}

std::string Address::endpoint() const { return host + ":" + std::to_string(port); }

std::string Address::shown() const { return "postgresql://" + endpoint() + "/" + database; }

std::string Address::conninfo() const {
  std::string text = "host=" + conninfo_quoted(host) + " port=" + std::to_string(port) +
                     " user=" + conninfo_quoted(user) + " dbname=" + conninfo_quoted(database);
  for (const auto& [key, value] : options) text += " " + key + "=" + conninfo_quoted(value);
  return text;
}

Secret Address::passfile() const {
  std::string line = "*:*:*:*:";
  for (const char c : password.reveal()) {
    if (c == ':' || c == '\\') line += '\\';
    line += c;
  }
  return Secret(line + "\n");
}

}  // namespace lifeboat::postgres
