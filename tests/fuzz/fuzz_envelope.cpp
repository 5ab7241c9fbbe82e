// Envelopes: padding as an attacker with the key could choose it, and objects that nobody sealed.
#include "repo/envelope.h"
#include "repo/padme.h"
#include "repo/wire.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

// Half of the changes are to the message within the padding, which is then padded anew.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  using namespace lifeboat;
  fuzz::Dice dice(seed);
  return fuzz::mutate_in_place(bytes, size, size_max, [&](ByteView padded) {
    const auto message = repo::unpad(padded);
    if (!message || dice() % 2 == 0) return fuzz::mutate_bytes(padded, size_max);
    return repo::pad(fuzz::mutate_message(*message, size_max / 2, dice));
  });
}

namespace lifeboat::fuzz {
namespace {

const repo::KeyTree& keys() {
  static const repo::KeyTree tree = repo::KeyTree::derive(crypt::Key(), repo::RepositoryId{});
  return tree;
}

bool same(ByteView a, ByteView b) { return as_text(a) == as_text(b); }

// What is sealed opens to the same; with one bit changed, wherever it is, nothing comes out.
void sealed_and_spoilt(ByteView message) {
  SeededRandom random(1);
  const repo::BaseKey base{crypt::Key(), std::nullopt};
  const repo::Binding binding{repo::ObjectType::log, "log", "log/0000000000000000"};
  Bytes object = seal_envelope(keys(), base, binding, message, random);
  const auto opened = open_envelope(keys(), base.key, binding, object);
  HOLDS(opened && same(opened->message, message));
  HOLDS(repo::proven_by(keys().writer.verify_key, keys(), binding, *opened));
  const std::size_t bit = (message.empty() ? 0 : message.back() * 31u) % (object.size() * 8);
  object[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  const auto spoilt = open_envelope(keys(), base.key, binding, object);
  HOLDS(!spoilt || !repo::proven_by(keys().writer.verify_key, keys(), binding, *spoilt));
}

std::size_t fields_in(ByteView message) {
  std::size_t fields = 0;
  while (!message.empty()) {
    const auto tag = repo::take_varint(message);
    const auto length = tag ? repo::take_varint(message) : std::nullopt;
    if (!length || *length > message.size()) return 0;
    message = message.subspan(static_cast<std::size_t>(*length));
    ++fields;
  }
  return fields;
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView input = fuzz::view(bytes, size);
  for (const auto type : {repo::ObjectType::log, repo::ObjectType::record}) {
    const repo::Binding binding{type, "record", "runs/r/0"};
    HOLDS(!repo::open_envelope(fuzz::keys(), crypt::Key(), binding, input));
  }
  (void)repo::session_key_in(input);
  const auto message = repo::unpad(input);
  if (!message) return fuzz::not_kept;
  HOLDS(fuzz::same(repo::pad(*message), input));
  fuzz::sealed_and_spoilt(*message);
  // Seeds: one rung of the ladder, up to three fields.
  fuzz::plant(size > 256 && fuzz::fields_in(*message) >= 6);
  return 0;
}
