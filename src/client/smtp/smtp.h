// client/smtp/smtp.h - One e-mail handed to a mail server, which takes it or says why not.
//
// libcurl speaks SMTP and writes the message as MIME: plain text, UTF-8. Certificates are always
// verified, as those of HTTP are; a password travels by TLS only.
//
// Threads: any.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat {

struct Mail {
  std::string url;        // smtp://host:port (STARTTLS, unless `plain`) or smtps://host:port
  bool plain = false;     // smtp:// without TLS: a relay on the same machine or network
  std::string user = {};  // logs in when not empty
  Secret password = {};
  std::string ca_file = {};  // certificates to trust instead of the system's; "" = the system's
  std::string from;          // addresses alone: "ops@acme.example"
  std::vector<std::string> to;
  std::string subject, text;
  // The same for every attempt at the same mail: servers and readers that know it take it once.
  std::string message_id;  // "run-1.step@host", without < >
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
};

// Whether the words can be a mail, without sending it.  Errors: invalid.
Result<void> check_mail(const Mail& mail);

// Answers when the server has taken the mail for all of `to`, with the code by which it did: 250.
// Errors: invalid (as check_mail(), a server without TLS, refused for good), denied (login,
// certificate), unavailable (does not answer, later perhaps), cancelled.
Result<int> send_mail(const Operation& op, const Mail& mail);

}  // namespace lifeboat
