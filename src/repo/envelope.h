// repo/envelope.h - The envelope of log records, index segments and records of runs: encrypted,
// padded, bound to repository, kind and name, and signed by the writer that it names.
//
// Opening has two halves, because the writer's name is inside: open_envelope() decrypts, then the
// caller reads the writer's id and asks proven_by() with that writer's key.
//
// Threads: any.  Source: docs/format.md, "Sealed records".
#pragma once

#include <optional>

#include "base/random.h"
#include "repo/keys.h"

namespace lifeboat::repo {

// What an envelope is bound to.
struct Binding {
  ObjectType type;
  std::string_view kind;  // "log", "index", "record"
  std::string name;       // of the object
};

// The key that its own key derives from. Type record carries the sealed session key with it.
struct BaseKey {
  crypt::Key key;
  std::optional<crypt::SealedKey> sealed;
};

struct Opened {
  Bytes padded;
  ByteView message;  // into `padded`
  Id hash;           // of the bytes that the signature covers
  crypt::Signature signature{};
};

Bytes seal_envelope(const KeyTree& keys, const BaseKey& base, const Binding& binding,
                    ByteView message, Random& random);
// The sealed session key of a record (type record).  Errors: corrupt.
Result<crypt::SealedKey> session_key_in(ByteView object);
// Errors: corrupt, with the name in it.
Result<Opened> open_envelope(const KeyTree& keys, const crypt::Key& base, const Binding& binding,
                             ByteView object);
// Errors: corrupt.
Result<void> proven_by(const VerifyKey& writer, const KeyTree& keys, const Binding& binding,
                       const Opened& opened);

}  // namespace lifeboat::repo
