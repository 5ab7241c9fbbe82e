#include "journal/vault.h"

#include "journal/objects.h"
#include "journal/segment.h"
#include "schema/json.h"

namespace lifeboat::journal {
namespace {

constexpr std::string_view handle_prefix = "vault/";
constexpr std::size_t nonce_bytes = 12;

// A plaintext that held a secret, wiped when it goes.
struct Plain {
  std::string text;
  ~Plain() { Secret wiped(std::move(text)); }
};

}  // namespace

Vault::Vault(repo::Repository& repository, const std::string& run, Stored stored)
    : repository_(repository), prefix_("runs/" + run + "/vault/"), stored_(std::move(stored)) {}

Result<crypt::Key> Vault::read_key(const Operation& op) {
  const std::string name = prefix_ + "key";
  auto sealed = repository_.store().get(op, name);
  if (!sealed && sealed.error().kind == Error::Kind::not_found) {
    return fail(Error::Kind::not_found, name + ": the vault of this run was destroyed",
                "its secrets are gone for good; begin a new run");
  }
  if (!sealed) return fail(sealed.error());
  TRY(const Bytes plain, repository_.unseal(vault_key_kind, name, *sealed));
  if (plain.size() != 32) return fail(Error::Kind::corrupt, name + ": not a key of 32 bytes");
  return crypt::Key(std::span<const std::uint8_t, 32>(plain.data(), 32));
}

Result<crypt::Key> Vault::key(const Operation& op, bool create) {
  {
    MutexLock lock(mutex_);
    if (key_) return *key_;
  }
  const std::string name = prefix_ + "key";
  if (create) {
    const auto fresh = crypt::Key::random(*repository_.environment().random);
    TRY(const Bytes sealed, repository_.seal(vault_key_kind, name, ByteView(fresh.view())));
    TRY(const bool ours, put_settled(op, repository_.store(), name, sealed));
    if (ours) stored_(name);
  }
  // Whoever was first made the key: all read it back.
  TRY(auto found, read_key(op));
  MutexLock lock(mutex_);
  if (!key_) key_ = found;
  return found;
}

Result<std::uint64_t> Vault::take_number(const Operation& op) {
  {
    MutexLock lock(mutex_);
    if (next_) return (*next_)++;
  }
  TRY(const std::uint64_t free, first_absent(op, repository_.store(), prefix_));
  MutexLock lock(mutex_);
  if (!next_) next_ = free;
  return (*next_)++;
}

Result<Bytes> Vault::seal_entry(const crypt::Key& key, const std::string& object,
                                const std::string& name, const Secret& value) {
  Value entry;
  entry.set("name", name);
  entry.set("value", to_base64(as_bytes(value.reveal())));
  const Plain plain{to_json(entry)};
  const auto nonce = repository_.environment().random->array<nonce_bytes>();
  Bytes inner(nonce.begin(), nonce.end());
  append(inner, crypt::seal(key, nonce, as_bytes(object), as_bytes(plain.text)));
  return repository_.seal(vault_kind, object, inner);
}

Result<std::string> Vault::put(const Operation& op, const std::string& name, const Secret& value) {
  TRY(const auto vault_key, key(op, true));
  for (;;) {
    TRY(const std::uint64_t number, take_number(op));
    const std::string object = prefix_ + number_hex(number);
    TRY(const Bytes sealed, seal_entry(vault_key, object, name, value));
    TRY(const bool ours, put_settled(op, repository_.store(), object, sealed));
    if (!ours) continue;  // a number left over from a driver before us
    stored_(object);
    return std::string(handle_prefix) + number_hex(number);
  }
}

Result<Secret> Vault::get(const Operation& op, const std::string& handle) {
  const bool fits = handle.starts_with(handle_prefix) &&
                    number_from_hex(std::string_view(handle).substr(handle_prefix.size()));
  if (!fits) return fail(Error::Kind::invalid, printable(handle) + ": not a handle of the vault");
  const std::string object = prefix_ + handle.substr(handle_prefix.size());
  TRY(const auto vault_key, key(op, false));
  TRY(const Bytes sealed, repository_.store().get(op, object));
  TRY(const Bytes inner, repository_.unseal(vault_kind, object, sealed));
  if (inner.size() < nonce_bytes) return fail(Error::Kind::corrupt, object + ": too short");
  crypt::Nonce nonce;
  std::copy_n(inner.begin(), nonce_bytes, nonce.begin());
  auto opened =
      crypt::open(vault_key, nonce, as_bytes(object), ByteView(inner).subspan(nonce_bytes));
  if (!opened) return wrap(opened.error(), object);
  const Plain plain{std::string(as_text(*opened))};
  auto entry = parse_json(plain.text);
  const auto value = entry ? from_base64(entry->text("value")) : std::nullopt;
  if (!value) return fail(Error::Kind::corrupt, object + ": not an entry of a vault");
  return Secret(std::string(as_text(*value)));
}

Result<void> Vault::destroy(const Operation& op) {
  {
    MutexLock lock(mutex_);
    key_.reset();
    next_.reset();
  }
  TRY_DO(remove_settled(op, repository_.store(), prefix_ + "key"));
  // From the last to the first: a crash between leaves a run of numbers that is found again.
  TRY(std::uint64_t left, first_absent(op, repository_.store(), prefix_));
  while (left > 0) TRY_DO(remove_settled(op, repository_.store(), prefix_ + number_hex(--left)));
  return {};
}

}  // namespace lifeboat::journal
