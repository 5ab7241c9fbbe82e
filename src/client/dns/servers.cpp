// Which servers to ask: as they are written, as the machine has them, as they are delegated to.
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "client/dns/dns.h"
#include "client/dns/ldns_library.h"
#include "client/tcp/connect.h"

namespace lifeboat {
namespace {

using Kind = Error::Kind;

constexpr std::size_t servers_max = 64;
constexpr std::size_t name_servers_max = 16;  // of one zone
constexpr int levels_max = 12;

struct FreeResolver {
  void operator()(ldns_resolver* resolver) const { ldns_resolver_deep_free(resolver); }
};
struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

bool is_address(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

// Every address that this machine knows for a name; none when it knows none.
std::vector<DnsServer> addresses_of(const std::string& name, int port) {
  if (is_address(name)) return {{"", name, port}};
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.c_str(), nullptr, &wanted, &found) != 0) return {};
  const std::unique_ptr<addrinfo, FreeAddresses> all(found);
  std::vector<DnsServer> servers;
  for (const addrinfo* one = found; one != nullptr && servers.size() < servers_max;
       one = one->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
        0) {
      servers.push_back({name, text, port});
    }
  }
  return servers;
}

struct Place {
  std::string host;
  int port = 53;
};

Result<Place> place_of(const std::string& text, int port) {
  if (is_address(text)) return Place{text, port};
  if (text.find(':') != std::string::npos) {
    TRY(const TcpAddress parts, parse_tcp_address(text));
    if (!is_address(parts.host)) TRY_DO(canonical_dns_name(parts.host));
    return Place{parts.host, std::stoi(parts.port)};
  }
  TRY_DO(canonical_dns_name(text));
  return Place{text, port};
}

// A referral: the zone further down and who serves it.
struct Referral {
  std::string zone;
  std::vector<std::string> name_servers;
};

bool is_below(const std::string& name, const std::string& zone) {
  return zone == "." || name == zone || name.ends_with("." + zone);
}

// Only one that leads nearer to `name` than `above` does: circles end here.
std::optional<Referral> referral_of(const DnsAnswer& answer, const std::string& name,
                                    const std::string& above) {
  Referral found;
  for (const DnsRecord& record : answer.authority) {
    const bool nearer = is_below(name, record.name) && record.name != "." &&
                        (above == "." || record.name.size() > above.size());
    if (record.type != "NS" || !nearer) continue;
    if (found.zone.empty()) found.zone = record.name;
    if (record.name == found.zone && found.name_servers.size() < name_servers_max) {
      found.name_servers.push_back(record.data);
    }
  }
  if (found.zone.empty()) return std::nullopt;
  return found;
}

std::vector<DnsServer> servers_of(const Referral& referral, const DnsAnswer& answer, int port) {
  std::vector<DnsServer> servers;
  for (const std::string& name : referral.name_servers) {
    const std::size_t before = servers.size();
    const std::string shown = name.substr(0, name.size() - 1);
    for (const DnsRecord& glue : answer.additional) {
      if (glue.name != name || (glue.type != "A" && glue.type != "AAAA")) continue;
      if (servers.size() < servers_max) servers.push_back({shown, glue.data, port});
    }
    if (servers.size() > before) continue;
    for (DnsServer& server : addresses_of(shown, port)) {
      if (servers.size() < servers_max) servers.push_back(std::move(server));
    }
  }
  return servers;
}

// What the first server that answers usefully says.
Result<DnsAnswer> ask_any(const Operation& op, const std::vector<DnsServer>& servers,
                          const DnsQuestion& question) {
  std::string said;
  for (const DnsServer& server : servers) {
    auto answer = ask_dns(op, server, question);
    if (answer && (answer->code == "NOERROR" || answer->code == "NXDOMAIN")) return answer;
    if (!answer && answer.error().kind != Kind::unavailable) return answer;
    said = answer ? server.shown() + " says " + answer->code : answer.error().what;
  }
  return fail(Kind::unavailable, "nobody of the delegation answers; the last: " + said,
              "is it running, and reachable from here?");
}

}  // namespace

Result<void> check_dns_server(const std::string& text) {
  TRY_DO(place_of(text, 53));
  return {};
}

Result<std::vector<DnsServer>> dns_servers_of(const std::string& text, int port) {
  TRY(const Place place, place_of(text, port));
  auto servers = addresses_of(place.host, place.port);
  if (!servers.empty()) return servers;
  return fail(Kind::unavailable, printable(place.host) + ": no address is known for this name",
              "write the address of the name server");
}

Result<std::vector<DnsServer>> system_dns_servers() {
  ldns_resolver* made = nullptr;
  const auto status = ldns_resolver_new_frm_file(&made, nullptr);
  const std::unique_ptr<ldns_resolver, FreeResolver> resolver(made);
  std::vector<DnsServer> servers;
  const std::size_t count =
      status == LDNS_STATUS_OK ? ldns_resolver_nameserver_count(made) : std::size_t{0};
  for (std::size_t i = 0; i < count && i < servers_max; ++i) {
    char* text = ldns_rdf2str(ldns_resolver_nameservers(made)[i]);
    if (text != nullptr) servers.push_back({"", text, 53});
    std::free(text);
  }
  if (!servers.empty()) return servers;
  return fail(Kind::not_found, "this machine has no resolver (/etc/resolv.conf)",
              "name the servers to ask");
}

Result<std::vector<DnsServer>> delegated_servers(const Operation& op,
                                                 const std::vector<DnsServer>& parents,
                                                 const DnsQuestion& question, int port) {
  TRY(const std::string name, canonical_dns_name(question.name));
  std::vector<DnsServer> servers = parents;
  std::string zone = ".";
  for (int level = 0; level < levels_max; ++level) {
    TRY(const DnsAnswer answer, ask_any(op, servers, question));
    if (answer.authoritative) return servers;
    const auto referral = referral_of(answer, name, zone);
    if (!referral) {
      return fail(Kind::not_found,
                  "the delegation of " + printable(name) + " ends at " + servers.front().shown() +
                      ": it neither answers with authority nor names who does",
                  "is the zone delegated, and loaded by the servers it is delegated to?");
    }
    servers = servers_of(*referral, answer, port);
    zone = referral->zone;
    if (servers.empty()) {
      return fail(Kind::not_found,
                  printable(zone) + " is delegated to servers without an address: " +
                      printable(referral->name_servers.front()),
                  "add the addresses of the name servers to the zone above");
    }
  }
  return fail(Kind::not_found, "the delegation of " + printable(name) + " does not end");
}

}  // namespace lifeboat
