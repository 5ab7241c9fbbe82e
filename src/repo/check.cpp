#include <algorithm>

#include "repo/checker.h"
#include "repo/key_objects.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t lost_most = 20;

bool lasting(const Error& error) {
  return error.kind == Error::Kind::corrupt || error.kind == Error::Kind::not_found ||
         error.kind == Error::Kind::invalid;
}

}  // namespace

Checker::Checker(OpenedRepository& repository, const CheckOptions& options)
    : core_(*repository.core()), options_(options) {}

void Checker::broken(const std::string& object, const std::string& what, const std::string& lost) {
  MutexLock lock(mutex_);
  const auto [place, fresh] = hits_.try_emplace(object, report_.broken.size());
  if (fresh) report_.broken.push_back({object, what, {}});
  Hit& hit = report_.broken[place->second];
  if (!lost.empty() && hit.lost.size() < lost_most) hit.lost.push_back(lost);
}

// Errors of this module begin with the object's name.
void Checker::broken(const Error& error, const std::string& fallback) {
  const std::size_t colon = error.what.find(": ");
  const std::string object = colon == std::string::npos ? fallback : error.what.substr(0, colon);
  const bool named = object == "config" || object.find('/') != std::string::npos;
  broken(named ? object : fallback,
         named && colon != std::string::npos ? error.what.substr(colon + 2) : error.what);
}

void Checker::progressed(std::uint64_t bytes) {
  std::uint64_t done = 0;
  {
    MutexLock lock(mutex_);
    done = done_bytes_ += bytes;
    report_.bytes_read += bytes;
  }
  if (options_.progress) options_.progress(done, std::max(done, total_bytes_));
}

Result<void> Checker::objects(const Operation& op) {
  const auto config = core_.store.get(op, std::string(config_path));
  if (!config && config.error().kind != Error::Kind::not_found) return fail(config.error());
  const auto decoded = config ? decode_config(*config) : Result<Config>(fail(config.error()));
  if (!decoded) broken(decoded.error(), std::string(config_path));
  std::uint64_t count = 1;
  for (unsigned slot = 0; slot < key_slots; ++slot) {
    TRY_DO(op.proceed());
    TRY(const auto stored, stored_key(op, core_.store, core_.config, slot));
    if (!stored || !stored->ours) continue;
    ++count;
    const auto key = decode_key_object(core_.config, slot, stored->bytes);
    if (!key) {
      broken(key.error(), key_path(slot));
      broken(key_path(slot), "", "this key opens nothing any more");
    }
  }
  {
    MutexLock lock(mutex_);
    report_.objects += count;
  }
  return read_log(op);
}

Result<void> Checker::read_log(const Operation& op) {
  const auto read = core_.log.refresh(op);
  if (!read && !lasting(read.error())) return read;
  if (!read) {
    broken(read.error(), "log");
    const std::string object = read.error().what.substr(0, read.error().what.find(": "));
    broken(object.find('/') == std::string::npos ? "log" : object, "",
           "every snapshot and point that was recorded after it");
  }
  TRY_DO(core_.sync_index(op));
  for (const auto& [name, error] : core_.broken_segments()) broken(error, name);
  const auto state = core_.log.state();
  std::uint64_t segments = 0;
  for (const auto& [id, session] : state->sessions()) segments += session.index_segments;
  MutexLock lock(mutex_);
  report_.objects += state->slots() + segments;
  report_.freshness_proven = read.has_value() && core_.log.head().remembered;
  if (state->voids() > 0) {
    report_.warnings.push_back(std::to_string(state->voids()) + " void records in the log");
  }
  return {};
}

Result<void> Checker::warn_of(const Operation& op, const std::string& prefix,
                              const std::set<std::string>& known) {
  TRY(const std::vector<std::string> names, core_.store.list(op, prefix));
  std::uint64_t count = 0;
  std::string example;
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    if (count++ == 0) example = name;
  }
  if (count == 0) return {};
  MutexLock lock(mutex_);
  report_.warnings.push_back(std::to_string(count) + " objects below " + prefix +
                             " belong to no commit (such as " + printable(example) +
                             "): what an interrupted backup leaves");
  return {};
}

Result<void> Checker::garbage(const Operation& op) {
  std::set<std::string> packs, segments;
  for (const PackPlace& place : places_) packs.insert(pack_path(place.name));
  const auto state = core_.log.state();
  for (const auto& [id, session] : state->sessions()) {
    for (std::uint64_t i = 0; i < session.index_segments; ++i) {
      segments.insert(index_path(object_name(core_.keys, "index", id, i)));
    }
  }
  TRY_DO(warn_of(op, "packs/", packs));
  return warn_of(op, "index/", segments);
}

CheckReport Checker::report() {
  MutexLock lock(mutex_);
  return report_;
}

Result<CheckReport> check(const Operation& op, Repository& repository,
                          const CheckOptions& options) {
  auto* opened = dynamic_cast<OpenedRepository*>(&repository);
  if (opened == nullptr) {
    return fail(Error::Kind::invalid, "check: this repository was not opened by Repository::open");
  }
  Checker checker(*opened, options);
  TRY_DO(checker.objects(op));
  TRY_DO(checker.packs(op));
  TRY_DO(checker.snapshots(op));
  TRY_DO(checker.garbage(op));
  return checker.report();
}

}  // namespace lifeboat::repo
