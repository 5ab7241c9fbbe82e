// source/postgres/database_restore.h - Fills one database that exists and is empty.
#pragma once

#include <atomic>

#include "source/postgres/snapshot_feed.h"

namespace lifeboat::source::pg {

struct Progress {
  std::atomic<std::uint64_t> done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::function<void(std::uint64_t, std::uint64_t)> report;
  void add(std::uint64_t bytes) {
    const std::uint64_t now = done_bytes += bytes;
    if (report) report(now, total_bytes);
  }
};

struct DatabaseRestore {
  const Server& server;
  const SnapshotFeed& snapshot;
  const Captured& captured;
  unsigned connections;
  Progress& progress;

  // Definitions, rows on several connections, large objects, sequences, indexes and constraints,
  // statistics; in this order. Nothing of it is undone on an error.
  Result<void> run(const Operation& op);

 private:
  Result<void> copy_tables(const Operation& op);
  Result<void> copy_table(const Operation& op, Connection& connection, std::size_t index);
  Result<void> put_large_objects(const Operation& op, Connection& connection);
  Result<void> set_sequences(const Operation& op, Connection& connection);
  Result<ConnectionPointer> open(const Operation& op) const;
};

}  // namespace lifeboat::source::pg
