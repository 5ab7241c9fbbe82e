#include "journal/chain_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "crypt/crypt.h"
#include "journal/objects.h"

namespace lifeboat::journal {
namespace {

constexpr std::uint64_t probe_ahead = 8;

struct Remembered {
  std::uint64_t segments = 0;
  Id head;
};

std::filesystem::path memory_path(const repo::Repository& repository, const std::string& run) {
  const auto& memory = repository.environment().memory;
  return memory.empty() ? memory : memory / "runs" / repository.id() / run;
}

std::optional<Remembered> recall(const repo::Repository& repository, const std::string& run) {
  const auto path = memory_path(repository, run);
  if (path.empty()) return std::nullopt;
  std::ifstream file(path);
  std::uint64_t segments = 0;
  std::string hash;
  if (!(file >> segments >> hash) || segments == 0) return std::nullopt;
  const auto bytes = from_hex(hash);
  const auto head = bytes ? Id::from(*bytes) : std::nullopt;
  if (!head) return std::nullopt;
  return Remembered{segments, *head};
}

auto refuse(const std::string& run, std::uint64_t number, std::string_view what) {
  return fail(
      Error::Kind::corrupt, fmt::format("run {}: segment {} {}", run, number, what),
      fmt::format("nothing was changed; put {} back from a copy of the repository, or begin "
                  "a new run: `lifeboat recover`",
                  segment_name(run, number)),
      Error::Code::integrity);
}

// Adds segment `chain.segments` to the chain, or answers that it is not there.
Result<bool> read_next(const Operation& op, repo::Repository& repository, const std::string& run,
                       Chain& chain) {
  const std::uint64_t number = chain.segments;
  const std::string name = segment_name(run, number);
  auto stored = repository.store().get(op, name);
  if (!stored && stored.error().kind == Error::Kind::not_found) return false;
  if (!stored) return fail(stored.error());
  auto plain = repository.unseal(segment_kind, name, *stored);
  if (!plain) {
    if (plain.error().kind != Error::Kind::corrupt) return fail(plain.error());
    return refuse(run, number, "is cut or altered: " + plain.error().what);
  }
  auto segment = decode(*plain);
  if (!segment) {
    if (segment.error().kind != Error::Kind::corrupt) return fail(segment.error());
    return refuse(run, number, "cannot be read: " + segment.error().what);
  }
  const std::optional<Id> expected =
      number == 0 ? std::optional<Id>() : std::optional<Id>(chain.head);
  if (segment->run != run || segment->number != number || segment->previous != expected) {
    return refuse(run, number, "does not follow the segment before it");
  }
  chain.head = crypt::sha256(*stored);
  chain.segments = number + 1;
  chain.driver = segment->driver;
  std::ranges::move(segment->events, std::back_inserter(chain.events));
  return true;
}

// A segment beyond the head, by probing and by what the listing hints at.
Result<bool> anything_beyond(const Operation& op, store::Store& store, const std::string& run,
                             std::uint64_t head) {
  for (std::uint64_t number = head + 1; number <= head + probe_ahead; ++number) {
    TRY(const bool there, present(op, store, segment_name(run, number)));
    if (there) return true;
  }
  const std::string prefix = "runs/" + run + "/";
  TRY(const auto names, store.list(op, prefix));
  return std::ranges::any_of(names, [&](const std::string& name) {
    const auto number = number_from_hex(std::string_view(name).substr(prefix.size()));
    return number && *number > head;
  });
}

Result<void> compare_with_memory(const std::string& run, const Chain& chain, const Remembered& seen,
                                 const std::optional<Id>& at_seen) {
  if (seen.segments > chain.segments)
    return refuse(run, chain.segments, "is missing: this machine has seen it before");
  if (at_seen != seen.head) {
    return refuse(run, seen.segments - 1, "is not the one that this machine has seen before");
  }
  return {};
}

}  // namespace

Result<Chain> read_chain(const Operation& op, repo::Repository& repository,
                         const std::string& run) {
  TRY_DO(check_run_name(run));
  const auto seen = recall(repository, run);
  Chain chain;
  std::optional<Id> at_seen;
  for (bool whole = false; !whole;) {
    for (bool more = true; more;) {
      TRY_DO(op.proceed());
      TRY(more, read_next(op, repository, run, chain));
      if (seen && chain.segments == seen->segments) at_seen = chain.head;
    }
    TRY(const bool beyond, anything_beyond(op, repository.store(), run, chain.segments));
    // A driver at work may have written the next ones between our looks.
    TRY(const bool appeared, present(op, repository.store(), segment_name(run, chain.segments)));
    if (beyond && !appeared) return refuse(run, chain.segments, "is missing");
    whole = !appeared;
  }
  if (seen) TRY_DO(compare_with_memory(run, chain, *seen, at_seen));
  if (chain.segments == 0) {
    return fail(Error::Kind::not_found, "there is no run " + printable(run) + " in this repository",
                "`lifeboat runs list` shows the runs");
  }
  chain.freshness_proven = seen.has_value();
  return chain;
}

Result<std::uint64_t> read_further(const Operation& op, repo::Repository& repository,
                                   const std::string& run, Chain& chain) {
  const std::uint64_t before = chain.segments;
  for (bool more = true; more;) {
    TRY_DO(op.proceed());
    TRY(more, read_next(op, repository, run, chain));
  }
  return chain.segments - before;
}

bool remember_head(const repo::Repository& repository, const std::string& run,
                   std::uint64_t segments, const Id& head) {
  const auto path = memory_path(repository, run);
  if (path.empty()) return false;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  auto fresh = path;
  fresh += ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << segments << ' ' << head.hex() << '\n';
    if (!file.flush()) return false;
  }
  std::filesystem::rename(fresh, path, error);
  return !error;
}

Result<std::uint64_t> count_segments(const Operation& op, repo::Repository& repository,
                                     const std::string& run) {
  TRY_DO(check_run_name(run));
  return first_absent(op, repository.store(), "runs/" + run + "/");
}

}  // namespace lifeboat::journal
