// Against a real server on loopback, whose answers and misdeeds each test writes.
#include "client/dns/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/dns/test_name_server.h"

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

DnsServer at(const NameServer& server) {
  return {"", server.address().substr(0, server.address().find(':')), server.port()};
}

std::vector<std::string> data_of(const std::vector<DnsRecord>& records) {
  std::vector<std::string> data;
  for (const DnsRecord& record : records) data.push_back(record.data);
  return data;
}

NameReply says(std::vector<std::string> answer) { return {.answer = std::move(answer)}; }

class DnsTest : public testing::Test {
 protected:
  SystemClock clock;
  Operation op{&clock};
  DnsQuestion question{.name = "www.acme.example"};
};

TEST_F(DnsTest, AnAnswerIsReadAsItIs) {
  const NameServer server([](const std::string& name, const std::string& type) {
    EXPECT_EQ(name, "www.acme.example.");
    EXPECT_EQ(type, "A");
    return says({"WWW.Acme.Example. 60 IN A 192.0.2.1", "www.acme.example. 60 IN A 192.0.2.2"});
  });
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->code, "NOERROR");
  EXPECT_TRUE(answer->authoritative);
  const auto records = records_for(*answer, "www.acme.example", "A");
  EXPECT_THAT(data_of(records), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_EQ(records.front().ttl, 60u);
  EXPECT_EQ(server.asked(), 1);
}

TEST_F(DnsTest, EveryTypeHasOneText) {
  const std::vector<std::pair<std::string, std::string>> data = {
      {"AAAA", "2001:DB8::0:1"},
      {"CNAME", "Other.Acme.Example"},
      {"NS", "Ns1.acme.example."},
      {"MX", "10 Mail.acme.example"},
      {"SRV", "1 2 443 a.example."},
      {"SOA", "ns1.a.example. h.a.example. 1 2 3 4 5"},
      {"DS", "1 13 2 " + std::string(64, 'A')}};
  for (const auto& [type, text] : data) {
    const NameServer server([&](const std::string& name, const std::string& asked) {
      return says({name + " 60 IN " + asked + " " + text});
    });
    question.type = type;
    const auto answer = ask_dns(op, at(server), question);
    ASSERT_TRUE(answer) << answer.error().what;
    const auto canonical = canonical_dns_data(type, text);
    ASSERT_TRUE(canonical) << canonical.error().what;
    EXPECT_THAT(data_of(records_for(*answer, question.name, type)), ElementsAre(*canonical));
  }
  EXPECT_EQ(*canonical_dns_data("MX", "10 Mail.acme.example"), "10 mail.acme.example.");
}

TEST_F(DnsTest, TheTextOfATxtIsItsPartsJoined) {
  const NameServer server([](const std::string& name, const std::string&) {
    return says({name + " 60 IN TXT \"v=spf1 \" \"-all\""});
  });
  question.type = "TXT";
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer);
  EXPECT_THAT(data_of(records_for(*answer, question.name, "TXT")), ElementsAre("v=spf1 -all"));
}

TEST_F(DnsTest, AliasesAreFollowedAndTheirTimeCounts) {
  const NameServer server([](const std::string&, const std::string&) {
    return says(
        {"b.acme.example. 30 IN A 192.0.2.1", "a.acme.example. 900 IN CNAME b.acme.example.",
         "www.acme.example. 60 IN CNAME a.acme.example.", "elsewhere.example. 60 IN A 192.0.2.9"});
  });
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer);
  const auto records = records_for(*answer, "www.acme.example", "A");
  EXPECT_THAT(data_of(records), ElementsAre("192.0.2.1"));
  EXPECT_EQ(records.front().ttl, 900u);
  EXPECT_THAT(data_of(records_for(*answer, "www.acme.example", "CNAME")),
              ElementsAre("a.acme.example."));
}

TEST_F(DnsTest, ACircleOfAliasesEnds) {
  const NameServer server([](const std::string&, const std::string&) {
    return says({"www.acme.example. 60 IN CNAME a.acme.example.",
                 "a.acme.example. 60 IN CNAME www.acme.example."});
  });
  EXPECT_THAT(records_for(*ask_dns(op, at(server), question), "www.acme.example", "A"), IsEmpty());
}

TEST_F(DnsTest, ThatThereIsNothingIsAnAnswerWithATimeOfItsOwn) {
  const NameServer server([](const std::string&, const std::string&) {
    return NameReply{.code = LDNS_RCODE_NXDOMAIN,
                     .authority = {"acme.example. 3600 IN SOA ns h 1 2 3 4 90"}};
  });
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, "NXDOMAIN");
  EXPECT_EQ(negative_ttl(*answer), 90u);
}

TEST_F(DnsTest, WhatDoesNotFitIsAskedByTcp) {
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) {
    many.push_back("www.acme.example. 60 IN A 192.0.2." + std::to_string(i));
  }
  const NameServer server([&](const std::string&, const std::string&) {
    return NameReply{.answer = many, .cut = true};
  });
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_THAT(records_for(*answer, "www.acme.example", "A"), SizeIs(200));
}

TEST_F(DnsTest, AnswersToOtherQuestionsAreNotBelieved) {
  const NameServer server([](const std::string& name, const std::string&) {
    return NameReply{.answer = {name + " 60 IN A 192.0.2.1"}, .false_id = true};
  });
  const auto answer = ask_dns(op, at(server), question);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_THAT(data_of(records_for(*answer, "www.acme.example", "A")), ElementsAre("192.0.2.1"));
}

TEST_F(DnsTest, ALostDatagramIsAskedForAgain) {
  int asked = 0;
  const NameServer server([&](const std::string& name, const std::string&) {
    return NameReply{.answer = {name + " 60 IN A 192.0.2.1"}, .silent = ++asked < 3};
  });
  question.timeout = std::chrono::milliseconds(600);
  EXPECT_TRUE(ask_dns(op, at(server), question));
}

TEST_F(DnsTest, SilenceAndRubbishAreUnavailable) {
  question.timeout = std::chrono::milliseconds(150);
  const NameServer silent(
      [](const std::string&, const std::string&) { return NameReply{.silent = true}; });
  const auto nothing = ask_dns(op, at(silent), question);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(nothing.error().what, HasSubstr(silent.address() + ": no answer within"));
  for (const std::string& raw :
       {std::string("x"), std::string(12, '\xff'), std::string(500, '\0')}) {
    const NameServer rubbish(
        [&](const std::string&, const std::string&) { return NameReply{.raw = raw}; });
    EXPECT_EQ(ask_dns(op, at(rubbish), question).error().kind, Error::Kind::unavailable);
  }
}

TEST_F(DnsTest, AClosedPortIsToldAtOnce) {
  int port = 0;
  {
    port = NameServer([](const std::string&, const std::string&) { return NameReply(); }).port();
  }
  const auto refused = ask_dns(op, {"ns1.acme.example", "127.0.0.1", port}, question);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what,
            "ns1.acme.example (127.0.0.1:" + std::to_string(port) + "): Connection refused");
}

TEST_F(DnsTest, AStopEndsTheWaiting) {
  std::stop_source stop;
  const NameServer server([&](const std::string&, const std::string&) {
    stop.request_stop();
    return NameReply{.silent = true};
  });
  const auto stopped = ask_dns({.clock = &clock, .stop = stop.get_token()}, at(server), question);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, Error::Kind::cancelled);
}

TEST(DnsWords, NamesAndDataThatCannotBeAreRefused) {
  EXPECT_EQ(*canonical_dns_name("Www.Acme.Example"), "www.acme.example.");
  EXPECT_EQ(*canonical_dns_name("_acme-challenge.acme.example."), "_acme-challenge.acme.example.");
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a..b"), std::string(64, 'a') + ".example",
        std::string("a\nb"), std::string(2000, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(canonical_dns_name(name)) << name;
  }
  for (const auto& [type, text] :
       std::vector<std::pair<std::string, std::string>>{{"A", "192.0.2"},
                                                        {"A", "2001:db8::1"},
                                                        {"AAAA", "192.0.2.1"},
                                                        {"A", "192.0.2.1 x"},
                                                        {"MX", "mail.acme.example"},
                                                        {"A", ""},
                                                        {"A", "192.0.2.1 ; x"},
                                                        {"SOA", "ns h 1"}}) {
    EXPECT_FALSE(canonical_dns_data(type, text)) << type << " " << text;
  }
}

TEST(DnsWords, ServersAreNamesOrAddressesWithOrWithoutPort) {
  const auto shown = [](const std::string& text) { return dns_servers_of(text)->front().shown(); };
  EXPECT_EQ(shown("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(shown("192.0.2.1:5353"), "192.0.2.1:5353");
  EXPECT_EQ(shown("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(shown("[2001:db8::1]:5353"), "[2001:db8::1]:5353");
  EXPECT_THAT(shown("localhost"), HasSubstr("localhost ("));
  for (const char* text : {"", "a b", "ns:x", "ns:0", "ns:99999"}) {
    EXPECT_FALSE(check_dns_server(text)) << text;
  }
  EXPECT_EQ(dns_servers_of("no-such-host.invalid").error().kind, Error::Kind::unavailable);
}

// A zone above on 127.0.0.1 and the zone itself on 127.0.0.2, at the same port.
class DelegationTest : public DnsTest {
 protected:
  static NameReply refers_to(const std::string& zone, std::vector<std::string> glue) {
    return {.authoritative = false,
            .authority = {zone + " 60 IN NS ns1." + zone, zone + " 60 IN NS ns2." + zone},
            .additional = std::move(glue)};
  }
  static NameReply own(const std::string& name, const std::string&) {
    return says({name + " 60 IN A 192.0.2.1"});
  }
  Result<std::vector<DnsServer>> follow(const NameServer& above) {
    return delegated_servers(op, {at(above)}, question, above.port());
  }
};

TEST_F(DelegationTest, ItLeadsToAllServersOfTheZone) {
  const NameServer above([](const std::string&, const std::string&) {
    return refers_to("acme.example.",
                     {"ns1.acme.example. 60 IN A 127.0.0.2", "ns2.acme.example. 60 IN A 127.0.0.3",
                      "ns3.acme.example. 60 IN A 127.0.0.4"});
  });
  const NameServer below(own, "127.0.0.2", above.port());
  const auto servers = follow(above);
  ASSERT_TRUE(servers) << servers.error().what;
  ASSERT_THAT(*servers, SizeIs(2)) << "only those whom the referral names";
  EXPECT_THAT((*servers)[0].shown(), HasSubstr("ns1.acme.example (127.0.0.2:"));
  EXPECT_EQ((*servers)[1].address, "127.0.0.3");
}

TEST_F(DelegationTest, AServerThatIsDownOnTheWayIsPassedBy) {
  const NameServer above([](const std::string&, const std::string&) {
    return refers_to("acme.example.", {"ns1.acme.example. 60 IN A 127.0.0.4",
                                       "ns2.acme.example. 60 IN A 127.0.0.2"});
  });
  const NameServer below(own, "127.0.0.2", above.port());
  EXPECT_TRUE(follow(above));
}

TEST_F(DelegationTest, OneThatLeadsNowhereIsNamed) {
  const NameServer lame(
      [](const std::string&, const std::string&) { return NameReply{.authoritative = false}; });
  EXPECT_THAT(follow(lame).error().what, HasSubstr("ends at " + lame.address()));
  const NameServer elsewhere([](const std::string&, const std::string&) {
    return refers_to("other.example.", {"ns1.other.example. 60 IN A 127.0.0.2"});
  });
  EXPECT_EQ(follow(elsewhere).error().kind, Error::Kind::not_found);
  const NameServer homeless(
      [](const std::string&, const std::string&) { return refers_to("acme.example.", {}); });
  EXPECT_THAT(follow(homeless).error().what, HasSubstr("servers without an address"));
}

TEST_F(DelegationTest, ACircleEnds) {
  const NameServer above([](const std::string&, const std::string&) {
    return refers_to("acme.example.", {"ns1.acme.example. 60 IN A 127.0.0.1"});
  });
  EXPECT_EQ(follow(above).error().kind, Error::Kind::not_found);
}

}  // namespace
}  // namespace lifeboat
