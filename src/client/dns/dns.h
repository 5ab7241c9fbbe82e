// client/dns/dns.h - One question to one name server, and what it says.
//
// A server is asked directly, by UDP and where the answer does not fit by TCP; nothing is cached
// and nobody else is believed. An answer of any code is an answer: what NXDOMAIN means is the
// caller's to say. ldns reads and writes the packets. Servers are not trusted: a packet has at most
// 64 KiB; texts are ldns's presentation form, still to be shown by printable().
//
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/operation.h"

namespace lifeboat {

struct DnsServer {
  std::string name;     // as it was given or delegated to; "" when only the address is known
  std::string address;  // IPv4 or IPv6
  int port = 53;
  std::string shown() const;  // "ns1.acme.example (192.0.2.1)", "192.0.2.1:5353"; printable
};

struct DnsQuestion {
  std::string name;        // "www.acme.example"; always taken from the root
  std::string type = "A";  // a type that ldns knows
  bool recursion = false;  // asks the server to ask others
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);  // of all attempts together
};

struct DnsRecord {
  std::string name, type;  // the name in lower case with the last dot
  std::uint32_t ttl = 0;   // seconds
  // The text of its data, names in it in lower case: "10 mail.acme.example.". Of TXT the text
  // itself, its parts joined.
  std::string data;
};

struct DnsAnswer {
  std::string code;            // "NOERROR", "NXDOMAIN", "SERVFAIL", ...
  bool authoritative = false;  // the AA flag
  std::vector<DnsRecord> answer, authority, additional;
};

// Errors: unavailable (no answer, or none that is one to this question), invalid (no domain name,
// no type), cancelled.
Result<DnsAnswer> ask_dns(const Operation& op, const DnsServer& server,
                          const DnsQuestion& question);

// The records of `type` that the answer gives for `name`, over its aliases (CNAME) where it has
// some; their ttl is the longest of the way. Aliases themselves only when they are asked for.
std::vector<DnsRecord> records_for(const DnsAnswer& answer, const std::string& name,
                                   const std::string& type);
// For how many seconds that there is nothing may be remembered (RFC 2308); nullopt: nobody may.
std::optional<std::uint32_t> negative_ttl(const DnsAnswer& answer);

// "Www.Acme.Example" -> "www.acme.example.".  Errors: invalid.
Result<std::string> canonical_dns_name(const std::string& name);
// The text of data as DnsRecord has it, from how people write it.  Errors: invalid.
Result<std::string> canonical_dns_data(const std::string& type, const std::string& text);

// ADDRESS, NAME, either with :PORT (an IPv6 address then in brackets): the servers that it means,
// one for each address of a name.  Errors: invalid (not such a text), unavailable (no address).
Result<std::vector<DnsServer>> dns_servers_of(const std::string& text, int port = 53);
// Only whether the text can be one.  Errors: invalid.
Result<void> check_dns_server(const std::string& text);
// The resolvers of this machine.  Errors: not_found (none is configured).
Result<std::vector<DnsServer>> system_dns_servers();

// The servers to which the delegation leads from `parents`, servers of a zone above: each referral
// is followed until one answers with authority. `port`: where the servers on the way listen.
// Errors: unavailable (nobody on the way answers), not_found (it leads nowhere: no referral, a
// circle, servers without address), invalid, cancelled.
Result<std::vector<DnsServer>> delegated_servers(const Operation& op,
                                                 const std::vector<DnsServer>& parents,
                                                 const DnsQuestion& question, int port = 53);

}  // namespace lifeboat
