// Lines for people, typed: what is good passes, and each bad thing ends with another status than 0.
#include "steps/by_hand/by_hand.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "client/dns/test_name_server.h"
#include "steps/by_hand/hand_page.h"
#include "steps/compare/compare_step.h"
#include "steps/dns_check/dns_check_step.h"
#include "steps/file_check/file_check_step.h"
#include "steps/http_check/http_check_step.h"
#include "steps/journey/journey_step.h"
#include "steps/mail_server.h"
#include "steps/notify/notify_step.h"
#include "steps/page_server.h"
#include "steps/tls_check/tls_check_step.h"
#include "steps/tls_server.h"
#include "steps/wait/wait_step.h"

namespace lifeboat::steps {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

void write(const std::string& path, const std::string& content, mode_t mode = 0640) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  chmod(path.c_str(), mode);
}

class ByHandTest : public testing::Test {
 protected:
  void passes(const plan::StepType& type, const std::string& json) {
    const Typed typed = page_.type(type, json);
    EXPECT_EQ(typed.status, 0) << json << "\n" << typed.said;
  }
  void fails(const plan::StepType& type, const std::string& json) {
    const Typed typed = page_.type(type, json);
    EXPECT_GT(typed.status, 0) << json << "\n" << typed.said;
    EXPECT_THAT(typed.said, testing::Not(HasSubstr("not found"))) << json;
    EXPECT_THAT(typed.said, testing::Not(HasSubstr("parameter not set"))) << json;
  }
  HandPage page_;
};

// --- tls-check

class TlsByHandTest : public ByHandTest {
 protected:
  static constexpr std::int64_t day = 86'400'000'000'000;
  WallTime in_days(int days) const { return {now_.ns + days * day}; }
  CertificateWish wish(const std::string& subject, int days, bool authority = false) const {
    return {.subject = subject,
            .not_before = in_days(-10),
            .not_after = in_days(days),
            .authority = authority};
  }
  Certificate leaf(const Certificate& signer, int days) const {
    CertificateWish wanted = wish("www", days);
    wanted.names = {"www.acme.example", "127.0.0.1"};
    return signer.sign(wanted);
  }
  void SetUp() override { write(page_.below("ca.pem"), root_.pem()); }
  // Before the name points there: what `connect_to` lacks is the address's port.
  std::string json(const std::string& more, const std::string& name = "www.acme.example") const {
    return R"({"address": ")" + name + ":" + std::to_string(server_.port()) +
           R"(", "connect_to": "127.0.0.1", "ca_file": "ca.pem")" + more + "}";
  }
  // Of the certificate that is shown, as openssl tells it: in capitals, with colons.
  std::string digest_by_openssl() {
    write(page_.path() + "/shown.pem", shown_.pem());
    std::string said =
        page_.run({}, "openssl x509 -in \"$work\"/shown.pem -noout -fingerprint -sha256").said;
    said.erase(0, said.find('=') + 1);
    return "sha256:" + said.substr(0, said.find('\n'));
  }

  const WallTime now_ = SystemClock().wall();
  const Certificate root_ = Certificate::self_signed(wish("Acme Root", 3000, true));
  const Certificate between_ = root_.sign(wish("Acme Intermediate", 20, true));
  const Certificate shown_ = leaf(between_, 400);
  TlsServer server_{shown_};
  const plan::StepType type_ = tls_check_step();
};

TEST_F(TlsByHandTest, WhatIsAskedIsThePortOfTheAddressAndTheDigestInAnyForm) {
  passes(type_, json(""));
  passes(type_, json(R"(, "valid_for": "14d", "issuer": "CN=Acme Intermediate")"));
  passes(type_, json(", \"fingerprint\": \"" + digest_by_openssl() + "\""));
  passes(type_, json("", "127.0.0.1"));
  const std::string place = "127.0.0.1:" + std::to_string(server_.port());
  passes(type_, json(R"(, "server_name": "www.acme.example.")", "127.0.0.1"));
  EXPECT_EQ(page_
                .run({plan::HandTool::tls},
                     "for each in a a:1 ::1 '[::1]' '[::1]:1'; do tcp_place $each 443; echo; done")
                .said,
            "a:443\na:1\n[::1]:443\n[::1]:443\n[::1]:1\n");
}

TEST_F(TlsByHandTest, EachThingThatDiffersFails) {
  fails(type_, json(R"(, "server_name": "other.example")"));
  fails(type_, json("", "127.0.0.2"));
  fails(type_, json(R"(, "issuer": "CN=Somebody")"));
  fails(type_, json(", \"fingerprint\": \"" + std::string(64, 'a') + "\""));
  fails(type_, json(", \"public_key\": \"sha256:" + std::string(64, 'a') + "\""));
  fails(type_, json(R"(, "valid_for": "30d")"));  // the one between ends before
  server_.show(leaf(root_, -1));
  fails(type_, json(""));
  server_.show(Certificate::self_signed(wish("www.acme.example", 400)));
  fails(type_, json(""));
  const TlsServer old(shown_, true);
  fails(type_, R"({"address": "127.0.0.1:)" + std::to_string(old.port()) +
                   R"(", "ca_file": "ca.pem", "protocol": "TLSv1.3"})");
}

// --- http-check and journey

class WebByHandTest : public ByHandTest {
 protected:
  static PageAnswer answer(const PageRequest& request) {
    PageAnswer said;
    said.body = R"({"state": "open", "count": 3, "nothing": null})";
    said.headers = {{"X-Shop", "open all day"}, {"Set-Cookie", "visit=17"}};
    if (request.path == "/moved") said.status = 302;
    if (request.path == "/broken") said.status = 500;
    if (request.path == "/body" && (request.method != "GET" || request.body != "hello")) {
      said.status = 400;
    }
    if (request.path == "/token" && request.headers.contains("x-token")) {
      said.body = request.headers.at("x-token");
    }
    return said;
  }
  std::string json(const std::string& words) const {
    return R"({"url": ")" + server_.url() + "\", " + words + "}";
  }
  PageServer server_{answer};
  const plan::StepType check_ = http_check_step();
  const plan::StepType journey_ = journey_step();
};

TEST_F(WebByHandTest, WhatIsAsExpectedPasses) {
  passes(check_, json(R"("path": "/", "expect": {"status": 200,
      "header": {"x-shop": "open all day", "Connection": "close"}, "body_contains": "\"open\"",
      "json": {"state": "open", "count": 3, "nothing": null}})"));
  passes(check_, json(R"("path": "/body", "body": "hello")"));
  passes(check_, json(R"("headers": {"X-Token": "a"}, "requests": [
      {"path": "/", "save": {"seen": "state"}},
      {"path": "/token", "headers": {"X-Token": "{{seen}}"},
       "expect": {"body_contains": "open"}}])"));
  page_.before = "VISIT=of-the-visit\n";
  passes(journey_, json(R"("budget": "1h", "headers": {"X-Token": "{{visit}}"},
      "secrets": {"visit": {"env": "VISIT"}}, "requests": [
      {"path": "/token", "budget": "1h", "expect": {"body_contains": "of-the-visit"},
       "take": {"shop": {"header": "X-SHOP"}, "cookie": {"cookie": "visit"}}},
      {"path": "/token", "headers": {"X-Token": "{{shop}}-{{cookie}}"},
       "expect": {"body_contains": "open all day-17"}}])"));
}

TEST_F(WebByHandTest, EachThingThatDiffersFails) {
  fails(check_, json(R"("path": "/moved")"));
  fails(check_, json(R"("path": "/", "expect": {"status": 201})"));
  // `Connection` begins with it, and holds it.
  fails(check_, json(R"("path": "/", "expect": {"header": {"X": "on"}})"));
  fails(check_, json(R"("path": "/", "expect": {"header": {"X-Shop": "open"}})"));
  fails(check_, json(R"("path": "/", "expect": {"body_contains": "OPEN"})"));
  fails(check_, json(R"("path": "/", "expect": {"body_contains": "open\nno such line"})"));
  fails(check_, json(R"("path": "/", "expect": {"json": {"count": 4}})"));
  fails(check_, json(R"("path": "/", "expect": {"json": {"state": null}})"));
  fails(check_, json(R"("requests": [{"path": "/", "save": {"a": "no.such"}}])"));
  fails(journey_, json(R"("requests": [{"path": "/", "take": {"a": {"header": "X-None"}}}])"));
  fails(journey_, json(R"("requests": [{"path": "/", "take": {"a": {"cookie": "none"}}}])"));
  fails(journey_, json(R"("requests": [{"path": "/", "budget": "0s"}])"));
  fails(journey_, json(R"("budget": "0s", "requests": [{"path": "/"}])"));
}

TEST_F(WebByHandTest, AWaitEndsWithItsTime) {
  const plan::StepType wait = wait_step();
  const std::string url = R"({"within": "1s", "http": ")" + server_.url();
  passes(wait, url + "/\"}");
  fails(wait, url + "/broken\"}");
  fails(wait, url + R"(/", "status": 201})");
}

// --- notify

TEST_F(WebByHandTest, AMessageIsSentWithItsSecretsAndARefusalFails) {
  const plan::StepType notify = notify_step();
  page_.before = "HOOK=of-the-hook\n";
  const auto hook = [&](const std::string& path, const std::string& more) {
    return R"({"message": "it is back", "plan": "p", "webhook": {"url": ")" + server_.url() + path +
           "\"" + more + "}}";
  };
  const Typed told = page_.type(
      notify, hook("/", R"(, "json": {"key": "{{key}}"}, "secrets": {"key": {"env": "HOOK"}})"),
      {"status"});
  EXPECT_EQ(told.status, 0) << told.said;
  EXPECT_THAT(told.said, HasSubstr("status=200"));
  EXPECT_EQ(server_.requests().back().body, R"({"key":"of-the-hook"})");
  passes(notify, hook("/", R"(, "body": "as it {{is}}")"));
  EXPECT_EQ(server_.requests().back().body, "as it {{is}}");
  fails(notify, hook("/broken", ""));
  fails(notify, hook("/moved", ""));
}

TEST_F(ByHandTest, AMailIsHandedOverOrRefused) {
  const auto mail = [](const MailServer& server) {
    return R"({"message": "it is back", "plan": "p", "smtp": {"url": ")" + server.url() +
           R"(", "tls": "none", "from": "ops@acme.example", "to": ["all@acme.example"]}})";
  };
  MailServer good{{}};
  passes(notify_step(), mail(good));
  ASSERT_EQ(good.mails().size(), 1u);
  const MailServer strict({.to_recipients = "550 nobody"});
  fails(notify_step(), mail(strict));
}

// --- file-check

class FileByHandTest : public ByHandTest {
 protected:
  void SetUp() override {
    write(page_.below("tree/a\nb"), "12345");
    write(page_.below("tree/deep/c"), "hello\nworld");
    write(page_.below("settings.json"), R"({"a": {"b": 7}, "none": null})");
    fs::create_directory_symlink(page_.below("tree"), page_.below("link"));
    fs::create_symlink(page_.below("nowhere"), page_.below("dangling"));
  }
  const plan::StepType type_ = file_check_step();
};

TEST_F(FileByHandTest, WhatIsAsWantedPasses) {
  for (const char* json :
       {R"({"path": "tree", "kind": "folder", "min_count": 2, "max_count": 2, "min_size": 16,
            "max_size": 16, "max_age": "1h"})",
        R"({"path": "link", "kind": "folder", "min_count": 2, "max_size": 16, "max_age": "1h"})",
        R"({"path": "link", "kind": "link", "max_count": 0})",
        R"({"path": "dangling", "kind": "link"})", R"({"path": "dangling", "exists": false})",
        R"({"path": "settings.json", "kind": "file", "mode": "640", "json": {"a.b": 7}})",
        R"({"path": "settings.json", "mode": "0640", "json": {"none": null, "no.such": null}})",
        R"({"path": "tree/deep/c", "contains": ["hello\nworld"]})",
        R"({"path": "/dev/null", "kind": "device", "owner": "root", "group": "0"})",
        R"({"path": "/dev/null", "owner": "0", "group": "root"})",
        R"({"path": "${inputs.where}/settings.json", "kind": "file"})"}) {
    page_.before = "inputs_where=.\n";
    passes(type_, json);
  }
  const Typed typed = page_.type(type_, R"({"path": "link"})", {"size", "count"});
  EXPECT_THAT(typed.said, HasSubstr("size=16\ncount=2\n"));
}

TEST_F(FileByHandTest, EachThingThatDiffersFails) {
  for (const char* json :
       {R"({"path": "nowhere"})", R"({"path": "tree", "exists": false})",
        R"({"path": "tree", "kind": "file"})", R"({"path": "tree", "kind": "link"})",
        R"({"path": "tree", "kind": "device"})", R"({"path": "/dev/null", "kind": "socket"})",
        R"({"path": "tree", "min_count": 3})", R"({"path": "link", "max_count": 1})",
        R"({"path": "tree", "min_size": 17})", R"({"path": "link", "max_size": 15})",
        R"({"path": "settings.json", "mode": "0600"})", R"({"path": "/dev/null", "owner": "1"})",
        R"({"path": "/dev/null", "group": "daemon"})",
        R"({"path": "settings.json", "json": {"a.b": 8}})",
        R"({"path": "settings.json", "json": {"a": null}})",
        R"({"path": "tree/deep/c", "contains": ["hello\nnobody"]})",
        R"({"path": "tree/deep/c", "contains": ["HELLO"]})",
        R"({"path": "tree/deep/c", "sha256":
            "0000000000000000000000000000000000000000000000000000000000000000"})"}) {
    fails(type_, json);
  }
  // A folder that was changed a moment ago holds old files only.
  const timespec long_ago{1'000'000'000, 0};
  const timespec times[] = {long_ago, long_ago};
  for (const char* name : {"tree/a\nb", "tree/deep/c"}) {
    ASSERT_EQ(utimensat(AT_FDCWD, page_.below(name).c_str(), times, 0), 0);
  }
  fails(type_, R"({"path": "tree", "max_age": "1h"})");
  fs::create_directories(page_.below("empty"));
  fails(type_, R"({"path": "empty", "max_age": "1h"})");
}

// --- dns-check

NameReply zone(const std::string& name, const std::string& type, const std::string& address) {
  NameReply reply;
  if (name == "www.acme.example." && type == "A") {
    reply.answer = {"www.acme.example. 60 IN A " + address};
  } else if (name == "shop.acme.example." && (type == "A" || type == "CNAME")) {
    reply.answer = {"shop.acme.example. 300 IN CNAME WWW.acme.example.",
                    "www.acme.example. 60 IN A " + address};
  } else if (type == "TXT") {
    reply.answer = {name + " 60 IN TXT \"v=spf1 \" \"-all\""};
  } else if (type == "MX") {
    reply.answer = {name + " 60 IN MX 10 Mail.acme.example."};
  } else if (name == "refused.acme.example.") {
    reply.code = LDNS_RCODE_REFUSED;
  } else {
    reply.code = LDNS_RCODE_NXDOMAIN;
    reply.authority = {"acme.example. 900 IN SOA ns.acme.example. root.acme.example. 1 2 3 4 120"};
  }
  return reply;
}

class DnsByHandTest : public ByHandTest {
 protected:
  static NameServer::Answer says(const std::string& address, bool authoritative = true) {
    return [=](const std::string& name, const std::string& type) {
      NameReply reply = zone(name, type, address);
      reply.authoritative = authoritative;
      return reply;
    };
  }
  std::string json(const std::string& words, const std::string& name = "www.acme.example") const {
    return R"({"name": ")" + name + R"(", "servers": [")" + first_.address() + R"(", "localhost:)" +
           std::to_string(first_.port()) + "\"], " + words + "}";
  }
  std::string delegated(const std::string& words) const {
    return R"({"name": "www.acme.example", "parent": ")" + parent_.address() + R"(", "port": )" +
           std::to_string(first_.port()) + ", " + words + "}";
  }

  NameServer first_{says("192.0.2.1")};
  NameServer old_{says("192.0.2.9", false)};
  std::string second_says_ = "192.0.2.1";
  NameServer second_{[this](const std::string& name, const std::string& type) {
                       return zone(name, type, second_says_);
                     },
                     "127.0.0.2", first_.port()};
  NameServer parent_{[](const std::string&, const std::string&) {
    NameReply reply;
    reply.authoritative = false;
    reply.authority = {"acme.example. 60 IN NS Ns1.acme.example.",
                       "acme.example. 60 IN NS ns2.acme.example."};
    reply.additional = {"ns1.acme.example. 60 IN A 127.0.0.1",
                        "ns2.acme.example. 60 IN A 127.0.0.2"};
    return reply;
  }};
  const plan::StepType type_ = dns_check_step();
};

TEST_F(DnsByHandTest, WhatIsAsExpectedPasses) {
  passes(type_, json(R"("expect": ["192.0.2.1"], "ttl": "60s", "authoritative": true)"));
  passes(type_, json(R"("contains": ["192.0.2.1"])"));
  passes(type_, json(R"("ttl": "300s", "expect": ["192.0.2.1"])", "shop.acme.example"));
  passes(type_, json(R"("type": "CNAME", "expect": ["www.Acme.example"])", "shop.acme.example"));
  page_.before = "inputs_name=Www.acme.example\n";
  passes(type_, json(R"("type": "CNAME", "expect": ["${inputs.name}"])", "shop.acme.example"));
  passes(type_, json(R"("type": "TXT", "expect": ["v=spf1 -all"])"));
  passes(type_, json(R"("type": "MX", "contains": ["10 mail.acme.example"])"));
  passes(type_, json(R"("expect": [], "ttl": "120s")", "none.acme.example"));
  passes(type_, delegated(R"("expect": ["192.0.2.1"])"));
}

TEST_F(DnsByHandTest, EachThingThatDiffersFails) {
  fails(type_, json(R"("expect": ["192.0.2.1", "192.0.2.2"])"));
  fails(type_, json(R"("expect": [])"));
  fails(type_, json(R"("contains": ["192.0.2.10"])"));
  fails(type_, json(R"("contains": ["192.0.2"])"));
  fails(type_, json(R"("expect": ["192.0.2.1"], "ttl": "59s")"));
  fails(type_, json(R"("expect": ["192.0.2.1"], "ttl": "60s")", "shop.acme.example"));
  fails(type_, json(R"("expect": [], "ttl": "60s")", "none.acme.example"));
  fails(type_, json(R"("type": "CNAME", "expect": ["other.acme.example"])", "shop.acme.example"));
  fails(type_, json(R"("ttl": "1h")", "none.acme.example"));
  fails(type_, json(R"("expect": [])", "refused.acme.example"));
  const std::string old = R"({"name": "www.acme.example", "servers": [")" + old_.address();
  passes(type_, old + "\"]}");
  fails(type_, old + R"("], "authoritative": true})");
  fails(type_, old + "\", \"" + first_.address() + "\"]}");  // they do not agree
}

TEST_F(DnsByHandTest, EveryServerOfTheDelegationIsAsked) {
  second_says_ = "192.0.2.9";
  fails(type_, delegated(R"("expect": ["192.0.2.1"])"));
  fails(type_, delegated(R"("type": "A")"));
  const NameServer silent([](const std::string&, const std::string&) {
    NameReply reply;
    reply.authoritative = false;
    return reply;
  });
  fails(type_, R"({"name": "www.acme.example", "parent": ")" + silent.address() + "\"}");
}

TEST_F(DnsByHandTest, ServersAreAskedByAnyKindOfAddress) {
  const auto asked = [&](const std::string& server) {
    return page_
        .run({plan::HandTool::dns}, "dig() { printf '%s ' \"$@\"; }\nask_dns '" + server +
                                        "' a A 1 || :\ncat \"$work/dns\"\n")
        .said;
  };
  EXPECT_THAT(asked("192.0.2.1"), HasSubstr("-p 53 @192.0.2.1 -q a -t A"));
  EXPECT_THAT(asked("ns.example:5353"), HasSubstr("-p 5353 @ns.example -q"));
  EXPECT_THAT(asked("2001:db8::1"), HasSubstr("-p 53 @2001:db8::1 -q"));
  EXPECT_THAT(asked("[2001:db8::1]:5353"), HasSubstr("-p 5353 @2001:db8::1 -q"));
  EXPECT_THAT(asked(""), HasSubstr("-p 53 -q"));
}

// --- compare

class CompareByHandTest : public ByHandTest {
 protected:
  // A point with one folder, and a `lifeboat` that puts it back.
  void SetUp() override {
    write(page_.below("captured/a"), "1");
    write(page_.below("captured/deep/b"), "2");
    write(page_.below("bin/lifeboat"), R"sh(#!/bin/sh
case "$1" in
  points) echo '{"items": [{"id": "p1", "complete": true, "members":
      [{"source": "uploads", "snapshot": "5a5a5a5a"}]}]}' ;;
  restore) cp -r "$(dirname "$0")/../captured" "$4" ;;
esac
)sh",
          0755);
    fs::copy(page_.below("captured"), live_, fs::copy_options::recursive);
    Value source;
    source.set("type", "files").set("path", live_);
    page_.scope.sources.set("uploads", source);
  }
  const std::string live_ = page_.path() + "/point live";
  const RestoreWorld world_;
  const plan::StepType type_ = compare_step(world_);
};

TEST_F(CompareByHandTest, EqualFoldersPassAndTellTheSnapshot) {
  const Typed typed = page_.type(type_, R"({"source": "uploads"})", {"snapshot"});
  EXPECT_EQ(typed.status, 0) << typed.said;
  EXPECT_THAT(typed.said, HasSubstr("snapshot=5a5a5a5a"));
}

TEST_F(CompareByHandTest, WhatDiffersFailsUnlessItIsExcepted) {
  write(live_ + "/deep/b", "3");
  fails(type_, R"({"source": "uploads"})");
  fs::remove_all(page_.path() + "/look.sides");
  fails(type_, R"({"source": "uploads", "except": ["", "point", "live"]})");
  fs::remove_all(page_.path() + "/look.sides");
  passes(type_, R"({"source": "uploads", "except": ["deep/b"]})");
  write(live_ + "/deep/new", "3");
  fs::remove_all(page_.path() + "/look.sides");
  fails(type_, R"({"source": "uploads", "except": ["deep/b"]})");
  fs::remove_all(page_.path() + "/look.sides");
  passes(type_, R"({"source": "uploads", "except": ["deep/"]})");
}

}  // namespace
}  // namespace lifeboat::steps
