// Writes the golden bundle of evidence: once a version, by hand, into a new folder.
//   golden-evidence tests/golden/vN/evidence
#include <cstdio>

#include "base/fake_clock.h"
#include "evidence/evidence_fixture.h"
#include "evidence/folder.h"
#include "journal/fake_repository.h"
#include "store/memory.h"

int main(int argc, char** argv) {
  using namespace lifeboat;
  if (argc != 2) return 2;
  FakeClock clock;
  SeededRandom random(1);
  store::MemoryStore store;
  journal::FakeRepository repository(store, {&clock, &random, "host", {}, {}, 1, 1u << 20});
  const auto account = evidence::sample_account(repository);
  const auto written =
      evidence::write_folder(argv[1], evidence::bundle_of(evidence::make_document(account),
                                                          repository, account.maker.operator_key));
  if (!written) std::fprintf(stderr, "%s\n", written.error().what.c_str());
  return written ? 0 : 1;
}
