// steps/tls_server.h - Certificates made for a test, and a TLS server that shows them.
//
// The server speaks TLS over real sockets on a free loopback port, one connection after the other:
// shakes hands, reads until the client hangs up, and closes.
//
// Threads: show() from any thread.  Ownership: the destructor ends the server.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/mutex.h"

namespace lifeboat::steps {

// What a certificate is to say. Times by the wall clock of the test.
struct CertificateWish {
  std::string subject = "test";
  std::vector<std::string> names = {};  // host names and addresses
  WallTime not_before, not_after;
  bool authority = false;
};

// A key and its certificate, with the certificates of those who signed it up to the root.
class Certificate {
 public:
  static Certificate self_signed(const CertificateWish& wish);
  Certificate sign(const CertificateWish& wish) const;
  std::string pem() const;  // of this one alone, without its key

 private:
  friend class TlsStream;
  struct Parts;
  static Certificate made(const CertificateWish& wish, const Certificate* signer);
  std::shared_ptr<const Parts> parts_;
  std::shared_ptr<const Certificate> signer_;
};

// The server's side of one connection, after its handshake.
class TlsStream {
 public:
  // `asked` is told the name that the client asks for ("": none) before the client is answered.
  using Asked = std::function<void(const std::string& name)>;
  TlsStream(const Certificate& shown, int connection, bool tls_12_only = false,
            const Asked& asked = {});
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream();
  bool open() const { return session_ != nullptr; }  // false: no handshake came about
  // As read(2) and write(2).
  int read(char* buffer, int size);
  int write(const char* bytes, int size);

 private:
  std::shared_ptr<void> session_;
};

class TlsServer {
 public:
  explicit TlsServer(const Certificate& shown, bool tls_12_only = false);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();

  int port() const { return port_; }
  // From the next connection on.
  void show(const Certificate& shown);
  // The name that the last client asked for.
  std::string asked_name();

 private:
  void serve(const std::stop_token& stop);
  void converse(int connection);

  const bool tls_12_only_;
  Descriptor listener_;
  int port_ = 0;
  Mutex mutex_;
  std::shared_ptr<const Certificate> shown_ GUARDED_BY(mutex_);
  std::string asked_name_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace lifeboat::steps
