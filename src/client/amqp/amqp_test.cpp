// What needs no broker; logins against a real one: steps/rabbitmq_users/rabbitmq_users_e2e.cpp.
#include "client/amqp/amqp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lifeboat {
namespace {

const SystemClock the_clock;

// A port on loopback that is bound; listening or not.
class Port {
 public:
  explicit Port(bool listens) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
    if (listens) {
      EXPECT_EQ(listen(fd_, 4), 0);
    }
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    number_ = ntohs(address.sin_port);
  }
  ~Port() { close(fd_); }
  int number() const { return number_; }

 private:
  const int fd_;
  int number_ = 0;
};

AmqpDoor door_at(int port) {
  AmqpDoor door;
  door.host = "127.0.0.1";
  door.port = port;
  door.user = "ann";
  door.password = Secret("s3cret");
  return door;
}

TEST(AmqpLogin, ASilentPortIsUnavailableByName) {
  const Port port(false);
  const auto answer = try_amqp_login({.clock = &the_clock}, door_at(port.number()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::unavailable);
  EXPECT_NE(answer.error().what.find("amqp://127.0.0.1:" + std::to_string(port.number())),
            std::string::npos);
  EXPECT_EQ(answer.error().what.find("s3cret"), std::string::npos);
}

TEST(AmqpLogin, AServerThatSaysNothingIsWaitedForNoLongerThanAllowed) {
  const Port port(true);
  const Operation op = Operation{.clock = &the_clock}.within(std::chrono::milliseconds(200));
  const auto answer = try_amqp_login(op, door_at(port.number()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().effective_code(), Error::Code::timeout);
}

TEST(AmqpLogin, AStoppedOperationDoesNotKnock) {
  std::stop_source stop;
  stop.request_stop();
  const auto answer = try_amqp_login({.clock = &the_clock, .stop = stop.get_token()}, door_at(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::cancelled);
}

}  // namespace
}  // namespace lifeboat
