#include "crypt/operator_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace lifeboat::crypt {
namespace {

constexpr std::string_view prefix = "ed25519:";

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// What OpenSSL asks while it reads.
struct Question {
  const std::function<Result<Secret>()>& ask;
  std::optional<Error> failed;
  bool asked = false;
};

int answer(char* buffer, int size, int, void* context) {
  auto& question = *static_cast<Question*>(context);
  question.asked = true;
  const auto given = question.ask();
  if (!given) {
    question.failed = given.error();
    return -1;
  }
  const std::string_view text = given->reveal();
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> exactly(std::string_view base64) {
  const auto bytes = from_base64(base64);
  if (!bytes || bytes->size() != N) return std::nullopt;
  std::array<std::uint8_t, N> array{};
  std::ranges::copy(*bytes, array.begin());
  return array;
}

}  // namespace

Secret operator_key_to_pem(const SigningKey& key) {
  const auto seed = key.seed.view();
  const Pkey pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()),
                  EVP_PKEY_free);
  const Bio out(BIO_new(BIO_s_secmem()), BIO_free_all);
  const bool written = pkey && out &&
                       PEM_write_bio_PKCS8PrivateKey(out.get(), pkey.get(), nullptr, nullptr, 0,
                                                     nullptr, nullptr) == 1;
  if (!written) std::abort();  // memory is all that this needs
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return Secret(std::string(text, static_cast<std::size_t>(size)));
}

Result<SigningKey> operator_key_from_pem(const Secret& pem,
                                         const std::function<Result<Secret>()>& passphrase) {
  const std::string_view text = pem.reveal();
  const Bio in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all);
  Question question{passphrase, std::nullopt};
  const Pkey pkey(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, answer, &question) : nullptr,
                  EVP_PKEY_free);
  ERR_clear_error();
  if (question.failed) return fail(*question.failed);
  if (!pkey && question.asked) {
    return fail(Error::Kind::denied, "the passphrase does not open this operator key", "",
                Error::Code::wrong_key);
  }
  std::array<std::uint8_t, 32> seed{};
  std::size_t size = seed.size();
  const bool fits = pkey && EVP_PKEY_get_id(pkey.get()) == EVP_PKEY_ED25519 &&
                    EVP_PKEY_get_raw_private_key(pkey.get(), seed.data(), &size) == 1 &&
                    size == seed.size();
  if (!fits) {
    return fail(Error::Kind::invalid, "not an Ed25519 private key in PEM",
                "`lifeboat operators new` makes one, and so does openssl genpkey -algorithm "
                "ed25519",
                Error::Code::usage);
  }
  const auto key = SigningKey::from(Key(seed));
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

std::string verify_key_text(const VerifyKey& key) {
  return std::string(prefix) + to_base64(ByteView(key));
}

std::optional<VerifyKey> verify_key_from(std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return exactly<32>(text.substr(prefix.size()));
}

std::string signature_text(const Signature& signature) { return to_base64(ByteView(signature)); }

std::optional<Signature> signature_from(std::string_view text) { return exactly<64>(text); }

}  // namespace lifeboat::crypt
