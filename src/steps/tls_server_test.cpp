#include "steps/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <csignal>

#include "base/guard.h"

namespace lifeboat::steps {

struct Certificate::Parts {
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;
};

namespace {

void add_extension(X509* certificate, X509* signer, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
  ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string alt_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    in6_addr ignored;
    const bool address = inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
                         inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
    text += (text.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + name;
  }
  return text;
}

int tell_name(SSL* session, int*, void* asked) {
  const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  const auto& told = *static_cast<const TlsStream::Asked*>(asked);
  if (told) told(name == nullptr ? "" : name);
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Certificate Certificate::made(const CertificateWish& wish, const Certificate* signer) {
  static long serial = 0;
  Parts parts;
  parts.key = {EVP_EC_gen("P-256"), EVP_PKEY_free};
  parts.certificate = {X509_new(), X509_free};
  X509* certificate = parts.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate), wish.not_before.ns / 1'000'000'000);
  ASN1_TIME_set(X509_getm_notAfter(certificate), wish.not_after.ns / 1'000'000'000);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.subject.c_str()), -1, -1,
                             0);
  X509* issuer = signer == nullptr ? certificate : signer->parts_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  X509_set_pubkey(certificate, parts.key.get());
  add_extension(certificate, issuer, NID_basic_constraints,
                wish.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  if (!wish.names.empty()) {
    add_extension(certificate, issuer, NID_subject_alt_name, alt_names(wish.names));
  }
  EVP_PKEY* with = signer == nullptr ? parts.key.get() : signer->parts_->key.get();
  ASSERT(X509_sign(certificate, with, EVP_sha256()) != 0);
  Certificate result;
  result.parts_ = std::make_shared<const Parts>(std::move(parts));
  if (signer != nullptr) result.signer_ = std::make_shared<const Certificate>(*signer);
  return result;
}

Certificate Certificate::self_signed(const CertificateWish& wish) { return made(wish, nullptr); }
Certificate Certificate::sign(const CertificateWish& wish) const { return made(wish, this); }

std::string Certificate::pem() const {
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(text.get(), parts_->certificate.get());
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

TlsStream::TlsStream(const Certificate& shown, int connection, bool tls_12_only,
                     const Asked& asked) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()),
                                                             SSL_CTX_free);
  if (tls_12_only) SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_tlsext_servername_callback(context.get(), tell_name);
  SSL_CTX_set_tlsext_servername_arg(context.get(), const_cast<Asked*>(&asked));
  SSL_CTX_use_certificate(context.get(), shown.parts_->certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), shown.parts_->key.get());
  // Those in between; the root is the client's to have.
  for (const auto* up = shown.signer_.get(); up != nullptr && up->signer_ != nullptr;
       up = up->signer_.get()) {
    SSL_CTX_add1_chain_cert(context.get(), up->parts_->certificate.get());
  }
  std::shared_ptr<SSL> session(SSL_new(context.get()), SSL_free);
  SSL_set_fd(session.get(), connection);
  if (SSL_accept(session.get()) == 1) session_ = std::move(session);
}

TlsStream::~TlsStream() {
  if (open()) SSL_shutdown(static_cast<SSL*>(session_.get()));
}

int TlsStream::read(char* buffer, int size) {
  return SSL_read(static_cast<SSL*>(session_.get()), buffer, size);
}

int TlsStream::write(const char* bytes, int size) {
  return SSL_write(static_cast<SSL*>(session_.get()), bytes, size);
}

TlsServer::TlsServer(const Certificate& shown, bool tls_12_only) : tls_12_only_(tls_12_only) {
  std::signal(SIGPIPE, SIG_IGN);  // as the program does: clients hang up whenever they like
  show(shown);
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

TlsServer::~TlsServer() {
  thread_.request_stop();
  thread_.join();
}

void TlsServer::show(const Certificate& shown) {
  MutexLock lock(mutex_);
  shown_ = std::make_shared<const Certificate>(shown);
}

std::string TlsServer::asked_name() {
  MutexLock lock(mutex_);
  return asked_name_;
}

void TlsServer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd polled{listener_.number(), POLLIN, 0};
    if (poll(&polled, 1, 10) <= 0) continue;
    const Descriptor connection(accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval limit{5, 0};  // whoever connects and says nothing does not hold the server up
    setsockopt(connection.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connection.open()) converse(connection.number());
  }
}

void TlsServer::converse(int connection) {
  std::shared_ptr<const Certificate> shown;
  {
    MutexLock lock(mutex_);
    shown = shown_;
  }
  TlsStream stream(*shown, connection, tls_12_only_, [this](const std::string& name) {
    MutexLock lock(mutex_);
    asked_name_ = name;
  });
  if (!stream.open()) return;
  char buffer[4096];
  while (stream.read(buffer, sizeof buffer) > 0) {
  }
}

}  // namespace lifeboat::steps
