// platform/vocabulary_fixture.h - Source and step types for the tests of platform files. Tests
// only.
#pragma once

#include <string>
#include <vector>

#include "plan/plan_fixture.h"
#include "platform/platform.h"

namespace lifeboat::platform {

inline Vocabulary test_vocabulary() {
  static const plan::StepTypes steps = plan::test_types();
  Vocabulary words;
  words.steps = &steps;
  KnownSource postgres{"postgres", "a PostgreSQL server", {}};
  postgres.fields.name = "postgres";
  postgres.fields.fields = {plan::test_field("url", shape::string(), true),
                            plan::test_field("password", shape::secret()),
                            plan::test_field("ca_file", shape::string()),
                            plan::test_field("jobs", shape::integer()),
                            plan::test_field("databases", shape::string_or_list()),
                            plan::test_field("wait", shape::duration())};
  postgres.fields.short_form = "url";
  KnownSource files{"files", "a folder", {}};
  files.fields.name = "files";
  files.fields.fields = {plan::test_field("path", shape::string(), true),
                         plan::test_field("follow", shape::boolean())};
  words.sources = {postgres, files};
  return words;
}

// A file that has a bit of everything.
inline std::string good_file() {
  return R"(version: 1
platform: shop
repository: /var/lib/lifeboat   # a directory
objectives: { rto: 15m, rpo: 1h }
sources:
  orders:
    postgres: { url: "postgresql://db/orders", password: { env: ORDERS_PASSWORD }, jobs: 4 }
  uploads:
    files: { path: /srv/uploads, follow: false }
    description: what customers sent
  lone: { postgres: postgresql://db/lone }
plans:
  shop-lost:
    scenario: "Everything is gone"
    inputs:
      account: { type: string, ask: "New account" }
      pw: secret
    heartbeat: check.url
    steps:
      db: { run: { text: no, port: 5433, outputs: { url: string } }, timeout: 10m }
      orders:
        restore: { source: orders, into: "${db.url}" }
        retry: { times: 3, backoff: 2s }
      check:
        run: "${sources.orders.url} ${inputs.account} $${HOME}"
        after: [orders]
        on_failure: continue
)";
}

}  // namespace lifeboat::platform
