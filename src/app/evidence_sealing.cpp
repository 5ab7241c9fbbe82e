#include "app/evidence_sealing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/operator_input.h"
#include "app/registry.h"
#include "app/version.h"
#include "base/descriptor.h"
#include "run/engine.h"
#include "run/takeover.h"

namespace lifeboat::app {
namespace {

// Of the program that runs; "" when it cannot be read (a report never fails for that).
std::string own_digest() {
  const Descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  crypt::Sha256 hash;
  Bytes buffer(1u << 20);
  while (file.open()) {
    const ssize_t got = ::read(file.number(), buffer.data(), buffer.size());
    if (got < 0) break;
    if (got == 0) return hash.finish().hex();
    hash.add(ByteView(buffer).first(static_cast<std::size_t>(got)));
  }
  return "";
}

// The last driver of the run, when this process was it; else a new one.
journal::Driver author(Program& program, const run::RunState& run) {
  const journal::Driver ours = run::this_driver(program.random());
  if (run.drivers.empty()) return ours;
  const journal::Driver& last = run.drivers.back().driver;
  const bool same = last.host == ours.host && last.pid == ours.pid && last.boot == ours.boot;
  return same ? last : ours;
}

}  // namespace

std::optional<crypt::SigningKey> evidence_key(const Operation& op, Program& program) {
  auto key = operator_key(op, program);
  if (key) return *key;
  program.terminal().say("evidence will not be signed by an operator: " +
                         printable(key.error().what));
  return std::nullopt;
}

Result<std::optional<evidence::Sealed>> seal_evidence(
    const Operation& op, Program& program, repo::Repository& repository, const run::RunState& run,
    const std::optional<crypt::SigningKey>& operator_key) {
  const steps::RestoreWorld no_world;  // steps are only asked what they change
  const plan::StepTypes types = known_steps(no_world);
  evidence::Maker maker;
  maker.version = program_version;
  maker.program = own_digest();
  maker.types = &types;
  maker.operator_key = operator_key;
  maker.driver = author(program, run);
  return evidence::seal_run(op, repository, run.pins.run, maker);
}

void seal_former_end(const Operation& op, Program& program, repo::Repository& repository,
                     const std::string& run, const std::optional<crypt::SigningKey>& operator_key) {
  const auto read = run::read_run(op, repository, run);
  // Going on tells what cannot be read; what has recovered is not gone on with.
  if (!read || !read->state.end || read->state.recovered()) return;
  const std::string end =
      "evidence of its end before (" + printable(read->state.end->outcome) + ")";
  const auto sealed = seal_evidence(op, program, repository, read->state, operator_key);
  if (!sealed) {
    program.terminal().say(end + " could not be made, and this run will have none of it: " +
                           printable(sealed.error().what));
  } else if (*sealed && (*sealed)->made_now) {
    program.terminal().say(end + ": signed and kept with the run");
  }
}

void tell_evidence(const Operation& op, Program& program, repo::Repository& repository,
                   const run::RunState& run, const std::optional<crypt::SigningKey>& operator_key) {
  const auto sealed = seal_evidence(op, program, repository, run, operator_key);
  const std::string command = "`lifeboat evidence export " + run.pins.run + " FOLDER`";
  program.terminal().end_progress();
  if (!sealed) {
    program.terminal().say(fmt::format("evidence: not made yet: {}; {} makes it",
                                       printable(sealed.error().what), command));
  } else if (*sealed && (*sealed)->made_now) {
    program.terminal().say(
        fmt::format("evidence: signed and kept with the run; {} writes it", command));
  }
}

}  // namespace lifeboat::app
