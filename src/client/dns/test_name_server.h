// client/dns/test_name_server.h - A name server for tests, whose answers and misdeeds each test
// writes.
//
// Real sockets on loopback, UDP and TCP on the same port; ldns makes the packets.
//
// Threads: the function is called on the server's own thread.  Ownership: the destructor ends it.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/guard.h"
#include "client/dns/ldns_library.h"

namespace lifeboat {

struct NameReply {
  int code = LDNS_RCODE_NOERROR;
  bool authoritative = true;
  // Lines of a zone file: "www.acme.example. 60 IN A 192.0.2.1".
  std::vector<std::string> answer = {}, authority = {}, additional = {};
  // Misdeeds.
  bool cut = false;       // by UDP: only that there is more
  bool silent = false;    // says nothing
  bool false_id = false;  // answers somebody else's question first
  std::string raw = {};   // these bytes instead of a packet
};

class NameServer {
 public:
  // `name` in lower case with the last dot.
  using Answer = std::function<NameReply(const std::string& name, const std::string& type)>;

  explicit NameServer(Answer answer, const std::string& address = "127.0.0.1", int port = 0)
      : answer_(std::move(answer)), address_(address) {
    sockaddr_in place = {};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<std::uint16_t>(port));
    ASSERT(inet_pton(AF_INET, address.c_str(), &place.sin_addr) == 1);
    auto* generic = reinterpret_cast<sockaddr*>(&place);
    socklen_t size = sizeof place;
    tcp_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT(bind(tcp_.number(), generic, size) == 0 && listen(tcp_.number(), 16) == 0);
    ASSERT(getsockname(tcp_.number(), generic, &size) == 0);
    udp_ = Descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT(bind(udp_.number(), generic, size) == 0);
    port_ = ntohs(place.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  ~NameServer() {
    thread_.request_stop();
    thread_.join();
  }

  int port() const { return port_; }
  std::string address() const { return address_ + ":" + std::to_string(port_); }
  int asked() const { return asked_; }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd polled[] = {{udp_.number(), POLLIN, 0}, {tcp_.number(), POLLIN, 0}};
      if (poll(polled, 2, 10) <= 0) continue;
      if (polled[0].revents != 0) by_udp();
      if (polled[1].revents != 0) by_tcp();
    }
  }

  void by_udp() {
    std::uint8_t buffer[4096];
    sockaddr_storage from = {};
    socklen_t size = sizeof from;
    auto* generic = reinterpret_cast<sockaddr*>(&from);
    const ssize_t count = recvfrom(udp_.number(), buffer, sizeof buffer, 0, generic, &size);
    if (count <= 0) return;
    const ByteView question(buffer, static_cast<std::size_t>(count));
    const NameReply reply = asked_for(question);
    if (reply.silent) return;
    if (reply.false_id) {
      const Bytes other = packet_of(question, reply, true, 1);
      sendto(udp_.number(), other.data(), other.size(), 0, generic, size);
    }
    const Bytes packet = packet_of(question, reply, true, 0);
    sendto(udp_.number(), packet.data(), packet.size(), 0, generic, size);
  }

  void by_tcp() {
    const Descriptor connection(accept4(tcp_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    std::uint8_t buffer[4096];
    std::size_t have = 0;
    while (have < 2 || have < 2u + (std::size_t{buffer[0]} << 8 | buffer[1])) {
      const ssize_t count = recv(connection.number(), buffer + have, sizeof buffer - have, 0);
      if (count <= 0) return;
      have += static_cast<std::size_t>(count);
    }
    const ByteView question(buffer + 2, have - 2);
    const Bytes packet = packet_of(question, asked_for(question), false, 0);
    Bytes framed = {static_cast<std::uint8_t>(packet.size() >> 8),
                    static_cast<std::uint8_t>(packet.size() & 0xff)};
    append(framed, packet);
    write_all(connection.number(), framed);
  }

  using Packet = std::unique_ptr<ldns_pkt, void (*)(ldns_pkt*)>;
  static Packet read(ByteView question) {
    ldns_pkt* packet = nullptr;
    ASSERT(ldns_wire2pkt(&packet, question.data(), question.size()) == LDNS_STATUS_OK);
    return {packet, ldns_pkt_free};
  }
  static std::string text(char* given) {
    std::string copy(given);
    std::free(given);
    return copy;
  }

  NameReply asked_for(ByteView question) {
    ++asked_;
    const Packet packet = read(question);
    const ldns_rr* asked = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
    return answer_(text(ldns_rdf2str(ldns_rr_owner(asked))),
                   text(ldns_rr_type2str(ldns_rr_get_type(asked))));
  }

  static void push(ldns_pkt* packet, ldns_pkt_section section,
                   const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      ldns_rr* record = nullptr;
      ASSERT(ldns_rr_new_frm_str(&record, line.c_str(), 0, nullptr, nullptr) == LDNS_STATUS_OK);
      ldns_pkt_push_rr(packet, section, record);
    }
  }

  static Bytes packet_of(ByteView question, const NameReply& reply, bool by_udp, int id_offset) {
    if (!reply.raw.empty()) return to_bytes(reply.raw);
    const Packet asked = read(question);
    const Packet packet(ldns_pkt_new(), ldns_pkt_free);
    ldns_pkt_set_id(packet.get(), static_cast<std::uint16_t>(ldns_pkt_id(asked.get()) + id_offset));
    ldns_pkt_set_qr(packet.get(), true);
    ldns_pkt_set_aa(packet.get(), reply.authoritative);
    ldns_pkt_set_rcode(packet.get(), static_cast<std::uint8_t>(reply.code));
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION,
                     ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(asked.get()), 0)));
    if (reply.cut && by_udp) {
      ldns_pkt_set_tc(packet.get(), true);
    } else if (id_offset == 0) {
      push(packet.get(), LDNS_SECTION_ANSWER, reply.answer);
      push(packet.get(), LDNS_SECTION_AUTHORITY, reply.authority);
      push(packet.get(), LDNS_SECTION_ADDITIONAL, reply.additional);
    }
    std::uint8_t* bytes = nullptr;
    std::size_t count = 0;
    ASSERT(ldns_pkt2wire(&bytes, packet.get(), &count) == LDNS_STATUS_OK);
    Bytes wire(bytes, bytes + count);
    std::free(bytes);
    return wire;
  }

  const Answer answer_;
  const std::string address_;
  Descriptor tcp_, udp_;
  int port_ = 0;
  std::atomic<int> asked_ = 0;
  std::jthread thread_;
};

}  // namespace lifeboat
