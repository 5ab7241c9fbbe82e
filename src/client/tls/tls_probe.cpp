#include "client/tls/tls_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <limits>
#include <memory>

#include "base/bytes.h"

namespace lifeboat {
namespace {

using Kind = Error::Kind;

constexpr std::size_t text_bytes_max = 300;
constexpr std::size_t names_max = 50;
// The strength that OpenSSL's own clients ask for: RSA of 2048 bits, no SHA-1.
constexpr int strength = 2;

template <auto free>
struct Free {
  template <class T>
  void operator()(T* thing) const {
    free(thing);
  }
};
struct FreeChain {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<SSL_free>>;
using Verifier = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using Text = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Chain = std::unique_ptr<STACK_OF(X509), FreeChain>;
using AltNames = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

std::string bounded(std::string_view text) {
  return text.size() <= text_bytes_max ? printable(text)
                                       : printable(text.substr(0, text_bytes_max)) + "...";
}

// Why OpenSSL gave up last; its queue of errors is empty afterwards.
std::string reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "the connection was closed" : text;
}

bool is_address(const std::string& name) {
  in6_addr ignored;
  return inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

std::string shown_name(const X509_NAME* name) {
  const Text text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253);
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(text.get(), &bytes);
  return count <= 0 ? "" : bounded({bytes, static_cast<std::size_t>(count)});
}

WallTime time_of(const ASN1_TIME* time) {
  constexpr std::int64_t second = 1'000'000'000;
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  std::tm broken = {};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return {0};  // no time at all: long past
  const std::int64_t seconds = timegm(&broken);
  if (seconds >= last / second) return {last};
  return {std::max(seconds, -(last / second)) * second};
}

std::string key_digest(const X509* certificate) {
  unsigned char* encoded = nullptr;
  const int count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  if (count <= 0) return "";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(encoded, static_cast<std::size_t>(count), digest, &length, EVP_sha256(), nullptr);
  OPENSSL_free(encoded);
  return to_hex({digest, length});
}

TlsCertificate certificate_of(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  X509_digest(certificate, EVP_sha256(), digest, &length);
  TlsCertificate shown;
  shown.subject = shown_name(X509_get_subject_name(certificate));
  shown.issuer = shown_name(X509_get_issuer_name(certificate));
  shown.fingerprint = to_hex({digest, length});
  shown.public_key = key_digest(certificate);
  shown.not_before = time_of(X509_get0_notBefore(certificate));
  shown.not_after = time_of(X509_get0_notAfter(certificate));
  return shown;
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  const AltNames all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = all ? sk_GENERAL_NAME_num(all.get()) : 0;
  for (int i = 0; i < count && names.size() < names_max; ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const auto* text = static_cast<const ASN1_STRING*>(value);
    const auto* bytes = ASN1_STRING_get0_data(text);
    const auto length = static_cast<std::size_t>(ASN1_STRING_length(text));
    if (type == GEN_DNS) {
      names.push_back(bounded({reinterpret_cast<const char*>(bytes), length}));
    } else if (length == 4 || length == 16) {
      char shown[INET6_ADDRSTRLEN] = "";
      inet_ntop(length == 4 ? AF_INET : AF_INET6, bytes, shown, sizeof shown);
      names.emplace_back(shown);
    }
  }
  return names;
}

bool matches(X509* certificate, const std::string& name) {
  if (is_address(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  // As browsers do: the subject's common name is no host name any more.
  return X509_check_host(certificate, name.c_str(), name.size(),
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

// The first thing that is wrong with a chain, its times apart.
int note_distrust(int good, X509_STORE_CTX* verifier) {
  const int error = X509_STORE_CTX_get_error(verifier);
  const bool of_time =
      error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
  auto* why = static_cast<std::string*>(X509_STORE_CTX_get_app_data(verifier));
  if (good == 1 || of_time || !why->empty()) return 1;
  *why = X509_verify_cert_error_string(error);
  if (X509* at = X509_STORE_CTX_get_current_cert(verifier); at != nullptr) {
    *why += " (" + shown_name(X509_get_subject_name(at)) + ")";
  }
  return 1;
}

Result<void> look_at_chain(const Operation& op, SSL* session, X509* own, TlsSight& sight) {
  const Verifier verifier(X509_STORE_CTX_new());
  X509_STORE* store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(session));
  if (!verifier ||
      X509_STORE_CTX_init(verifier.get(), store, own, SSL_get_peer_cert_chain(session)) != 1) {
    return fail(Kind::unavailable, "OpenSSL cannot check a certificate: " + reason());
  }
  X509_STORE_CTX_set_default(verifier.get(), "ssl_server");
  X509_VERIFY_PARAM* how = X509_STORE_CTX_get0_param(verifier.get());
  X509_VERIFY_PARAM_set_auth_level(how, strength);
  X509_VERIFY_PARAM_set_time(how, static_cast<time_t>(op.clock->wall().ns / 1'000'000'000));
  X509_STORE_CTX_set_verify_cb(verifier.get(), note_distrust);
  X509_STORE_CTX_set_app_data(verifier.get(), &sight.distrust);
  // With the callback it fails only where the chain could not even be looked at.
  if (X509_verify_cert(verifier.get()) != 1 && sight.distrust.empty()) {
    sight.distrust = X509_verify_cert_error_string(X509_STORE_CTX_get_error(verifier.get()));
  }
  ERR_clear_error();
  const Chain chain(X509_STORE_CTX_get1_chain(verifier.get()));
  const int count = chain ? sk_X509_num(chain.get()) : 0;
  for (int i = 0; i < count; ++i) {
    sight.chain.push_back(certificate_of(sk_X509_value(chain.get(), i)));
  }
  if (sight.chain.empty()) sight.chain.push_back(certificate_of(own));
  return {};
}

Result<void> shake_hands(const Operation& op, SSL* session, int socket, const TlsQuestion& question,
                         std::chrono::nanoseconds until) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(session);
    if (done == 1) return {};
    const int wants = SSL_get_error(session, done);
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
      return fail(Kind::unavailable,
                  fmt::format("{}: no TLS connection: {}", question.address.shown(), reason()),
                  "is this a port of TLS, and does it speak TLS 1.2 or 1.3?");
    }
    TRY(const bool ready,
        await_socket(op, socket, wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until));
    if (!ready) {
      return fail(Kind::unavailable,
                  fmt::format("{}: no TLS connection within {}", question.address.shown(),
                              human_duration(question.timeout)),
                  "is this a port of TLS?", Error::Code::timeout);
    }
  }
}

Result<Context> make_context(const TlsQuestion& question) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) return fail(Kind::unavailable, "OpenSSL cannot be started: " + reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // look_at_chain() does it
  const bool read = question.ca_file.empty()
                        ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                        : SSL_CTX_load_verify_file(context.get(), question.ca_file.c_str()) == 1;
  ERR_clear_error();
  if (read) return context;
  return fail(
      Kind::invalid,
      fmt::format("CA file '{}' cannot be read as certificates", printable(question.ca_file)),
      "it has to hold PEM certificates");
}

}  // namespace

Result<TlsSight> probe_tls(const Operation& op, const TlsQuestion& question) {
  TRY(const Context context, make_context(question));
  const auto until = op.clock->boot() + question.timeout;
  TRY(const Descriptor socket, connect_tcp(op, question.address, question.timeout));
  const Session session(SSL_new(context.get()));
  if (!session || SSL_set_fd(session.get(), socket.number()) != 1) {
    return fail(Kind::unavailable, "OpenSSL cannot begin a session: " + reason());
  }
  if (!is_address(question.name) &&
      SSL_set_tlsext_host_name(session.get(), question.name.c_str()) != 1) {
    return fail(Kind::invalid, "'" + printable(question.name) + "' cannot be a host name");
  }
  TRY_DO(shake_hands(op, session.get(), socket.number(), question, until));
  X509* own = SSL_get0_peer_certificate(session.get());
  if (own == nullptr) {
    return fail(Kind::unavailable, question.address.shown() + " shows no certificate");
  }
  TlsSight sight;
  sight.protocol = SSL_get_version(session.get());
  sight.name_matches = matches(own, question.name);
  sight.names = names_of(own);
  TRY_DO(look_at_chain(op, session.get(), own, sight));
  SSL_shutdown(session.get());
  ERR_clear_error();
  return sight;
}

}  // namespace lifeboat
