// steps/page_server.h - A small HTTP server on a free loopback port, for tests of steps that ask.
//
// Speaks HTTP/1.1 over real sockets, one connection after the other, and closes each. Answers are
// what the function says; requests are kept for the test to look at.
//
// Threads: the function is called on the server's own thread.  Ownership: stop() or the destructor
// ends it; the port is free afterwards.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace lifeboat::steps {

struct PageRequest {
  std::string method, path, body;
  std::map<std::string, std::string> headers;  // names in lower case
};
struct PageAnswer {
  int status = 200;
  std::string body = {};
  std::map<std::string, std::string> headers = {};
};

class PageServer {
 public:
  using Answer = std::function<PageAnswer(const PageRequest&)>;
  explicit PageServer(Answer answer);
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;
  ~PageServer() { stop(); }

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<PageRequest> requests();
  // Nobody listens any more.
  void stop();

 private:
  void serve(const std::stop_token& stop);
  void converse(int connection);

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  Mutex mutex_;
  std::vector<PageRequest> requests_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace lifeboat::steps
