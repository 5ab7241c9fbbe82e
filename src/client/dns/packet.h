// client/dns/packet.h - Packets of the DNS as bytes, by ldns; inside of client/dns only.
//
// Threads: any; pure, but for the random number of a question.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "client/dns/dns.h"

namespace lifeboat::dns {

struct Asked {
  std::uint16_t id = 0;
  Bytes packet;
};
// Errors: invalid.
Result<Asked> written(const DnsQuestion& question);

struct Heard {
  bool cut = false;  // more did not fit: ask by TCP
  DnsAnswer answer;
};
// nullopt: not an answer to this question (another id, another name, no DNS packet).
std::optional<Heard> read(ByteView packet, const Asked& asked, const DnsQuestion& question);

}  // namespace lifeboat::dns
