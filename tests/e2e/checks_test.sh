#!/usr/bin/env bash
# A plan that proves from outside that the shop works again: compare, file-check, dns-check, journey,
# and notify, which tells of it. The site is a small one of the test's own, the names are Knot's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

clean_up() {
  testbed/process.py end --kill "$SCRATCH/site.pid" || true
  testbed/down "$SCRATCH/dns" || true
}

TheShopIsCaptured() {
  testbed/up dns "$SCRATCH/dns" >/dev/null
  # shellcheck source=/dev/null
  . "$SCRATCH/dns/env"
  local port
  port=$(testbed/process.py free-ports 1)
  testbed/process.py launch --pid-file "$SCRATCH/site.pid" --log "$SCRATCH/site.log" -- \
    "$PWD/tests/e2e/site.py" "$port" "$SCRATCH"
  until curl -sf -o /dev/null "http://127.0.0.1:$port/"; do sleep 0.05; done
  make_sources
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: small
repository: $W/repository
sources:
  uploads: { files: { path: $W/uploads } }
plans:
  lost:
    inputs:
      to: string
      address: string
      hook: { type: string, default: hook/team }
      probe: { type: secret, default: { env: PROBE } }
    steps:
      uploads:
        restore: { source: uploads, into: "\${inputs.to}" }
      same:
        compare: { source: uploads, at: "\${inputs.to}" }
        after: [uploads]
      there:
        file-check: { path: "\${inputs.to}/images", kind: folder, min_count: 1, max_size: 100 }
        after: [uploads]
      name:
        dns-check:
          name: www.acme.example
          expect: "\${inputs.address}"
          parent: "$TESTBED_DNS_PARENT"
          port: $TESTBED_DNS_PORT
          ttl: 1m
      shopping:
        journey:
          url: "http://127.0.0.1:$port"
          budget: 1m
          secrets: { password: "\${inputs.probe}" }
          requests:
            - { name: home, path: /, take: { csrf: { cookie: csrf, secret: true } } }
            - name: login
              method: POST
              path: /login
              safe: true
              json: { user: probe, password: "{{password}}", csrf: "{{csrf}}" }
              take: { token: { json: token, secret: true } }
            - name: account
              path: /account
              headers: { Authorization: "Bearer {{token}}" }
              expect: { json: { user: probe } }
        after: [there]
      told:
        notify:
          message: "the shop is back, \${there.count} picture"
          webhook:
            url: "http://127.0.0.1:$port/\${inputs.hook}"
            secrets: { key: { env: HOOK_KEY } }
            json: { plan: "\${run.plan}", routing: "{{key}}", text: "the shop is back" }
        after: [shopping]
        on_failure: continue
      last:
        file-check: "\${inputs.to}/a"
        after: [told]
END
  "$BINARY" init -q -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity"
  lifeboat backup
}

recover() { # recover PLACE INPUT...
  PROBE=${PROBE-of-the-probe} HOOK_KEY=of-the-hook lifeboat recover lost --input to="$1" --input address=192.0.2.1 "${@:2}"
}

ADryRunLooksAndTellsNobody() {
  ends 0 recover "$W/dry" --dry-run
  said "look at uploads against the recovery point" "nothing: verified only"
  [[ ! -e $SCRATCH/told && ! -e $W/dry ]]
}

EverythingIsProvenAndToldOnce() {
  ends 0 recover "$W/back"
  said "done    same" "done    name" "done    shopping" RECOVERED
  expect "messages" 1 "$(wc -l <"$SCRATCH/told")"
  jq -e '.plan == "lost" and .routing == "of-the-hook"' "$SCRATCH/told"
  local run
  run=$(jq -r '.key | split("/")[0] | ltrimstr("\"")' "$SCRATCH/told")
  lifeboat runs show "$run" >"$SCRATCH/report"
  lifeboat runs show "$run" -o json >>"$SCRATCH/report"
}

NoSecretIsInAReport() {
  [[ -s $SCRATCH/report ]]
  for secret in of-the-probe of-the-cookie of-the-token of-the-hook; do
    never grep -F "$secret" "$SCRATCH/report" "$SCRATCH/out"
  done
}

WhatDoesNotHoldIsToldWithBothValues() {
  ends 1 recover "$W/again" --input address=192.0.2.9
  said "A of www.acme.example at ns1.acme.example (127.0.0.2:" "192.0.2.9" "192.0.2.1 (ttl 5 s"
}

ALoginThatFailsEndsTheJourneyThere() {
  PROBE=wrong ends 1 recover "$W/locked"
  said "login: status" 403
  never grep -F "account: status" "$SCRATCH/out"
}

AHookThatIsDownHoldsNothingBack() {
  # The run says that not all of it came about; all that can go on has gone on.
  ends 1 recover "$W/quiet" --input hook=broken
  said "FAILED  told" "answered 500" "done    last" "NOT RECOVERED: told"
}

run_cases
