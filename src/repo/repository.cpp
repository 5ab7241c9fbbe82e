#include "repo/repository.h"

#include <algorithm>

#include "base/guard.h"
#include "repo/core.h"
#include "repo/envelope.h"
#include "repo/key_objects.h"
#include "repo/key_trial.h"
#include "repo/opened.h"
#include "repo/snapshot_feed.h"
#include "repo/writer_session.h"

namespace lifeboat::repo {
namespace {

std::string record_name(std::string_view kind, std::string_view name) {
  return std::string(kind) + "/" + std::string(name);
}

Result<Config> read_config(const Operation& op, store::Store& store) {
  const auto stored = store.get(op, std::string(config_path));
  if (!stored && stored.error().kind == Error::Kind::not_found) {
    return fail(Error::Kind::not_found, store.describe() + " holds no repository",
                "check the location, or make a repository with `lifeboat init`",
                Error::Code::repository_missing);
  }
  if (!stored) return wrap(stored.error(), "config");
  return decode_config(*stored);
}

tl::unexpected<Error> exists_already(const store::Store& store) {
  return fail(Error::Kind::conflict, store.describe() + " holds a repository already",
              "choose another place, or use the repository that is there", Error::Code::refused);
}

}  // namespace

Result<std::vector<unsigned>> slots_opened(const Operation& op, store::Store& store,
                                           const Unlock& unlock) {
  TRY(const Config config, read_config(op, store));
  TRY(const std::vector<KeyObject> objects, read_keys(op, store, config));
  std::vector<unsigned> slots;
  for (const KeyObject& object : objects) {
    TRY_DO(op.proceed());
    const auto root = unwrap(config, object, unlock);
    if (root && prove_config(config, KeyTree::derive(*root, config.repository))) {
      slots.push_back(object.about.slot);
    } else if (!root && root.error().effective_code() != Error::Code::wrong_key) {
      return fail(root.error());
    }
  }
  if (!slots.empty()) return slots;
  return fail(Error::Kind::denied, "no key of the repository opens with it",
              "`lifeboat keys list` tells which there are", Error::Code::wrong_key);
}

OpenedRepository::OpenedRepository(std::shared_ptr<Core> core, crypt::Key root_secret)
    : core_(std::move(core)),
      root_secret_(root_secret),
      record_key_(crypt::Key::random(*core_->environment.random)),
      sealed_record_key_(crypt::seal_key(core_->keys.data.public_key, record_key_,
                                         "lifeboat/v1/session", *core_->environment.random)) {}

std::string OpenedRepository::id() const { return to_hex(core_->keys.repository); }
store::Store& OpenedRepository::store() const { return core_->store; }
const Environment& OpenedRepository::environment() const { return core_->environment; }

Result<Head> OpenedRepository::refresh(const Operation& op) {
  TRY_DO(core_->log.refresh(op));
  return core_->log.head();
}

Head OpenedRepository::head() const { return core_->log.head(); }
std::vector<Snapshot> OpenedRepository::snapshots() const {
  return core_->log.state()->snapshots();
}
std::vector<Point> OpenedRepository::points() const { return core_->log.state()->points(); }
std::vector<RunRecord> OpenedRepository::runs() const { return core_->log.state()->runs(); }

Result<std::unique_ptr<Session>> OpenedRepository::open_session(const Operation& op) {
  return WriterSession::open(op, core_);
}

Result<std::shared_ptr<capture::Feed>> OpenedRepository::feed(const Operation& op,
                                                              const Id& snapshot) {
  if (core_->log.state()->find_snapshot(snapshot) == nullptr) {
    return fail(Error::Kind::not_found, "there is no snapshot " + snapshot.brief(),
                "`lifeboat snapshots` lists them");
  }
  auto feed = SnapshotFeed::open(op, core_, snapshot);
  if (!feed) return wrap(feed.error(), "snapshot " + snapshot.brief());
  return feed;
}

Result<std::vector<KeyRecord>> OpenedRepository::keys(const Operation& op) {
  TRY(const std::vector<KeyObject> objects, read_keys(op, core_->store, core_->config));
  std::vector<KeyRecord> records;
  for (const KeyObject& object : objects) records.push_back(object.about);
  return records;
}

Result<KeyRecord> OpenedRepository::add_key(const Operation& op, const NewKey& key,
                                            const std::string& label, PassphraseCost cost) {
  const PassphraseCost least;
  const bool cheap = cost.memory_bytes < least.memory_bytes || cost.passes < least.passes;
  if (cheap && !core_->config.cheap_passphrase) {
    return fail(Error::Kind::invalid, "the passphrase would cost too little to guess");
  }
  Bytes object;
  TRY(const unsigned slot, put_key(op, core_->store, 0, [&](unsigned free) -> Result<Bytes> {
        const KeyRequest request{key, free, label, core_->environment.clock->wall(), cost};
        TRY(object,
            make_key_object(core_->keys, root_secret_, request, *core_->environment.random));
        return object;
      }));
  TRY(const KeyObject decoded, decode_key_object(core_->config, slot, object));
  return decoded.about;
}

Result<void> OpenedRepository::remove_key(const Operation& op, unsigned slot) {
  TRY(const std::vector<KeyObject> objects, read_keys(op, core_->store, core_->config));
  const bool there = std::any_of(objects.begin(), objects.end(),
                                 [&](const KeyObject& it) { return it.about.slot == slot; });
  if (!there) return fail(Error::Kind::not_found, "there is no key " + std::to_string(slot));
  if (objects.size() == 1) {
    return fail(Error::Kind::denied, "this is the last key: nobody could open the repository",
                "add another key first", Error::Code::refused);
  }
  return core_->store.remove(op, key_path(slot));
}

Result<Bytes> OpenedRepository::seal(std::string_view kind, std::string_view name, ByteView plain) {
  Writer message;
  message.id(1, core_->keys.writer_id);
  message.text(2, kind);
  message.text(3, name);
  message.bytes(4, plain);
  const Binding binding{ObjectType::record, "record", record_name(kind, name)};
  return seal_envelope(core_->keys, {record_key_, sealed_record_key_}, binding, message.view(),
                       *core_->environment.random);
}

Result<Bytes> OpenedRepository::unseal(std::string_view kind, std::string_view name,
                                       ByteView sealed) {
  const Binding binding{ObjectType::record, "record", record_name(kind, name)};
  auto sealed_key = session_key_in(sealed);
  if (!sealed_key) return wrap(sealed_key.error(), binding.name);
  auto key = core_->session_key(*sealed_key);
  if (!key) return wrap(key.error(), binding.name);
  TRY(const Opened opened, open_envelope(core_->keys, *key, binding, sealed));
  Fields fields(opened.message);
  const Id writer_id = fields.id(1);
  if (fields.text(2) != kind || fields.text(3) != name) fields.refuse("is another record");
  const ByteView body = fields.bytes(4);
  TRY_DO(fields.done(binding.name));
  const Certificate* writer = core_->writers.find(writer_id);
  if (writer == nullptr) {
    return fail(Error::Kind::corrupt, binding.name + ": is of a writer without certificate", "",
                Error::Code::integrity);
  }
  TRY_DO(proven_by(writer->verify_key, core_->keys, binding, opened));
  return Bytes(body.begin(), body.end());
}

crypt::Signature OpenedRepository::sign(std::string_view context, ByteView message) {
  // Everything that stands in the store is signed under one of these: no word of ours may pass for
  // an object.
  constexpr std::array taken = {"config", "key", "certificate", "log", "index", "record", "pack"};
  for (const std::string_view kind : taken) ASSERT(context != "lifeboat/v1/" + std::string(kind));
  return crypt::sign(core_->keys.writer, context, message);
}

Signer OpenedRepository::signer() const {
  const Certificate* certificate = core_->writers.find(core_->keys.writer_id);
  ASSERT(certificate != nullptr);
  return {core_->keys.repository, core_->keys.writer.verify_key, core_->keys.root.verify_key,
          encode(*certificate)};
}

Result<std::unique_ptr<Repository>> Repository::create(const Operation& op, store::Store& store,
                                                       const std::vector<NewKey>& keys,
                                                       const Environment& environment,
                                                       PassphraseCost cost) {
  ASSERT(environment.clock != nullptr && environment.random != nullptr);
  if (keys.empty() || keys.size() > key_slots) {
    return fail(Error::Kind::invalid, "a repository needs at least one key");
  }
  const auto there = store.size(op, std::string(config_path));
  if (there) return exists_already(store);
  if (there.error().kind != Error::Kind::not_found) return fail(there.error());

  Random& random = *environment.random;
  const crypt::Key root = crypt::Key::random(random);
  Config config;
  config.repository = random.array<16>();
  const KeyTree tree = KeyTree::derive(root, config.repository);
  config.created = environment.clock->wall();
  config.data_public_key = tree.data.public_key;
  config.root_verify_key = tree.root.verify_key;
  config.writers = {certify(tree)};
  const PassphraseCost usual;
  config.cheap_passphrase = cost.memory_bytes < usual.memory_bytes || cost.passes < usual.passes;
  const Bytes config_object = encode_config(config, tree.root);

  // Nothing is ever removed: a key that is there may be that of an init which is about to succeed.
  // Whose config is stored has made the repository; keys of the others open nothing.
  unsigned free = 0;
  for (const NewKey& key : keys) {
    TRY(const unsigned slot, put_key(op, store, free, [&](unsigned its_slot) {
          const KeyRequest request{key, its_slot, "made by init", config.created, cost};
          return make_key_object(tree, root, request, random);
        }));
    free = slot + 1;
  }
  TRY(const store::Put put, store.put(op, std::string(config_path), config_object));
  if (put == store::Put::exists) return exists_already(store);
  TRY(config, decode_config(config_object));
  auto core = std::make_shared<Core>(store, environment, config, tree);
  return std::make_unique<OpenedRepository>(std::move(core), root);
}

Result<std::unique_ptr<Repository>> Repository::open(const Operation& op, store::Store& store,
                                                     const Unlock& unlock,
                                                     const Environment& environment) {
  ASSERT(environment.clock != nullptr && environment.random != nullptr);
  TRY(Config config, read_config(op, store));
  if (config.cheap_passphrase && !environment.memory.empty()) {
    return fail(Error::Kind::invalid,
                "the repository was made for tests: its passphrase costs too little to guess",
                "make a new repository with `lifeboat init`");
  }
  TRY(const crypt::Key root, unlock_root(op, store, config, unlock));
  KeyTree tree = KeyTree::derive(root, config.repository);
  TRY_DO(prove_config(config, tree));
  auto core = std::make_shared<Core>(store, environment, std::move(config), std::move(tree));
  return std::make_unique<OpenedRepository>(std::move(core), root);
}

}  // namespace lifeboat::repo
