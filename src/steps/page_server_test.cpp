#include "steps/page_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/bytes.h"
#include "client/process/descriptor.h"

namespace lifeboat::steps {
namespace {

void must(bool done, const char* what) {
  if (done) return;
  std::perror(what);
  std::abort();
}

// Reads until `enough` says so or the other side closes.
template <class Enough>
void read_until(int connection, std::string& text, Enough&& enough) {
  char buffer[4096];
  while (!enough()) {
    const ssize_t count = read(connection, buffer, sizeof buffer);
    if (count <= 0) return;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

PageRequest parse_head(const std::string& head) {
  PageRequest request;
  std::istringstream lines(head);
  std::string line;
  std::getline(lines, line);
  std::istringstream(line) >> request.method >> request.path;
  while (std::getline(lines, line) && line != "\r") {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
  return request;
}

}  // namespace

PageServer::PageServer(Answer answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  must(bind(listener_, generic, size) == 0 && listen(listener_, 16) == 0, "page server: listen");
  must(getsockname(listener_, generic, &size) == 0, "page server: its port");
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

void PageServer::stop() {
  if (listener_ < 0) return;
  thread_.request_stop();
  thread_.join();
  close(listener_);
  listener_ = -1;
}

std::vector<PageRequest> PageServer::requests() {
  MutexLock lock(mutex_);
  return requests_;
}

void PageServer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd polled{listener_, POLLIN, 0};
    if (poll(&polled, 1, 10) <= 0) continue;
    const process::Descriptor connection(accept(listener_, nullptr, nullptr));
    if (connection.open()) converse(connection.number());
  }
}

void PageServer::converse(int connection) {
  std::string text;
  std::size_t end = std::string::npos;
  read_until(connection, text, [&] {
    end = text.find("\r\n\r\n");
    return end != std::string::npos;
  });
  if (end == std::string::npos) return;
  PageRequest request = parse_head(text.substr(0, end + 2));
  const auto length = request.headers.find("content-length");
  const std::size_t body_bytes = length == request.headers.end() ? 0 : std::stoul(length->second);
  read_until(connection, text, [&] { return text.size() >= end + 4 + body_bytes; });
  request.body = text.substr(end + 4);
  const PageAnswer answer = answer_(request);
  std::string reply = "HTTP/1.1 " + std::to_string(answer.status) + " Said\r\n";
  for (const auto& [name, value] : answer.headers) reply += name + ": " + value + "\r\n";
  reply +=
      "Connection: close\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
  if (request.method != "HEAD") reply += answer.body;
  {
    MutexLock lock(mutex_);
    requests_.push_back(std::move(request));
  }
  process::write_all(connection, as_bytes(reply));
}

}  // namespace lifeboat::steps
