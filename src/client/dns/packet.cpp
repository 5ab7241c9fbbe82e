#include "client/dns/packet.h"

#include <arpa/inet.h>

#include <algorithm>
#include <memory>

#include "client/dns/ldns_library.h"

namespace lifeboat::dns {
namespace {

using Kind = Error::Kind;

constexpr std::size_t records_max = 2000;  // a packet of 64 KiB holds hardly more
constexpr std::size_t aliases_max = 16;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct FreeRecord {
  void operator()(ldns_rr* record) const { ldns_rr_free(record); }
};
struct FreeField {
  void operator()(ldns_rdf* field) const { ldns_rdf_deep_free(field); }
};
struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }  // ldns gives it out by malloc
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;
using Record = std::unique_ptr<ldns_rr, FreeRecord>;
using Name = std::unique_ptr<ldns_rdf, FreeField>;

std::string text_of(char* given) {
  const std::unique_ptr<char, FreeMemory> text(given);
  return text ? text.get() : "";
}

std::string text_of(const ldns_rdf* field) { return text_of(ldns_rdf2str(field)); }

Name name_of(const std::string& text) {
  // Characters that ldns reads as something else than a part of a name.
  const bool odd = std::any_of(text.begin(), text.end(), [](unsigned char c) {
    return c <= ' ' || c == 0x7f || c == '"' || c == ';' || c == '(' || c == ')';
  });
  if (text.empty() || text.size() > 1024 || odd) return nullptr;
  Name name(ldns_dname_new_frm_str(text.c_str()));
  if (name) ldns_dname2canonical(name.get());
  return name;
}

// The parts of a TXT record as they are, joined.
std::string joined_text(const ldns_rr* record) {
  std::string text;
  for (std::size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
    const ldns_rdf* part = ldns_rr_rdf(record, i);
    const std::size_t size = ldns_rdf_size(part);
    if (size > 1) text.append(reinterpret_cast<const char*>(ldns_rdf_data(part)) + 1, size - 1);
  }
  return text;
}

std::string data_of(const ldns_rr* record) {
  if (ldns_rr_get_type(record) == LDNS_RR_TYPE_TXT) return joined_text(record);
  std::string text;
  for (std::size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
    text += (i == 0 ? "" : " ") + text_of(ldns_rr_rdf(record, i));
  }
  return text;
}

std::vector<DnsRecord> records_of(const ldns_rr_list* list) {
  std::vector<DnsRecord> records;
  const std::size_t count = std::min(ldns_rr_list_rr_count(list), records_max);
  for (std::size_t i = 0; i < count; ++i) {
    ldns_rr* record = ldns_rr_list_rr(list, i);
    if (ldns_rr_get_class(record) != LDNS_RR_CLASS_IN) continue;
    ldns_rr2canonical(record);
    records.push_back({text_of(ldns_rr_owner(record)),
                       text_of(ldns_rr_type2str(ldns_rr_get_type(record))), ldns_rr_ttl(record),
                       data_of(record)});
  }
  return records;
}

bool answers(const ldns_pkt* packet, const Asked& asked, const DnsQuestion& question) {
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != asked.id ||
      ldns_rr_list_rr_count(questions) != 1) {
    return false;
  }
  const ldns_rr* one = ldns_rr_list_rr(questions, 0);
  const Name name = name_of(question.name);
  return ldns_rr_get_type(one) == ldns_get_rr_type_by_name(question.type.c_str()) &&
         ldns_dname_compare(ldns_rr_owner(one), name.get()) == 0;
}

Error not_a_name(const std::string& name) {
  return {Kind::invalid,
          "'" + printable(name) + "' is not a domain name",
          "write it like www.acme.example",
          {}};
}

}  // namespace

Result<Asked> written(const DnsQuestion& question) {
  const ldns_rr_type type = ldns_get_rr_type_by_name(question.type.c_str());
  if (type == 0) {
    return fail(Kind::invalid, "'" + printable(question.type) + "' is no type of records");
  }
  Name name = name_of(question.name);
  if (!name) return fail(not_a_name(question.name));
  const Packet packet(ldns_pkt_query_new(name.release(), type, LDNS_RR_CLASS_IN,
                                         question.recursion ? LDNS_RD : std::uint16_t{0}));
  if (!packet) return fail(Kind::unavailable, "ldns makes no packet: out of memory?");
  ldns_pkt_set_random_id(packet.get());
  std::uint8_t* bytes = nullptr;
  std::size_t count = 0;
  if (ldns_pkt2wire(&bytes, packet.get(), &count) != LDNS_STATUS_OK) {
    return fail(not_a_name(question.name));
  }
  const std::unique_ptr<std::uint8_t, FreeMemory> owned(bytes);
  return Asked{ldns_pkt_id(packet.get()), Bytes(bytes, bytes + count)};
}

std::optional<Heard> read(ByteView packet, const Asked& asked, const DnsQuestion& question) {
  ldns_pkt* made = nullptr;
  if (ldns_wire2pkt(&made, packet.data(), packet.size()) != LDNS_STATUS_OK) return std::nullopt;
  const Packet owned(made);
  if (!answers(made, asked, question)) return std::nullopt;
  Heard heard;
  heard.cut = ldns_pkt_tc(made);
  heard.answer.code = text_of(ldns_pkt_rcode2str(ldns_pkt_get_rcode(made)));
  heard.answer.authoritative = ldns_pkt_aa(made);
  heard.answer.answer = records_of(ldns_pkt_answer(made));
  heard.answer.authority = records_of(ldns_pkt_authority(made));
  heard.answer.additional = records_of(ldns_pkt_additional(made));
  return heard;
}

}  // namespace lifeboat::dns

namespace lifeboat {

std::vector<DnsRecord> records_for(const DnsAnswer& answer, const std::string& name,
                                   const std::string& type) {
  std::string owner = canonical_dns_name(name).value_or(name);
  std::vector<DnsRecord> found;
  std::uint32_t longest = 0;
  for (std::size_t hop = 0; hop < dns::aliases_max; ++hop) {
    const DnsRecord* alias = nullptr;
    for (const DnsRecord& record : answer.answer) {
      if (record.name != owner) continue;
      if (record.type == type) found.push_back(record);
      if (record.type == "CNAME") alias = &record;
    }
    if (!found.empty() || alias == nullptr) break;
    owner = alias->data;
    longest = std::max(longest, alias->ttl);
  }
  // Who remembers an alias follows it for as long: the longest of the way counts.
  for (DnsRecord& record : found) record.ttl = std::max(record.ttl, longest);
  return found;
}

std::optional<std::uint32_t> negative_ttl(const DnsAnswer& answer) {
  for (const DnsRecord& record : answer.authority) {
    if (record.type != "SOA") continue;
    const std::size_t last = record.data.rfind(' ');
    if (last == std::string::npos) return record.ttl;
    const std::uint64_t minimum = std::strtoul(record.data.c_str() + last + 1, nullptr, 10);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(record.ttl, minimum));
  }
  return std::nullopt;
}

Result<std::string> canonical_dns_name(const std::string& name) {
  const dns::Name parsed = dns::name_of(name);
  if (!parsed) return fail(dns::not_a_name(name));
  return dns::text_of(parsed.get());
}

Result<std::string> canonical_dns_data(const std::string& type, const std::string& text) {
  if (type == "TXT") return text;
  const auto wrong = [&] {
    return fail(Error::Kind::invalid, "'" + printable(text) + "' is no data of type " + type,
                "write it as `dig +short` shows it");
  };
  const bool one_word =
      type == "A" || type == "AAAA" || type == "CNAME" || type == "NS" || type == "PTR";
  const bool odd = std::any_of(text.begin(), text.end(), [&](unsigned char c) {
    return c < ' ' || c == 0x7f || c == ';' || (one_word && c == ' ');
  });
  if (text.empty() || text.size() > 4096 || odd) return wrong();
  ldns_rr* made = nullptr;
  const std::string line = ". 0 IN " + type + " " + text;
  if (ldns_rr_new_frm_str(&made, line.c_str(), 0, nullptr, nullptr) != LDNS_STATUS_OK) {
    return wrong();
  }
  const dns::Record record(made);
  ldns_rr2canonical(made);
  return dns::data_of(made);
}

}  // namespace lifeboat
