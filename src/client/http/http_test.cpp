// Against a real server on loopback, whose answers (and misdeeds) each test writes byte by byte,
// and for TLS against OpenSSL's own.
#include "client/http/http.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "base/bytes.h"

extern char** environ;

namespace lifeboat {
namespace {

using Kind = Error::Kind;

const std::string hang_up = "(the connection ends without a word)";

// Answers each connection by `answer(request)`, the raw bytes; an empty answer leaves the client
// waiting until the server goes.
class ScriptedServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  explicit ScriptedServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~ScriptedServer() {
    thread_.request_stop();
    thread_.join();
    for (const int fd : open_) close(fd);
    close(listener_);
  }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int port() const { return port_; }
  std::string last_request() const {
    std::lock_guard lock(mutex_);
    return last_;
  }
  int connections() const {
    std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  static std::size_t wanted(const std::string& request) {
    const auto head = request.find("\r\n\r\n");
    if (head == std::string::npos) return std::string::npos;
    const auto at = request.find("Content-Length: ");
    return head + 4 + (at < head ? std::stoul(request.substr(at + 16)) : 0);
  }

  void serve(const std::stop_token& stop) {
    std::string pending;
    while (!stop.stop_requested()) {
      std::vector<pollfd> polled{{listener_, POLLIN, 0}};
      for (const int fd : open_) polled.push_back({fd, POLLIN, 0});
      if (poll(polled.data(), polled.size(), 20) <= 0) continue;
      if (polled[0].revents != 0) {
        open_.push_back(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
        std::lock_guard lock(mutex_);
        ++connections_;
      }
      for (std::size_t i = 1; i < polled.size(); ++i) {
        if (polled[i].revents != 0) read_from(polled[i].fd, pending);
      }
    }
  }

  void read_from(int fd, std::string& pending) {
    char buffer[65536];
    const auto got = read(fd, buffer, sizeof buffer);
    if (got <= 0) {
      std::erase(open_, fd);
      close(fd);
      return;
    }
    pending.append(buffer, static_cast<std::size_t>(got));
    const bool is_tls = pending[0] == '\x16';  // a client hello: answered as any plain server does
    if (!is_tls && pending.size() < wanted(pending)) return;
    {
      std::lock_guard lock(mutex_);
      last_ = pending;
    }
    const std::string answer = answer_(pending);
    pending.clear();
    if (answer.empty()) return;
    if (answer != hang_up) {
      EXPECT_EQ(write(fd, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
      if (answer.find("Connection: close") == std::string::npos) return;
    }
    std::erase(open_, fd);
    close(fd);
  }

  Answer answer_;
  int listener_ = -1, port_ = 0;
  std::vector<int> open_;
  mutable std::mutex mutex_;
  std::string last_;
  int connections_ = 0;
  std::jthread thread_;
};

std::string answer_of(const std::string& status, const std::string& body,
                      const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

class HttpTest : public testing::Test {
 protected:
  SystemClock clock;
  Operation op{.clock = &clock};
  std::unique_ptr<HttpClient> client = make_http_client(clock);
};

TEST_F(HttpTest, AnAnswerOfAnyStatusIsAnAnswer) {
  ScriptedServer server([](const std::string&) {
    return answer_of("404 Not Found", "no such page", "X-Tag: a\r\nX-Tag: b\r\n");
  });
  const auto response = client->send(op, {.url = server.url("/x%2Fy/../z?q=1")});
  ASSERT_TRUE(response) << response.error().what;
  EXPECT_EQ(response->status, 404);
  EXPECT_FALSE(response->ok());
  EXPECT_EQ(response->body, "no such page");
  EXPECT_EQ(response->header("x-tag"), "a, b");
  EXPECT_EQ(response->header("absent"), "");
  EXPECT_TRUE(server.last_request().starts_with("GET /x%2Fy/../z?q=1 HTTP/1.1\r\n"));
  ScriptedServer odd([](const std::string&) { return answer_of("407 Login", "no proxy's"); });
  EXPECT_TRUE(client->send(op, {.url = odd.url()}));
}

TEST_F(HttpTest, MethodHeadersBodyAndLoginArrive) {
  ScriptedServer server([](const std::string&) { return answer_of("201 Created", ""); });
  HttpRequest request{.method = "PUT", .url = server.url("/thing")};
  request.headers["Content-Type"] = "application/json";
  request.secret_headers["X-Token"] = Secret("t0ken");
  request.body = R"({"a":1})";
  request.user = "ann";
  request.password = Secret("p:w");
  const auto response = client->send(op, request);
  ASSERT_TRUE(response) << response.error().what;
  EXPECT_EQ(response->status, 201);
  const std::string seen = server.last_request();
  EXPECT_TRUE(seen.starts_with("PUT /thing HTTP/1.1\r\n"));
  EXPECT_NE(seen.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(seen.find("X-Token: t0ken\r\n"), std::string::npos);
  EXPECT_NE(seen.find("Authorization: Basic " + to_base64(as_bytes("ann:p:w"))), std::string::npos);
  EXPECT_TRUE(seen.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_F(HttpTest, TheLoginInAUrlIsUsedAndNeverShown) {
  ScriptedServer server([](const std::string&) { return answer_of("200 OK", ""); });
  const std::string port = std::to_string(server.port());
  ASSERT_TRUE(client->send(op, {.url = "http://ann:s3%40cret@127.0.0.1:" + port + "/"}));
  EXPECT_NE(server.last_request().find(to_base64(as_bytes("ann:s3@cret"))), std::string::npos);
  EXPECT_EQ(shown_url("http://ann:s3cret@h.example:81/a?token=x#y"), "http://h.example:81/a");
  const auto failed = client->send(op, {.url = "http://ann:s3cret@127.0.0.1:1/?key=s3cret"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what.find("s3cret"), std::string::npos) << failed.error().what;
}

TEST_F(HttpTest, ConnectionsAreUsedAgainAndLoginsAreNot) {
  ScriptedServer server([](const std::string&) { return answer_of("200 OK", "x"); });
  ASSERT_TRUE(client->send(op, {.method = "POST", .url = server.url(), .body = "b", .user = "u"}));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client->send(op, {.url = server.url()}));
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(server.last_request().starts_with("GET / "));
  EXPECT_EQ(server.last_request().find("Authorization"), std::string::npos);
}

TEST_F(HttpTest, CookiesAreKeptForTheirVisitorAndNobodyElse) {
  ScriptedServer server([](const std::string& request) {
    if (request.starts_with("GET /in")) {
      return answer_of("200 OK", "",
                       "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/; HttpOnly\r\n"
                       "Set-Cookie: far=3; Domain=elsewhere.example\r\n");
    }
    return answer_of("200 OK", "", "Set-Cookie: a=; Max-Age=0; Path=/\r\n");
  });
  HttpCookies visitor, other;
  ASSERT_TRUE(client->send(op, {.url = server.url("/in"), .cookies = &visitor}));
  EXPECT_EQ(visitor.find("a"), "1");
  EXPECT_EQ(visitor.find("b"), "2");
  EXPECT_EQ(visitor.find("far"), std::nullopt);
  ASSERT_TRUE(client->send(op, {.url = server.url("/out"), .cookies = &visitor}));
  EXPECT_NE(server.last_request().find("a=1"), std::string::npos);
  EXPECT_NE(server.last_request().find("b=2"), std::string::npos);
  EXPECT_EQ(visitor.find("a"), std::nullopt) << "the answer took it back";
  ASSERT_TRUE(client->send(op, {.url = server.url("/"), .cookies = &other}));
  EXPECT_EQ(server.last_request().find("Cookie:"), std::string::npos);
  ASSERT_TRUE(client->send(op, {.url = server.url("/")}));
  EXPECT_EQ(server.last_request().find("Cookie:"), std::string::npos);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpTest, ASilentPortIsUnavailableByName) {
  int port = 0;
  {
    port = ScriptedServer([](const std::string&) { return ""; }).port();
  }
  const auto failed = client->send(op, {.url = "http://127.0.0.1:" + std::to_string(port) + "/"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable);
  EXPECT_EQ(failed.error().what,
            "http://127.0.0.1:" + std::to_string(port) + " does not answer (Connection refused)");
}

TEST_F(HttpTest, ATimeoutIsUnavailableWithItsOwnCode) {
  ScriptedServer server([](const std::string&) { return ""; });
  const auto failed =
      client->send(op, {.url = server.url(), .timeout = std::chrono::milliseconds(150)});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable);
  EXPECT_EQ(failed.error().code, Error::Code::timeout);
}

TEST_F(HttpTest, AStopEndsAWaitingExchange) {
  std::stop_source stop;
  ScriptedServer server([&stop](const std::string&) {
    stop.request_stop();
    return "";
  });
  const auto failed =
      client->send(Operation{.clock = &clock, .stop = stop.get_token()}, {.url = server.url()});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::cancelled);
  EXPECT_EQ(failed.error().code, Error::Code::interrupted);
}

TEST_F(HttpTest, TheDeadlineOfTheOperationEndsAWaitingExchange) {
  ScriptedServer server([](const std::string&) { return ""; });
  const auto failed =
      client->send(op.within(std::chrono::milliseconds(150)), {.url = server.url()});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::cancelled);
  EXPECT_EQ(failed.error().code, Error::Code::timeout);
}

TEST_F(HttpTest, AnAnswerAboveItsBoundIsRefusedWhetherItsLengthIsToldOrNot) {
  const std::string large(5000, 'x');
  ScriptedServer told([&](const std::string&) { return answer_of("200 OK", large); });
  ScriptedServer untold(
      [&](const std::string&) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + large; });
  for (const std::string& url : {told.url(), untold.url()}) {
    EXPECT_TRUE(client->send(op, {.url = url, .max_body_bytes = 5000}));
    const auto failed = client->send(op, {.url = url, .max_body_bytes = 4999});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, Kind::invalid);
    EXPECT_NE(failed.error().what.find("larger than 4999 bytes"), std::string::npos);
  }
}

TEST_F(HttpTest, ACutAnswerIsNoAnswer) {
  ScriptedServer server([](const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf";
  });
  const auto failed = client->send(op, {.url = server.url()});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable);
}

TEST_F(HttpTest, SomethingThatIsNotHttpIsNamed) {
  ScriptedServer server([](const std::string&) { return "AMQP\x01\x01Connection: close"; });
  const auto failed = client->send(op, {.url = server.url()});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::invalid);
  EXPECT_NE(failed.error().what.find("does not speak HTTP"), std::string::npos);
}

TEST_F(HttpTest, RedirectsAreFollowedOnlyWhenAsked) {
  ScriptedServer server([](const std::string& request) {
    if (request.starts_with("GET /end")) return answer_of("200 OK", "end", "X-Last: 1\r\n");
    return answer_of("302 Found", "", "Location: /end\r\n");
  });
  EXPECT_EQ(client->send(op, {.url = server.url()})->status, 302);
  const auto followed = client->send(op, {.url = server.url(), .follow_redirects = true});
  ASSERT_TRUE(followed);
  EXPECT_EQ(followed->body, "end");
  EXPECT_EQ(followed->header("location"), "");
  HttpRequest secret{.url = server.url(), .follow_redirects = true};
  secret.secret_headers["X-Token"] = Secret("t");
  EXPECT_EQ(client->send(op, secret).error().kind, Kind::invalid);
}

TEST_F(HttpTest, ALoopInRedirectsEnds) {
  ScriptedServer server(
      [](const std::string&) { return answer_of("302 Found", "", "Location: /again\r\n"); });
  const auto failed = client->send(op, {.url = server.url(), .follow_redirects = true});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::invalid);
}

TEST_F(HttpTest, OnlyHttpIsSpokenAndHeadersCannotBeSmuggled) {
  EXPECT_EQ(client->send(op, {.url = "file:///etc/passwd"}).error().kind, Kind::invalid);
  EXPECT_EQ(client->send(op, {.url = "no url at all"}).error().kind, Kind::invalid);
  HttpRequest request{.url = "http://127.0.0.1:1/"};
  request.headers["X-A"] = "1\r\nX-B: 2";
  const auto failed = client->send(op, request);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::invalid);
}

TEST_F(HttpTest, AProxyIsUsedForTheWorldAndNeverForLoopback) {
  ScriptedServer proxy([](const std::string&) { return answer_of("200 OK", "by proxy"); });
  ScriptedServer direct([](const std::string&) { return answer_of("200 OK", "direct"); });
  setenv("http_proxy", proxy.url("").c_str(), 1);
  const auto outside = client->send(op, {.url = "http://h.example.invalid/x"});
  const auto inside = client->send(op, {.url = direct.url()});
  unsetenv("http_proxy");
  ASSERT_TRUE(outside) << outside.error().what;
  EXPECT_EQ(outside->body, "by proxy");
  ASSERT_TRUE(inside) << inside.error().what;
  EXPECT_EQ(inside->body, "direct");
}

TEST_F(HttpTest, AProxyThatDoesNotLetUsThroughIsNamedByItsVariableWithoutItsLogin) {
  struct Case {
    std::string variable, scheme, status, said;
    Kind kind;
  };
  const std::vector<Case> cases = {
      {"http_proxy", "http", "407 Login", "asks for a login", Kind::denied},
      {"https_proxy", "https", "407 Login", "asks for a login", Kind::denied},
      {"ALL_PROXY", "https", "407 Login", "asks for a login", Kind::denied},
      {"HTTPS_PROXY", "https", "403 No", "(status 403)", Kind::denied},
      {"https_proxy", "https", "503 Busy", "(status 503)", Kind::unavailable}};
  for (const Case& each : cases) {
    ScriptedServer proxy([&](const std::string&) { return answer_of(each.status, "no"); });
    const std::string place = "127.0.0.1:" + std::to_string(proxy.port());
    setenv(each.variable.c_str(), ("http://ann:hush@" + place).c_str(), 1);
    const auto failed = client->send(op, {.url = each.scheme + "://h.example.invalid/x"});
    unsetenv(each.variable.c_str());
    ASSERT_FALSE(failed) << each.status;
    const std::string told = failed.error().what + " / " + failed.error().hint;
    EXPECT_EQ(failed.error().kind, each.kind) << told;
    for (const std::string& said : {each.said, each.variable, place}) {
      EXPECT_NE(told.find(said), std::string::npos) << told;
    }
    EXPECT_EQ(told.find("hush"), std::string::npos) << told;
    EXPECT_EQ(proxy.connections(), 1);
  }
}

TEST_F(HttpTest, WhereCredentialsAreHandedOutNoProxyIsAsked) {
  for (const char* local :
       {"http://127.0.0.1:1", "http://localhost", "http://[::1]", "http://169.254.169.254/latest",
        "http://169.254.170.2/v2", "http://[fd00:ec2::254]", "http://[fe80::1]"}) {
    EXPECT_TRUE(passed_by_proxies(parse_url(local)->host)) << local;
  }
  for (const char* far : {"http://169.253.0.1", "http://h.example.invalid", "http://[2001:db8::1]",
                          "http://localhost.example.invalid"}) {
    EXPECT_FALSE(passed_by_proxies(parse_url(far)->host)) << far;
  }
}

TEST_F(HttpTest, ANameWithoutAddressIsUnavailable) {
  const auto failed = client->send(op, {.url = "http://no-such-host.invalid/"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable);
}

TEST(UrlParts, AreReadAndCheckedByLibcurl) {
  const auto parts = parse_url("HTTPS://u%3A:p%40@Mq.Acme.example/api");
  ASSERT_TRUE(parts);
  EXPECT_EQ(endpoint_of(*parts), "https://mq.acme.example:443");
  EXPECT_EQ(parts->user, "u:");
  EXPECT_EQ(parts->password.reveal(), "p@");
  EXPECT_EQ(parts->path, "/api");
  EXPECT_FALSE(parse_url("http://h:99999/"));
  EXPECT_EQ(url_segment("a/b c%"), "a%2Fb%20c%25");
}

// openssl s_server with a certificate of its own making for 127.0.0.1.
class TlsServer {
 public:
  TlsServer() {
    char name[] = "/tmp/http_test.XXXXXX";
    directory_ = mkdtemp(name);
    const int made =
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", directory_ + "/key.pem", "-out", directory_ + "/cert.pem"});
    EXPECT_EQ(made, 0) << "the program openssl is needed";
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = spawn({"openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "8", "-www", "-key",
                  directory_ + "/key.pem", "-cert", directory_ + "/cert.pem"},
                 ends[1]);
    close(ends[1]);
    std::string said;
    char buffer[512];
    while (said.find("ACCEPT") == std::string::npos ||
           said.find('\n', said.find("ACCEPT")) == std::string::npos) {
      const auto got = read(ends[0], buffer, sizeof buffer);
      if (got <= 0) break;
      said.append(buffer, static_cast<std::size_t>(got));
    }
    close(ends[0]);
    const auto colon = said.find(':', said.find("ACCEPT"));
    EXPECT_NE(colon, std::string::npos) << said;
    if (colon != std::string::npos) port_ = std::stoi(said.substr(colon + 1));
  }
  ~TlsServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }
  std::string certificate() const { return directory_ + "/cert.pem"; }

 private:
  static pid_t spawn(std::vector<std::string> words, int output) {
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_RDWR, 0);
    if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, 1);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }
  static int run(std::vector<std::string> words) {
    int status = -1;
    waitpid(spawn(std::move(words), -1), &status, 0);
    return status;
  }

  std::string directory_;
  pid_t pid_ = -1;
  int port_ = 0;
};

TEST_F(HttpTest, ACertificateIsTrustedOnlyWhenItsAuthorityIsGiven) {
  TlsServer server;
  const auto stranger = client->send(op, {.url = server.url()});
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().kind, Kind::denied) << stranger.error().what;
  EXPECT_NE(stranger.error().what.find("not trusted"), std::string::npos);

  const auto known = client->send(op, {.url = server.url(), .ca_file = server.certificate()});
  ASSERT_TRUE(known) << known.error().what;
  EXPECT_EQ(known->status, 200);

  const auto missing = client->send(op, {.url = server.url(), .ca_file = "/nowhere/ca.pem"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::invalid) << missing.error().what;
}

// A server that is overwhelmed ends connections in the middle of the handshake (C2).
TEST_F(HttpTest, AHandshakeThatBreaksOffIsUnavailable) {
  ScriptedServer closing([](const std::string&) { return hang_up; });
  const auto failed =
      client->send(op, {.url = "https://127.0.0.1:" + std::to_string(closing.port()) + "/",
                        .timeout = std::chrono::seconds(5)});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable) << failed.error().what;
}

TEST_F(HttpTest, APlainServerBehindAnHttpsUrlIsNamed) {
  ScriptedServer plain(
      [](const std::string&) { return "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"; });
  const auto failed =
      client->send(op, {.url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/",
                        .timeout = std::chrono::seconds(5)});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::invalid);
  EXPECT_NE(failed.error().what.find("no TLS"), std::string::npos) << failed.error().what;
}

}  // namespace
}  // namespace lifeboat
