// An age file is a text header (one stanza a recipient, each wrapping the same random file key)
// with a MAC under a key derived from the file key, then a 16-byte nonce and the payload in chunks
// of 64 KiB, each sealed with a counter nonce whose last byte marks the final chunk.
#include "crypt/age.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/guard.h"
#include "crypt/bech32.h"
#include "crypt/crypt.h"

namespace lifeboat::crypt::age {
namespace {

constexpr std::string_view version_line = "age-encryption.org/v1\n";
constexpr std::string_view stanza_info = "age-encryption.org/v1/X25519";
constexpr std::string_view identity_prefix = "age-secret-key-";
constexpr std::size_t file_key_bytes = 16, nonce_bytes = 16, chunk_bytes = 64u << 10,
                      plain_limit_bytes = 64u << 10;
constexpr std::size_t line_columns = 64, header_limit_bytes = 64u << 10;
constexpr std::size_t poly_tag_bytes = crypto_aead_chacha20poly1305_ietf_ABYTES;

using PublicKey = std::array<std::uint8_t, 32>;
using FileKey = std::array<std::uint8_t, file_key_bytes>;
using AeadNonce = std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

std::string unpadded(ByteView bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

// Canonical unpadded base64 only: what we decode must encode to the same text.
std::optional<Bytes> from_unpadded(std::string_view text) {
  std::string padded(text);
  if (padded.ends_with('=')) return std::nullopt;
  while (padded.size() % 4 != 0) padded += '=';
  auto bytes = from_base64(padded);
  if (!bytes || unpadded(*bytes) != text) return std::nullopt;
  return bytes;
}

Bytes poly_seal(const Key& key, const AeadNonce& nonce, ByteView plain) {
  Bytes out(plain.size() + poly_tag_bytes);
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, plain.data(), plain.size(),
                                            nullptr, 0, nullptr, nonce.data(), key.view().data());
  return out;
}

std::optional<Bytes> poly_open(const Key& key, const AeadNonce& nonce, ByteView sealed) {
  if (sealed.size() < poly_tag_bytes) return std::nullopt;
  Bytes out(sealed.size() - poly_tag_bytes);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(),
                                                sealed.size(), nullptr, 0, nonce.data(),
                                                key.view().data()) != 0) {
    return std::nullopt;
  }
  return out;
}

// The key that wraps the file key for `recipient`; nullopt when the share is of low order.
std::optional<Key> wrap_key(const Key& secret, const PublicKey& other, const PublicKey& share,
                            const PublicKey& recipient) {
  std::array<std::uint8_t, 32> shared{};
  if (crypto_scalarmult(shared.data(), secret.view().data(), other.data()) != 0) {
    return std::nullopt;
  }
  Bytes salt(share.begin(), share.end());
  append(salt, recipient);
  Key key = hkdf(ByteView(shared), salt, stanza_info);
  sodium_memzero(shared.data(), shared.size());
  return key;
}

Result<PublicKey> parse_recipient(std::string_view text) {
  const auto decoded = bech32_decode(text);
  if (!decoded || decoded->prefix != "age" || decoded->bytes.size() != 32) {
    return fail(Error::Kind::invalid, "not an age recipient: " + printable(text.substr(0, 80)),
                "an X25519 recipient begins with age1; `age-keygen -y key.txt` prints it",
                Error::Code::usage);
  }
  PublicKey key{};
  std::ranges::copy(decoded->bytes, key.begin());
  return key;
}

// Errors never hold the text: it is a secret.
Result<ExchangeKey> parse_identity(const Secret& identity) {
  auto decoded = bech32_decode(identity.reveal());
  if (!decoded || decoded->prefix != identity_prefix || decoded->bytes.size() != 32) {
    return fail(Error::Kind::invalid, "not an age identity",
                "an X25519 identity begins with AGE-SECRET-KEY-1", Error::Code::usage);
  }
  const ExchangeKey key =
      ExchangeKey::from(Key(std::span<const std::uint8_t, 32>(decoded->bytes.data(), 32)));
  sodium_memzero(decoded->bytes.data(), decoded->bytes.size());
  return key;
}

std::string stanza_for(const PublicKey& recipient, const FileKey& file_key, Random& random) {
  const ExchangeKey ephemeral = ExchangeKey::from(Key::random(random));
  const auto wrap = wrap_key(ephemeral.secret, recipient, ephemeral.public_key, recipient);
  ASSERT(wrap.has_value());  // check_recipient() refuses points of low order
  const Bytes body = poly_seal(*wrap, AeadNonce{}, file_key);
  return "-> X25519 " + unpadded(ephemeral.public_key) + "\n" + unpadded(body) + "\n";
}

Id header_mac(const FileKey& file_key, std::string_view header) {
  return hmac_sha256(hkdf(ByteView(file_key), {}, "header"), as_bytes(header));
}

// Counter in the first eleven bytes, big-endian; the last byte is 1 in the final chunk.
AeadNonce chunk_nonce(std::uint64_t counter, bool last) {
  AeadNonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<std::uint8_t>(counter >> 8 * i);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

Bytes seal_payload(const Key& key, ByteView plain) {
  Bytes out;
  std::uint64_t counter = 0;
  do {
    const std::size_t size = std::min(plain.size(), chunk_bytes);
    const bool last = size == plain.size();
    append(out, poly_seal(key, chunk_nonce(counter++, last), plain.first(size)));
    plain = plain.subspan(size);
  } while (!plain.empty());
  return out;
}

std::optional<Bytes> open_payload(const Key& key, ByteView sealed) {
  Bytes out;
  for (std::uint64_t counter = 0;; ++counter) {
    const std::size_t size = std::min(sealed.size(), chunk_bytes + poly_tag_bytes);
    const bool last = size == sealed.size();
    const auto plain = poly_open(key, chunk_nonce(counter, last), sealed.first(size));
    if (!plain) return std::nullopt;
    if (last && plain->empty() && counter > 0) return std::nullopt;
    append(out, *plain);
    if (last) return out;
    sealed = sealed.subspan(size);
  }
}

struct Stanza {
  std::vector<std::string> arguments;  // the type first
  Bytes body;
};
struct Header {
  std::vector<Stanza> stanzas;
  std::string_view authenticated;  // what the MAC covers: up to and with "---"
  Bytes mac;
  ByteView payload;  // nonce and chunks
};

tl::unexpected<Error> malformed(const char* why) {
  return fail(Error::Kind::corrupt, std::string("age file: ") + why);
}

// Reads the lines of an age header one by one.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  std::optional<std::string_view> next() {
    const std::size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos || end > header_limit_bytes) return std::nullopt;
    const std::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }
  std::size_t at() const { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t space = line.find(' '); space != std::string_view::npos;
       space = line.find(' ')) {
    out.emplace_back(line.substr(0, space));
    line.remove_prefix(space + 1);
  }
  out.emplace_back(line);
  return out;
}

bool is_argument(const std::string& word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= 33 && c <= 126; });
}

// The body of a stanza: full lines of 64 columns, then one that is shorter (or empty).
std::optional<Bytes> read_body(Lines& lines) {
  std::string text;
  for (;;) {
    const auto line = lines.next();
    if (!line || line->size() > line_columns || text.size() > header_limit_bytes) {
      return std::nullopt;
    }
    text += *line;
    if (line->size() < line_columns) return from_unpadded(text);
  }
}

Result<Header> parse_header(ByteView file) {
  const std::string_view text = as_text(file);
  if (!text.starts_with(version_line)) return malformed("it does not begin as one of version 1");
  Lines lines(text);
  (void)lines.next();
  Header header;
  for (;;) {
    const auto line = lines.next();
    if (!line) return malformed("its header has no end");
    if (line->starts_with("--- ")) {
      const auto mac = from_unpadded(line->substr(4));
      if (!mac || mac->size() != 32) return malformed("its MAC is malformed");
      header.mac = *mac;
      header.authenticated = text.substr(0, lines.at() - line->size() - 1 + 3);
      header.payload = file.subspan(lines.at());
      return header;
    }
    if (!line->starts_with("-> ")) return malformed("a line of its header is malformed");
    Stanza stanza{.arguments = words(line->substr(3)), .body = {}};
    if (!std::ranges::all_of(stanza.arguments, is_argument)) {
      return malformed("a stanza has a malformed argument");
    }
    auto body = read_body(lines);
    if (!body) return malformed("the body of a stanza is malformed");
    stanza.body = *std::move(body);
    header.stanzas.push_back(std::move(stanza));
  }
}

// The file key, when this stanza is for `identity`; nullopt when it is for somebody else or of
// another kind.  Errors: corrupt, when it says X25519 and is not as such a stanza must be.
Result<std::optional<FileKey>> open_stanza(const Stanza& stanza, const ExchangeKey& identity) {
  if (stanza.arguments[0] != "X25519") return std::nullopt;
  const auto share_bytes =
      stanza.arguments.size() == 2 ? from_unpadded(stanza.arguments[1]) : std::nullopt;
  if (!share_bytes || share_bytes->size() != 32 ||
      stanza.body.size() != file_key_bytes + poly_tag_bytes) {
    return malformed("an X25519 stanza is malformed");
  }
  PublicKey share{};
  std::ranges::copy(*share_bytes, share.begin());
  const auto wrap = wrap_key(identity.secret, share, share, identity.public_key);
  if (!wrap) return malformed("the share of an X25519 stanza is a point of low order");
  auto plain = poly_open(*wrap, AeadNonce{}, stanza.body);
  if (!plain) return std::nullopt;
  FileKey key{};
  std::ranges::copy(*plain, key.begin());
  sodium_memzero(plain->data(), plain->size());
  return key;
}

Result<Bytes> open_file(const Header& header, const FileKey& file_key) {
  if (!equal(header_mac(file_key, header.authenticated).bytes, header.mac)) {
    return malformed("its header was altered");
  }
  if (header.payload.size() < nonce_bytes) return malformed("it is cut short");
  const Key key = hkdf(ByteView(file_key), header.payload.first(nonce_bytes), "payload");
  auto plain = open_payload(key, header.payload.subspan(nonce_bytes));
  if (!plain) return malformed("its content was altered or cut short");
  return *std::move(plain);
}

}  // namespace

NewIdentity new_identity(Random& random) {
  const Key secret = Key::random(random);
  std::string text = bech32_encode(identity_prefix, secret.view());
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return {Secret(std::move(text)), bech32_encode("age", ExchangeKey::from(secret).public_key)};
}

Result<std::string> recipient_of(const Secret& identity) {
  TRY(const ExchangeKey key, parse_identity(identity));
  return bech32_encode("age", key.public_key);
}

Result<std::vector<Secret>> identities_in(const Secret& file_text) {
  std::vector<Secret> found;
  std::string_view rest = file_text.reveal();
  if (rest.starts_with("age-encryption.org/") || rest.starts_with("-----BEGIN AGE")) {
    return fail(Error::Kind::invalid, "the identity file is encrypted",
                "decrypt it first: age -d identity.age > /dev/shm/key.txt", Error::Code::usage);
  }
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    Secret identity{std::string(line)};
    auto parsed = parse_identity(identity);
    if (!parsed) {
      return wrap(std::move(parsed).error(), "identity file, line " + std::to_string(number));
    }
    found.push_back(std::move(identity));
  }
  if (found.empty()) {
    return fail(Error::Kind::invalid, "the identity file holds no identity",
                "it needs a line that begins with AGE-SECRET-KEY-1", Error::Code::usage);
  }
  return found;
}

Result<void> check_recipient(std::string_view recipient) {
  TRY(const PublicKey key, parse_recipient(recipient));
  std::array<std::uint8_t, 32> shared{};
  const std::array<std::uint8_t, 32> any{1};
  if (crypto_scalarmult(shared.data(), any.data(), key.data()) == 0) return {};
  return fail(Error::Kind::invalid, "not an age recipient: a point of low order", "",
              Error::Code::usage);
}

Result<Bytes> wrap(const std::vector<std::string>& recipients, ByteView plain, Random& random) {
  ASSERT(plain.size() <= plain_limit_bytes);
  if (recipients.empty()) return fail(Error::Kind::invalid, "no recipient to wrap for");
  FileKey file_key = random.array<file_key_bytes>();
  std::string header(version_line);
  for (const std::string& text : recipients) {
    TRY_DO(check_recipient(text));
    TRY(const PublicKey recipient, parse_recipient(text));
    header += stanza_for(recipient, file_key, random);
  }
  header += "---";
  const Id mac = header_mac(file_key, header);
  Bytes out = to_bytes(header + " " + unpadded(mac.bytes) + "\n");
  const auto nonce = random.array<nonce_bytes>();
  append(out, nonce);
  append(out, seal_payload(hkdf(ByteView(file_key), nonce, "payload"), plain));
  sodium_memzero(file_key.data(), file_key.size());
  return out;
}

Result<Bytes> unwrap(const std::vector<Secret>& identities, ByteView file) {
  TRY(const Header header, parse_header(file));
  for (const Secret& text : identities) {
    TRY(const ExchangeKey identity, parse_identity(text));
    for (const Stanza& stanza : header.stanzas) {
      TRY(auto file_key, open_stanza(stanza, identity));
      if (!file_key) continue;
      auto plain = open_file(header, *file_key);
      sodium_memzero(file_key->data(), file_key->size());
      return plain;
    }
  }
  return fail(Error::Kind::denied, "none of the identities opens it",
              "use the identity of one of its recipients: `lifeboat keys list` names them",
              Error::Code::wrong_key);
}

}  // namespace lifeboat::crypt::age
