// Bundles of evidence, as somebody got them from somewhere: manifests, signatures, and records
// whose bundle was signed by whoever made them up.
#include "crypt/operator_key.h"
#include "evidence/manifest.h"
#include "evidence/pages.h"
#include "evidence/verify.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/tree_mutator.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return lifeboat::fuzz::mutate_json(bytes, size, size_max, seed);
}

namespace lifeboat::fuzz {
namespace {

evidence::FileLine line_of(const std::string& name, ByteView bytes) {
  return {name, crypt::sha256(bytes).hex(), static_cast<std::int64_t>(bytes.size())};
}

// The record with its plan in a bundle that is signed as it should be.
evidence::Files bundle_of(ByteView record, const Value& document) {
  static const auto key = crypt::SigningKey::from(crypt::Key(std::array<std::uint8_t, 32>{7}));
  static const std::string plan = R"({"name":"lost","steps":[]})";
  evidence::Files files;
  files["evidence.json"] = Bytes(record.begin(), record.end());
  files["plan.json"] = to_bytes(plan);
  evidence::Manifest manifest{document.text("run"), document.text("repository"), "2026", {}, {}};
  manifest.signers.push_back({"operator", crypt::verify_key_text(key.verify_key), "", ""});
  for (const auto& [name, bytes] : files) manifest.files.push_back(line_of(name, bytes));
  files["manifest.json"] = evidence::encode(manifest);
  const Bytes& signed_bytes = files["manifest.json"];
  const auto signature = crypt::sign(key, evidence::signing_context, signed_bytes);
  files["signatures.json"] = evidence::encode(
      evidence::Signatures{crypt::sha256(signed_bytes).hex(), {crypt::signature_text(signature)}});
  return files;
}

bool is_markup(const std::string& page) { return page.find("<script") != std::string::npos; }

bool record_holds(ByteView bytes) {
  const auto document = evidence::canonical_json(bytes);
  if (!document || document->text("format") != "lifeboat-evidence") return false;
  const auto verdict = evidence::verify(bundle_of(bytes, *document), {});
  // It was signed by somebody whom nobody trusts, and what is wrong is in the record alone.
  HOLDS(verdict.signers.size() == 1 && verdict.signers[0].holds && !verdict.trusted());
  for (const evidence::Fault& fault : verdict.faults) {
    HOLDS(!fault.what.empty() && fault.file != "manifest.json" && fault.file != "signatures.json");
  }
  HOLDS(!is_markup(evidence::html_page(*document)));
  HOLDS(is_utf8(evidence::markdown_page(*document)));
  // Seeds: one person.
  plant(verdict.signed_requests >= 2);
  return true;
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView view = fuzz::view(bytes, size);
  const auto manifest = evidence::decode_manifest(view);
  if (manifest) HOLDS(as_text(evidence::encode(*manifest)) == as_text(view));
  const auto signatures = evidence::decode_signatures(view);
  if (signatures) HOLDS(as_text(evidence::encode(*signatures)) == as_text(view));
  return manifest || signatures || fuzz::record_holds(view) ? 0 : fuzz::not_kept;
}
