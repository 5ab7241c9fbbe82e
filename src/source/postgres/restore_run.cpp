#include "source/postgres/restore_run.h"

#include <algorithm>

#include "schema/json.h"
#include "source/postgres/database_restore.h"
#include "source/postgres/roles.h"

namespace lifeboat::source::pg {
namespace {

constexpr std::size_t longest_name_bytes = 63;
constexpr int rename_attempts = 50;
constexpr auto reopen_patience = std::chrono::seconds(10);

// What stands where a database is to be restored.
enum class Found { nothing, empty, our_partial, our_whole, foreign };
struct Job {
  const Captured* captured;
  Found found = Found::nothing;
};

class RestoreRun {
 public:
  RestoreRun(const Server& server, SnapshotFeed& snapshot, const RestoreOptions& options)
      : server_(server), snapshot_(snapshot), options_(options) {}

  Result<RestoreReport> run(const Operation& op) {
    std::vector<std::string> names;
    for (const Captured& one : snapshot_.databases) names.push_back(one.name);
    TRY(maintenance_, connect_maintenance(op, server_, names));
    TRY(identity_, identify(op, *maintenance_));
    TRY_DO(look(op));
    if (all_done_) return std::move(report_);
    TRY_DO(refuse_or_keep(op));
    if (!snapshot_.roles.is_null()) {
      TRY(report_.remarks,
          restore_roles(op, *maintenance_, snapshot_.roles, {identity_.user, options_.marker.run}));
      ++report_.items;
    }
    for (const Job& job : jobs_) TRY_DO(make_database(op, job));
    TRY_DO(fill(op));
    TRY_DO(finish(op));
    return std::move(report_);
  }

 private:
  bool ours(const Marker& marker) const {
    const Marker& mine = options_.marker;
    return marker.run == mine.run && marker.step == mine.step && marker.snapshot == mine.snapshot;
  }

  // Finds out what is there before anything is changed.
  Result<void> look(const Operation& op) {
    TRY(const auto all, list_databases(op, *maintenance_));
    all_done_ = !snapshot_.databases.empty();
    for (const Captured& one : snapshot_.databases) {
      const auto captured_version = one.manifest.integer("server_version", 0);
      if (captured_version / 10000 > identity_.version_number / 10000) {
        return fail(Error::Kind::invalid,
                    "database " + printable(one.name) + " is of PostgreSQL " +
                        std::to_string(captured_version / 10000) + ", the target is " +
                        identity_.version,
                    "restore into a server that is not older");
      }
      Job job{&one};
      const auto live = std::find_if(all.begin(), all.end(),
                                     [&](const Database& each) { return each.name == one.name; });
      bool done = false;
      if (live != all.end()) {
        TRY(job.found, judge(op, *live));
        done = job.found == Found::our_whole && live->marker && live->marker->done;
      }
      all_done_ = all_done_ && done;
      jobs_.push_back(job);
    }
    return {};
  }

  Result<Found> judge(const Operation& op, const Database& live) {
    if (live.kept) return Found::foreign;
    if (live.marker && ours(*live.marker)) {
      const bool whole = live.marker->done || live.complete == options_.marker.snapshot;
      return whole ? Found::our_whole : Found::our_partial;
    }
    if (live.marker) return Found::foreign;
    TRY(const bool something, holds_something(op, server_, live));
    return something ? Found::foreign : Found::empty;
  }

  Result<void> refuse_or_keep(const Operation& op) {
    for (const Job& job : jobs_) {
      if (job.found != Found::foreign || options_.foreign == Foreign::keep_aside) continue;
      return fail(Error::Kind::conflict,
                  "database " + printable(job.captured->name) + " at " +
                      server_.address.endpoint() + " holds data that this run did not put there",
                  "restore into another server, or let it be kept aside (foreign: keep_aside)",
                  Error::Code::refused);
    }
    for (Job& job : jobs_) {
      if (job.found != Found::foreign) continue;
      TRY_DO(keep_aside(op, job.captured->name));
      job.found = Found::nothing;
    }
    return {};
  }

  Result<void> execute(const Operation& op, const std::string& statement) {
    TRY(const Rows done, maintenance_->execute(op, statement));
    return {};
  }

  Result<std::string> free_name(const Operation& op, const std::string& name) {
    const std::string tail = "_before_" + options_.marker.run;
    TRY(const auto all, list_databases(op, *maintenance_));
    for (int number = 1;; ++number) {
      const std::string end = tail + (number == 1 ? "" : "_" + std::to_string(number));
      std::string head = name.substr(0, longest_name_bytes - std::min(end.size(), std::size_t{60}));
      while (!is_utf8(head)) head.pop_back();
      const std::string candidate = (head + end).substr(0, longest_name_bytes);
      const bool taken = std::any_of(all.begin(), all.end(),
                                     [&](const Database& one) { return one.name == candidate; });
      if (!taken) return candidate;
    }
  }

  // A database can be renamed only while nobody is in it: the door is closed, those inside are
  // sent away, and the rename is tried until they are gone.
  Result<void> keep_aside(const Operation& op, const std::string& name) {
    TRY(const std::string aside, free_name(op, name));
    const std::string old_name = maintenance_->identifier(name);
    const std::string new_name = maintenance_->identifier(aside);
    Value note;
    note.set("run", options_.marker.run);
    note.set("was", name);
    const std::string rename =
        "ALTER DATABASE " + old_name + " RENAME TO " + new_name + "; ALTER DATABASE " + new_name +
        " ALLOW_CONNECTIONS true; ALTER DATABASE " + new_name +
        " SET lifeboat.kept = " + maintenance_->literal(to_json(note)) + "; ALTER DATABASE " +
        new_name + " RESET lifeboat.marker; ALTER DATABASE " + new_name +
        " RESET lifeboat.complete";
    auto renamed = close_and_rename(op, name, rename);
    if (!renamed) return reopened(op, name, std::move(renamed).error());
    report_.kept_aside.push_back(aside);
    return {};
  }

  Result<void> close_and_rename(const Operation& op, const std::string& name,
                                const std::string& rename) {
    TRY_DO(execute(
        op, "ALTER DATABASE " + maintenance_->identifier(name) + " ALLOW_CONNECTIONS false"));
    for (int attempt = 1;; ++attempt) {
      TRY(const Rows ended,
          maintenance_->query(op,
                              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE datname = $1 AND pid <> pg_backend_pid()",
                              {name}));
      auto renamed = execute(op, rename);
      if (renamed) return {};
      if (maintenance_->last_state() != "55006" || attempt == rename_attempts) {
        return fail(std::move(renamed).error());
      }
      TRY_DO(op.pause(std::chrono::milliseconds(100)));
    }
  }

  // A database that could not be renamed is in use: its door opens again, whatever ended us. The
  // rename opens it itself, so one that is not there under its old name needs nothing.
  tl::unexpected<Error> reopened(const Operation& op, const std::string& name, Error why) {
    const Operation patient = Operation{op.clock}.within(reopen_patience);
    const std::string statement =
        "ALTER DATABASE " + maintenance_->identifier(name) + " ALLOW_CONNECTIONS true";
    auto opened = execute(patient, statement);
    if (!opened && opened.error().kind == Error::Kind::unavailable) {  // the connection broke
      auto again = connect_maintenance(patient, server_, {name});
      if (again) {
        maintenance_ = *std::move(again);
        opened = execute(patient, statement);
      }
    }
    if (!opened && opened.error().kind != Error::Kind::not_found) {
      why.what += "; database " + printable(name) + " accepts no connections now";
      why.hint = "let clients in again: " + statement;
    }
    return fail(std::move(why));
  }

  std::string locale_options(const Value& properties) const {
    const auto literal = [&](const char* key) {
      return maintenance_->literal(properties.text(key));
    };
    std::string options = " ENCODING " + literal("encoding") + " LC_COLLATE " +
                          literal("datcollate") + " LC_CTYPE " + literal("datctype");
    const std::string provider = properties.text("provider");
    if (provider == "i") options += " LOCALE_PROVIDER icu ICU_LOCALE " + literal("icu_locale");
    if (provider == "b") {
      options += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal("icu_locale");
    }
    return options;
  }

  // An empty database that carries our marker; others than superusers stay out until the end.
  Result<void> make_database(const Operation& op, const Job& job) {
    const std::string quoted = maintenance_->identifier(job.captured->name);
    const std::string mark = "ALTER DATABASE " + quoted + " SET lifeboat.marker = " +
                             maintenance_->literal(options_.marker.text());
    if (job.found == Found::our_whole) return execute(op, mark);
    if (job.found != Found::nothing) {
      TRY_DO(execute(op, "DROP DATABASE IF EXISTS " + quoted + " WITH (FORCE)"));
    }
    const Value& properties = job.captured->manifest.at("properties");
    const auto made = execute(op, "CREATE DATABASE " + quoted + " TEMPLATE template0" +
                                      locale_options(properties) + " OWNER " +
                                      maintenance_->identifier(properties.text("owner")) +
                                      (identity_.superuser ? " CONNECTION LIMIT 0" : ""));
    if (!made) {
      Error error = made.error();
      if (error.what.find("locale") != std::string::npos && error.hint.empty()) {
        error.hint = "make the locale on the server's machine (locale-gen)";
      }
      return fail(std::move(error));
    }
    return execute(op, mark);
  }

  Result<void> fill(const Operation& op) {
    Progress progress;
    progress.report = options_.progress;
    for (const Job& job : jobs_) {
      for (const auto& [name, item] : snapshot_.items) {
        const bool counts = name.starts_with(job.captured->folder + "/data/") ||
                            name == job.captured->folder + "/large-objects.copy";
        if (counts && job.found != Found::our_whole) progress.total_bytes += item.size_bytes;
      }
    }
    const unsigned connections =
        options_.connections != 0 ? options_.connections : server_.connections;
    for (const Job& job : jobs_) {
      if (job.found == Found::our_whole) continue;
      DatabaseRestore one{server_, snapshot_, *job.captured, connections, progress};
      TRY_DO(one.run(op));
      TRY_DO(execute(
          op, "ALTER DATABASE " + maintenance_->identifier(job.captured->name) +
                  " SET lifeboat.complete = " + maintenance_->literal(options_.marker.snapshot)));
      report_.items += job.captured->manifest.at("tables").list().size() + 3;
    }
    report_.bytes = progress.done_bytes;
    return {};
  }

  // Settings, grants, and `done` for all databases, in one transaction.
  Result<void> finish(const Operation& op) {
    TRY_DO(execute(op, "SET synchronous_commit = on; BEGIN"));
    Marker done = options_.marker;
    done.done = true;
    for (const Job& job : jobs_) {
      const std::string quoted = maintenance_->identifier(job.captured->name);
      TRY_DO(apply_settings(op, quoted, job.captured->manifest.at("settings")));
      TRY_DO(apply_properties(op, quoted, job.captured->manifest.at("properties")));
      TRY_DO(execute(op, "ALTER DATABASE " + quoted +
                             " SET lifeboat.marker = " + maintenance_->literal(done.text()) +
                             "; ALTER DATABASE " + quoted + " RESET lifeboat.complete"));
    }
    return execute(op, "COMMIT");
  }

  Result<void> apply_settings(const Operation& op, const std::string& quoted,
                              const Value& settings) {
    for (const Value& one : settings.list()) {
      const std::string whom =
          one.at("role").is_null()
              ? "DATABASE " + quoted
              : "ROLE " + maintenance_->identifier(one.text("role")) + " IN DATABASE " + quoted;
      auto set =
          execute(op, "ALTER " + whom + " SET " +
                          setting_clause(*maintenance_, one.text("name"), one.text("value")));
      if (!set) return wrap(std::move(set).error(), "setting " + one.text("name"));
    }
    return {};
  }

  Result<void> apply_properties(const Operation& op, const std::string& quoted,
                                const Value& properties) {
    TRY_DO(execute(op, "ALTER DATABASE " + quoted + " CONNECTION LIMIT " +
                           std::to_string(properties.integer("connection_limit", -1))));
    if (!properties.at("comment").is_null()) {
      TRY_DO(execute(op, "COMMENT ON DATABASE " + quoted + " IS " +
                             maintenance_->literal(properties.text("comment"))));
    }
    if (!properties.at("acl").is(Value::Type::list)) return {};
    TRY_DO(execute(op, "REVOKE ALL ON DATABASE " + quoted + " FROM PUBLIC, " +
                           maintenance_->identifier(properties.text("owner"))));
    for (const Value& one : properties.at("acl").list()) {
      const std::string grantee =
          one.at("grantee").is_null() ? "PUBLIC" : maintenance_->identifier(one.text("grantee"));
      TRY_DO(execute(op, "GRANT " + one.text("privilege") + " ON DATABASE " + quoted + " TO " +
                             grantee +
                             (one.boolean("grantable", false) ? " WITH GRANT OPTION" : "")));
    }
    return {};
  }

  const Server& server_;
  SnapshotFeed& snapshot_;
  const RestoreOptions& options_;
  ConnectionPointer maintenance_;
  Identity identity_;
  std::vector<Job> jobs_;
  bool all_done_ = false;
  RestoreReport report_;
};

}  // namespace

Result<RestoreReport> restore(const Operation& op, const Server& server, capture::Feed& feed,
                              const RestoreOptions& options) {
  TRY_DO(op.proceed());
  TRY(SnapshotFeed snapshot, read_feed(op, feed, options.only));
  return RestoreRun(server, snapshot, options).run(op);
}

}  // namespace lifeboat::source::pg
