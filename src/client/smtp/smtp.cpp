#include "client/smtp/smtp.h"

#include <curl/curl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/bytes.h"
#include "client/http/curl_handles.h"
#include "client/http/http.h"

namespace lifeboat {
namespace {

using Kind = Error::Kind;
using curl::Easy;
using curl::List;
using curl::Multi;

constexpr std::size_t recipients_max = 100;
constexpr std::size_t address_bytes_max = 254;
constexpr std::size_t text_bytes_max = 1u << 20;
// One encoded word of a header has at most 75 characters (RFC 2047): 45 bytes of text in base64.
constexpr std::size_t encoded_bytes = 45;

struct FreeMime {
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using Mime = std::unique_ptr<curl_mime, FreeMime>;

List list_of(const std::vector<std::string>& lines) {
  List list;
  for (const std::string& line : lines) curl::append(list, line);
  return list;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

bool is_mail_address(const std::string& text) {
  const std::size_t at = text.find('@');
  return at != std::string::npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string::npos && text.size() <= address_bytes_max &&
         !has_control(text) && text.find_first_of(" <>,;\"") == std::string::npos;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "[::1]";
}

// A header's text; what is not ASCII in encoded words, none of which cuts a character.
std::string header_text(const std::string& text) {
  if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; })) return text;
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(begin + encoded_bytes, text.size());
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    out += (out.empty() ? "=?UTF-8?B?" : " =?UTF-8?B?") +
           to_base64(as_bytes(text.substr(begin, end - begin))) + "?=";
    begin = end;
  }
  return out;
}

// One a line: lines of a mail have at most 998 bytes.
std::string folded(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ",\r\n "));
}

List headers_of(const Mail& mail, WallTime now) {
  const auto seconds = static_cast<std::time_t>(now.ns / 1'000'000'000);
  return list_of({fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} +0000", fmt::gmtime(seconds)),
                  "From: <" + mail.from + ">", "To: " + folded(mail.to),
                  "Message-ID: <" + mail.message_id + ">", "Subject: " + header_text(mail.subject),
                  "Auto-Submitted: auto-generated"});
}

// Lines as mail ends them, whatever they ended in.
std::string with_line_ends(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\n' ? "\r\n" : std::string(1, text[i]);
  }
  return out;
}

Mime body_of(CURL* easy, const Mail& mail) {
  const std::string text = with_line_ends(mail.text);
  Mime mime(curl_mime_init(easy));
  curl_mimepart* part = curl_mime_addpart(mime.get());
  curl_mime_data(part, text.data(), text.size());  // takes a copy
  curl_mime_type(part, "text/plain; charset=utf-8");
  curl_mime_encoder(part, "quoted-printable");
  return mime;
}

void set_safety(CURL* easy, const Mail& mail) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_USE_SSL,
                   static_cast<long>(mail.plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!mail.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, mail.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // those of the environment are for HTTP
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (mail.user.empty()) return;
  curl_easy_setopt(easy, CURLOPT_USERNAME, mail.user.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, std::string(mail.password.reveal()).c_str());
}

// What libcurl's code and the server's last one mean to the caller.
Error translate(CURLcode code, long said, const std::string& place, const std::string& detail) {
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return {Kind::denied,
            place + ": its certificate is not trusted: " + detail,
            "give the certificate of its authority as CA file",
            {}};
  }
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return {Kind::invalid,
            "the CA file cannot be read as certificates",
            "it has to hold PEM certificates",
            {}};
  }
  if (code == CURLE_USE_SSL_FAILED) {
    return {Kind::invalid, place + " offers no TLS", "a relay without it: tls: none", {}};
  }
  if (code == CURLE_LOGIN_DENIED || said == 530 || said == 535) {
    return {Kind::denied, place + " refuses the login: " + detail, "check user and password", {}};
  }
  const bool for_good = said >= 500 && said < 600;
  return {for_good ? Kind::invalid : Kind::unavailable,
          place + (for_good ? " refuses the mail: " : " does not take the mail: ") + detail,
          for_good ? "check the addresses" : "is it up, and reachable from here?",
          {}};
}

Result<int> perform(const Operation& op, const Mail& mail, CURL* easy, const std::string& place) {
  const Multi multi(curl_multi_init());
  if (!multi) return fail(Kind::unavailable, "libcurl cannot be started: out of memory?");
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail.data());
  curl_multi_add_handle(multi.get(), easy);
  const auto end = op.clock->boot() + mail.timeout;
  const auto ended = [&]() -> Result<void> {
    for (;;) {
      int running = 0;
      curl_multi_perform(multi.get(), &running);
      if (running == 0) return {};
      TRY_DO(op.proceed());
      if (op.clock->boot() > end) {
        return fail(Kind::unavailable,
                    place + " does not take the mail within " + human_duration(mail.timeout),
                    "is it overloaded, or behind a firewall?", Error::Code::timeout);
      }
      curl_multi_poll(multi.get(), nullptr, 0, 100, nullptr);
    }
  }();
  int left = 0;
  const CURLMsg* message = ended ? curl_multi_info_read(multi.get(), &left) : nullptr;
  const CURLcode code = message == nullptr ? CURLE_RECV_ERROR : message->data.result;
  long said = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &said);
  curl_multi_remove_handle(multi.get(), easy);
  if (!ended) return fail(ended.error());
  if (code == CURLE_OK) return static_cast<int>(said);
  return fail(translate(code, said, place,
                        printable(detail[0] != 0 ? detail.data() : curl_easy_strerror(code))));
}

}  // namespace

Result<void> check_mail(const Mail& mail) {
  TRY(const UrlParts parts, parse_url(mail.url));
  if (parts.scheme != "smtp" && parts.scheme != "smtps") {
    return fail(Kind::invalid, "'" + shown_url(mail.url) + "' is no smtp or smtps URL",
                "write it like smtp://mail.acme.example:587");
  }
  if (!parts.user.empty() || !parts.password.empty()) {
    return fail(Kind::invalid, "the mail server's URL holds a login", "give user and password");
  }
  if (mail.plain && !mail.user.empty() && !is_loopback(parts.host)) {
    return fail(Kind::invalid, endpoint_of(parts) + ": a password would travel without TLS",
                "take `tls: none` or the login away");
  }
  if (mail.to.empty() || mail.to.size() > recipients_max) {
    return fail(Kind::invalid, fmt::format("a mail has 1 to {} recipients, this one {}",
                                           recipients_max, mail.to.size()));
  }
  std::vector<std::string> addresses = mail.to;
  addresses.push_back(mail.from);
  for (const std::string& address : addresses) {
    if (is_mail_address(address)) continue;
    return fail(Kind::invalid, "'" + printable(address) + "' is no mail address",
                "write the address alone: ops@acme.example");
  }
  if (has_control(mail.subject) || mail.subject.size() > 500) {
    return fail(Kind::invalid, "the subject is no single line of at most 500 bytes");
  }
  if (mail.text.size() > text_bytes_max) {
    return fail(Kind::invalid, "the mail's text is larger than 1 MiB");
  }
  return {};
}

Result<int> send_mail(const Operation& op, const Mail& mail) {
  TRY_DO(op.proceed());
  TRY_DO(check_mail(mail));
  TRY(const UrlParts parts, parse_url(mail.url));
  const Easy easy(curl_easy_init());
  if (!easy) return fail(Kind::unavailable, "libcurl cannot be started: out of memory?");
  std::vector<std::string> envelope;
  for (const std::string& address : mail.to) envelope.push_back("<" + address + ">");
  const List to = list_of(envelope);
  const List headers = headers_of(mail, op.clock->wall());
  const Mime mime = body_of(easy.get(), mail);
  curl_easy_setopt(easy.get(), CURLOPT_URL, endpoint_of(parts).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, ("<" + mail.from + ">").c_str());
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy.get(), CURLOPT_MIMEPOST, mime.get());
  curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT, 10L);
  set_safety(easy.get(), mail);
  return perform(op, mail, easy.get(), endpoint_of(parts));
}

}  // namespace lifeboat
