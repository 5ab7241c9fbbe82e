#include "client/http/proxy.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

namespace lifeboat {
namespace {

using Kind = Error::Kind;

// Host and port of what such a variable holds, which may have no scheme, and a login.
std::string shown_proxy(const std::string& variable) {
  const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
  std::string url(value == nullptr ? "" : value);
  if (url.find("://") == std::string::npos) url.insert(0, "http://");
  const auto parts = parse_url(url);
  return parts ? endpoint_of(*parts) : "proxy";
}

}  // namespace

std::string proxy_variable(const UrlParts& parts) {
  if (passed_by_proxies(parts.host)) return {};
  std::vector<std::string> names = {parts.scheme + "_proxy"};
  if (parts.scheme == "https") names.emplace_back("HTTPS_PROXY");
  names.insert(names.end(), {"all_proxy", "ALL_PROXY"});
  for (const std::string& name : names) {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') return name;
  }
  return {};
}

Error refused_by_proxy(const UrlParts& parts, int status) {
  const std::string place = endpoint_of(parts), variable = proxy_variable(parts);
  const std::string proxy = fmt::format("the proxy {} ({})", shown_proxy(variable), variable);
  if (status == 407) {
    return {Kind::denied,
            fmt::format("{}: {} asks for a login, or refuses the one that it is given (407)", place,
                        proxy),
            fmt::format("give it as {}=http://USER:PASSWORD@HOST:PORT, or name {} in no_proxy",
                        variable, parts.host)};
  }
  const bool later = status >= 500 || status == 429 || status == 408;
  return {later ? Kind::unavailable : Kind::denied,
          fmt::format("{}: {} does not let us through (status {})", place, proxy, status),
          fmt::format("have it let {} through, or name that in no_proxy", parts.host)};
}

}  // namespace lifeboat
