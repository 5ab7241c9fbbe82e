#include "steps/mail_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>

#include "base/guard.h"

namespace lifeboat::steps {

// One connection, line by line.
class MailServer::Talk {
 public:
  Talk(MailServer& server, int connection)
      : server_(server), manner_(server.manner_), connection_(connection) {}

  // Until the client leaves.
  void hold() {
    say("220 mail.acme.example");
    while (const auto line = read_line()) {
      const bool stays = answer(*line);
      if (!stays) break;
    }
  }

 private:
  bool answer(const std::string& line) {
    if (line.starts_with("EHLO")) {
      say("250-mail.acme.example");
      if (manner_.certificate && !tls_) say("250-STARTTLS");
      say("250 AUTH PLAIN");
    } else if (line == "STARTTLS" && manner_.certificate) {
      say("220 go on");
      tls_ = std::make_unique<TlsStream>(*manner_.certificate, connection_);
      return tls_->open();
    } else if (line.starts_with("AUTH PLAIN")) {
      mail_.login = line.size() > 11 ? line.substr(11) : asked_for_more();
      say(mail_.login == manner_.login ? "235 welcome" : "535 no");
    } else if (line.starts_with("MAIL FROM:")) {
      mail_.from = line.substr(10, line.find('>') - 9);
      mail_.by_tls = tls_ != nullptr;
      const bool lets_in = manner_.login.empty() || mail_.login == manner_.login;
      say(lets_in ? "250 yes" : "530 who are you?");
    } else if (line.starts_with("RCPT TO:")) {
      mail_.to.push_back(line.substr(8));
      say(manner_.to_recipients);
    } else if (line == "DATA") {
      take();
    } else if (line == "QUIT") {
      say("221 bye");
      return false;
    } else {
      say("500 what?");
    }
    return true;
  }

  std::string asked_for_more() {
    say("334 ");
    return read_line().value_or("");
  }

  void take() {
    say("354 go on");
    while (const auto line = read_line()) {
      if (*line == ".") break;
      mail_.data += *line + "\r\n";
    }
    {
      MutexLock lock(server_.mutex_);  // before it says so: the client may look at once
      server_.mails_.push_back(mail_);
    }
    say("250 taken");
  }

  void say(const std::string& line) {
    const std::string whole = line + "\r\n";
    if (tls_) {
      tls_->write(whole.data(), static_cast<int>(whole.size()));
    } else {
      write_all(connection_, as_bytes(whole));
    }
  }

  std::optional<std::string> read_line() {
    std::size_t end = 0;
    while ((end = pending_.find("\r\n")) == std::string::npos) {
      char buffer[4096];
      const auto count = tls_ ? ssize_t{tls_->read(buffer, sizeof buffer)}
                              : read(connection_, buffer, sizeof buffer);
      if (count <= 0) return std::nullopt;
      pending_.append(buffer, static_cast<std::size_t>(count));
    }
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 2);
    return line;
  }

  MailServer& server_;
  const Manner& manner_;
  const int connection_;
  std::unique_ptr<TlsStream> tls_;
  std::string pending_;
  TakenMail mail_;
};

MailServer::MailServer(Manner manner) : manner_(std::move(manner)) {
  std::signal(SIGPIPE, SIG_IGN);  // as the program does: clients hang up whenever they like
  listener_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT(bind(listener_.number(), generic, size) == 0 && listen(listener_.number(), 16) == 0);
  ASSERT(getsockname(listener_.number(), generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

MailServer::~MailServer() {
  thread_.request_stop();
  thread_.join();
}

std::vector<TakenMail> MailServer::mails() {
  MutexLock lock(mutex_);
  return mails_;
}

void MailServer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd polled{listener_.number(), POLLIN, 0};
    if (poll(&polled, 1, 10) <= 0) continue;
    const Descriptor connection(accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval limit{5, 0};  // whoever connects and says nothing does not hold the server up
    setsockopt(connection.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    Talk(*this, connection.number()).hold();
  }
}

}  // namespace lifeboat::steps
