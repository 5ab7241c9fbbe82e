#include "source/postgres/database_restore.h"

#include <algorithm>

#include "source/postgres/catalog.h"
#include "source/postgres/dump.h"

namespace lifeboat::source::pg {
namespace {

// Pages of large objects go through a temporary table, this much at a time.
constexpr std::size_t pages_batch_bytes = 16u << 20;

// Hands out the bytes of an item in batches that end at a line.
class LineBatches {
 public:
  LineBatches(capture::Reader& reader, Progress& progress) : reader_(reader), progress_(progress) {}

  // Gathers the next batch; false: there is nothing more.
  Result<bool> next(const Operation& op) {
    batch_ = std::move(rest_);
    rest_.clear();
    taken_ = 0;
    Bytes part(256 << 10);
    while (batch_.size() < pages_batch_bytes) {
      TRY(const std::size_t count, reader_.read(op, part));
      if (count == 0) return !batch_.empty();
      progress_.add(count);
      append(batch_, ByteView(part).first(count));
    }
    const auto last = std::find(batch_.rbegin(), batch_.rend(), std::uint8_t{'\n'}).base();
    rest_.assign(last, batch_.end());
    batch_.erase(last, batch_.end());
    return true;
  }

  std::size_t take(std::span<std::uint8_t> out) {
    const std::size_t count = std::min(out.size(), batch_.size() - taken_);
    std::copy_n(batch_.begin() + static_cast<std::ptrdiff_t>(taken_), count, out.begin());
    taken_ += count;
    return count;
  }

 private:
  capture::Reader& reader_;
  Progress& progress_;
  Bytes batch_, rest_;
  std::size_t taken_ = 0;
};

Error about(Error error, const std::string& what) {
  error.what = what + ": " + error.what;
  return error;
}

}  // namespace

Result<ConnectionPointer> DatabaseRestore::open(const Operation& op) const {
  TRY(ConnectionPointer connection, connect(op, server, captured.name));
  // What is lost by a crash of the server now is made anew: the marker is not yet done.
  TRY(const Rows set, connection->execute(op, "SET synchronous_commit = off"));
  return connection;
}

Result<void> DatabaseRestore::run(const Operation& op) {
  const std::string context = "database " + printable(captured.name);
  TRY(const ConnectionPointer connection, open(op));
  TRY(const std::string pre_data, read_text(op, snapshot, captured.folder + "/pre-data.sql"));
  if (auto done = run_script(op, *connection, pre_data); !done) {
    return fail(about(std::move(done).error(), context));
  }
  if (auto done = copy_tables(op); !done) return fail(about(std::move(done).error(), context));
  if (auto done = put_large_objects(op, *connection); !done) {
    return fail(about(std::move(done).error(), context + ", large objects"));
  }
  TRY_DO(set_sequences(op, *connection));
  TRY(const std::string post_data, read_text(op, snapshot, captured.folder + "/post-data.sql"));
  const Crew crew{connections, [this](const Operation& mine) { return open(mine); }};
  if (auto done = run_post_data(op, crew, *connection, post_data); !done) {
    return fail(about(std::move(done).error(), context));
  }
  TRY(const ConnectionPointer last, open(op));  // post-data may have changed the session's settings
  TRY(const Rows analyzed, last->execute(op, "ANALYZE"));
  return {};
}

// The largest tables first, so that none of them is alone at the end.
Result<void> DatabaseRestore::copy_tables(const Operation& op) {
  const std::vector<Table> tables = manifest_tables(captured.manifest);
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const capture::Item* item = snapshot.find(tables[i].item);
    if (item == nullptr) {
      return fail(Error::Kind::corrupt, "the capture has no rows of table " + tables[i].quoted);
    }
    if (tables[i].rows > 0) order.emplace_back(item->size_bytes, i);
  }
  std::sort(order.rbegin(), order.rend());
  const Crew crew{connections, [this](const Operation& mine) { return open(mine); }};
  return for_each(op, crew, order.size(),
                  [&](const Operation& mine, Connection& connection, std::size_t at) {
                    return copy_table(mine, connection, order[at].second);
                  });
}

Result<void> DatabaseRestore::copy_table(const Operation& op, Connection& connection,
                                         std::size_t index) {
  const Table table = manifest_tables(captured.manifest)[index];
  TRY(const auto reader, snapshot.feed->open(op, *snapshot.find(table.item)));
  auto copied = connection.copy_in(op, copy_in_statement(table),
                                   [&](std::span<std::uint8_t> out) -> Result<std::size_t> {
                                     TRY(const std::size_t count, reader->read(op, out));
                                     progress.add(count);
                                     return count;
                                   });
  if (!copied) return fail(about(std::move(copied).error(), "table " + printable(table.quoted)));
  if (*copied != table.rows) {
    return fail(Error::Kind::corrupt, "table " + table.quoted + ": the capture tells of " +
                                          std::to_string(table.rows) + " rows and holds " +
                                          std::to_string(*copied));
  }
  return {};
}

Result<void> DatabaseRestore::put_large_objects(const Operation& op, Connection& connection) {
  const capture::Item* item = snapshot.find(captured.folder + "/large-objects.copy");
  if (item == nullptr) return {};
  TRY(const std::string script, read_text(op, snapshot, captured.folder + "/large-objects.sql"));
  TRY_DO(run_script(op, connection, script));
  TRY(const Rows made,
      connection.execute(op,
                         "CREATE TEMPORARY TABLE lifeboat_pages "
                         "(loid oid NOT NULL, pageno integer NOT NULL, data bytea NOT NULL)"));
  const auto page_bytes = captured.manifest.at("large_objects").integer("page_bytes", 2048);
  TRY(const auto reader, snapshot.feed->open(op, *item));
  LineBatches batches(*reader, progress);
  while (true) {
    TRY(const bool more, batches.next(op));
    if (!more) break;
    TRY(const std::uint64_t pages,
        connection.copy_in(
            op, "COPY pg_temp.lifeboat_pages FROM STDIN",
            [&](std::span<std::uint8_t> out) -> Result<std::size_t> { return batches.take(out); }));
    if (pages == 0) break;
    TRY(const Rows put, connection.query(op, "SELECT pg_catalog.lo_put(loid, pageno::bigint * " +
                                                 std::to_string(page_bytes) +
                                                 ", data) FROM pg_temp.lifeboat_pages"));
    TRY(const Rows emptied, connection.execute(op, "TRUNCATE pg_temp.lifeboat_pages"));
  }
  TRY(const Rows dropped, connection.execute(op, "DROP TABLE pg_temp.lifeboat_pages"));
  return {};
}

Result<void> DatabaseRestore::set_sequences(const Operation& op, Connection& connection) {
  std::string script;
  for (const Value& one : captured.manifest.at("sequences").list()) {
    script += "SELECT pg_catalog.setval(" + connection.literal(one.text("name")) +
              "::pg_catalog.regclass, " + std::to_string(one.integer("last_value", 1)) + ", " +
              (one.boolean("is_called", false) ? "true" : "false") + ");\n";
  }
  return run_script(op, connection, script);
}

}  // namespace lifeboat::source::pg
