// steps/mail_server.h - A small mail server on a free loopback port, for tests of steps that write.
//
// Speaks SMTP over real sockets, one connection after the other: STARTTLS where it has a
// certificate, a login where it wants one. What it took is kept for the test to look at.
//
// Threads: the server has its own; mails() from any.  Ownership: the destructor ends it.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/mutex.h"
#include "steps/tls_server.h"

namespace lifeboat::steps {

struct TakenMail {
  std::string from;
  std::vector<std::string> to;
  std::string data;  // as it came, lines ending in CRLF
  bool by_tls = false;
  std::string login;  // what came with AUTH PLAIN, in base64
};

class MailServer {
 public:
  struct Manner {
    std::optional<Certificate> certificate = {};  // offers STARTTLS
    std::string login = {};                       // base64 of "\0user\0password" that it wants
    std::string to_recipients = "250 yes";        // what it says to RCPT
  };
  explicit MailServer(Manner manner);
  MailServer(const MailServer&) = delete;
  MailServer& operator=(const MailServer&) = delete;
  ~MailServer();

  int port() const { return port_; }
  std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }
  std::vector<TakenMail> mails();

 private:
  class Talk;
  void serve(const std::stop_token& stop);

  const Manner manner_;
  Descriptor listener_;
  int port_ = 0;
  Mutex mutex_;
  std::vector<TakenMail> mails_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace lifeboat::steps
