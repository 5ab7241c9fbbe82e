#include "evidence/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypt/operator_key.h"
#include "evidence/document.h"
#include "evidence/manifest.h"
#include "evidence/people.h"
#include "evidence/sections.h"
#include "repo/keys.h"

namespace lifeboat::evidence {
namespace {

constexpr std::string_view document_file = "evidence.json";

class Verifier {
 public:
  Verifier(const Files& files, const std::set<std::string>& trust) : files_(files), trust_(trust) {}

  Verdict verify() {
    for (const auto& [name, bytes] : files_) verdict_.bytes += bytes.size();
    verdict_.files = files_.size();
    check_signatures();
    // A manifest that was changed says nothing of other files.
    if (manifest_ && !known(manifest_file)) {
      check_files();
      check_document();
    }
    return std::move(verdict_);
  }

 private:
  void fault(std::string_view file, std::string what) {
    verdict_.faults.push_back({std::string(file), std::move(what), false});
  }

  const Bytes* file(std::string_view name) {
    const auto found = files_.find(std::string(name));
    if (found != files_.end()) return &found->second;
    fault(name, "is missing");
    return nullptr;
  }

  template <class T>
  std::optional<T> readable(std::string_view name, Result<T> decoded) {
    if (decoded) return *std::move(decoded);
    fault(name, decoded.error().what);
    verdict_.faults.back().newer = decoded.error().effective_code() == Error::Code::version_too_new;
    return std::nullopt;
  }

  // By a key that the caller knows: this one, or a root that certified it. What else a line says of
  // a root is only said.
  bool is_vouched_for(const SignerLine& line) const {
    if (!fault_of(line).empty()) return false;
    return trust_.contains(line.key) ||
           (line.role == repository_role && trust_.contains(line.root));
  }

  // One signature each; whether all of them hold.
  bool look_at_signers(const Bytes& manifest, const std::vector<std::string>& signatures) {
    bool all = !manifest_->signers.empty();
    for (std::size_t i = 0; i < manifest_->signers.size(); ++i) {
      const SignerLine& line = manifest_->signers[i];
      const auto key = crypt::verify_key_from(line.key);
      const auto signature = i < signatures.size() ? crypt::signature_from(signatures[i])
                                                   : std::optional<crypt::Signature>();
      SignedBy by{line.role, line.key, line.root, false, false};
      by.holds = key && signature && crypt::verify(*key, signing_context, manifest, *signature);
      by.trusted = by.holds && is_vouched_for(line);
      all = all && by.holds;
      verdict_.signers.push_back(std::move(by));
    }
    return all;
  }

  // Which of the two files is to blame when they do not fit together: the manifest, unless what is
  // signed is these very bytes.
  void check_signatures() {
    const Bytes* bytes = file(manifest_file);
    const Bytes* signed_by = file(signatures_file);
    if (bytes != nullptr) manifest_ = readable(manifest_file, decode_manifest(*bytes));
    std::optional<Signatures> signatures;
    if (signed_by != nullptr) {
      signatures = readable(signatures_file, decode_signatures(*signed_by));
    }
    if (!manifest_) {
      // Of a later version, or its version was changed: the digest beside the signatures tells.
      if (bytes != nullptr && signatures && crypt::sha256(*bytes).hex() != signatures->manifest) {
        fault(manifest_file, "it was changed: the signatures are of other bytes");
      }
      return;
    }
    // The two are written by one program.
    for (Fault& of_signatures : verdict_.faults) of_signatures.newer = false;
    verdict_.run = manifest_->run;
    verdict_.repository = manifest_->repository;
    verdict_.made = manifest_->made;
    const bool hold =
        look_at_signers(*bytes, signatures ? signatures->of_signers : std::vector<std::string>{});
    if (!signatures) return;
    const bool same = crypt::sha256(*bytes).hex() == signatures->manifest;
    if (!same && hold) fault(signatures_file, "it names another digest of the manifest");
    if (!same && !hold) {
      fault(manifest_file, "it was changed: the signatures are of other bytes");
    }
    if (signatures->of_signers.size() != manifest_->signers.size()) {
      fault(signatures_file, fmt::format("it holds {} signatures, the manifest names {} signers",
                                         signatures->of_signers.size(), manifest_->signers.size()));
    } else if (same && !hold) {
      fault_of_signers();
    }
    for (const SignerLine& line : manifest_->signers) {
      if (std::string what = fault_of(line); !what.empty()) fault(manifest_file, std::move(what));
    }
  }

  void fault_of_signers() {
    for (const SignedBy& by : verdict_.signers) {
      if (!by.holds)
        fault(signatures_file, fmt::format("the signature of {} does not hold", by.key));
    }
    if (verdict_.signers.empty()) fault(manifest_file, "nobody signed it");
  }

  // What is wrong with a signer apart from its signature; "" = nothing.
  std::string fault_of(const SignerLine& line) const {
    if (line.role == operator_role) {
      const bool bare = line.root.empty() && line.certificate.empty();
      return bare ? "" : "an operator has a root or a certificate in it, which no operator has";
    }
    if (line.role != repository_role) {
      return fmt::format("it names a signer with the role '{}', which there is not", line.role);
    }
    return is_certified(line) ? "" : "the certificate of the repository's key does not hold";
  }

  bool is_certified(const SignerLine& line) const {
    const auto id = from_hex(manifest_->repository);
    const auto bytes = from_base64(line.certificate);
    const auto root = crypt::verify_key_from(line.root);
    repo::RepositoryId repository{};
    if (!id || id->size() != repository.size() || !bytes || !root) return false;
    std::ranges::copy(*id, repository.begin());
    const auto certificate = repo::decode_certificate(*bytes);
    return certificate && crypt::verify_key_text(certificate->verify_key) == line.key &&
           repo::verify(*certificate, *root, repository);
  }

  void check_files() {
    std::set<std::string> named{std::string(manifest_file), std::string(signatures_file)};
    for (const FileLine& line : manifest_->files) {
      if (!named.insert(line.name).second) fault(manifest_file, "it names a file twice");
      const Bytes* bytes = file(line.name);
      if (bytes == nullptr) continue;
      if (static_cast<std::int64_t>(bytes->size()) != line.size) {
        fault(line.name,
              fmt::format("it has {} bytes, the manifest says {}", bytes->size(), line.size));
      } else if (crypt::sha256(*bytes).hex() != line.sha256) {
        fault(line.name, "it was changed: its SHA-256 is not that of the manifest");
      }
    }
    for (const auto& [name, bytes] : files_) {
      if (!named.contains(name)) fault(name, "it was added: the manifest does not name it");
    }
  }

  void check_document() {
    const auto found = files_.find(std::string(document_file));
    if (found == files_.end()) {
      if (!names(document_file)) fault(manifest_file, "it names no evidence.json");
      return;
    }
    const auto document = canonical_json(found->second);
    // What was changed is named once, not for all that would follow from it.
    if (!document || known(document_file)) {
      return fault_once(document_file, document ? "" : document.error().what);
    }
    const std::int64_t version = document->integer("version", 0);
    if (document->text("format") != "lifeboat-evidence" || version < document_version) {
      return fault_once(document_file,
                        fmt::format("it is no evidence of version {}", document_version));
    }
    if (version > document_version) {
      fault(document_file,
            fmt::format("it has version {}, this program knows {}", version, document_version));
      verdict_.faults.back().newer = true;
      return;
    }
    verdict_.headline = headline(*document);
    if (document->text("run") != manifest_->run ||
        document->text("repository") != manifest_->repository) {
      fault_once(document_file, "it is of another run than the manifest");
    }
    const auto plans = plans_of(*document);
    const PeopleCheck people = check_people(*document, plans);
    verdict_.signed_requests = people.signed_requests;
    verdict_.approvals = people.approvals.size();
    if (verdict_.faults.empty()) {
      for (const std::string& what : people.faults) fault(document_file, what);
    }
  }

  bool names(std::string_view name) const {
    return std::ranges::any_of(manifest_->files,
                               [&](const FileLine& line) { return line.name == name; });
  }

  bool known(std::string_view name) const {
    return std::ranges::any_of(verdict_.faults, [&](const Fault& its) { return its.file == name; });
  }
  void fault_once(std::string_view name, std::string what) {
    if (!known(name)) fault(name, std::move(what));
  }

  std::vector<Value> plans_of(const Value& document) {
    std::vector<Value> plans;
    if (!document.at("plans").is(Value::Type::list)) return plans;
    for (const Value& line : document.at("plans").list()) {
      const std::string name = line.text("file");
      const auto found = files_.find(name);
      if (found == files_.end()) {
        fault_once(name, "is missing");
        return plans;
      }
      if (crypt::sha256(found->second).hex() != line.text("sha256")) {
        fault_once(name, "it is not the plan that the run had: its SHA-256 is another one");
      }
      const auto value = canonical_json(found->second);
      if (!value) {
        fault_once(name, value.error().what);
        return plans;
      }
      plans.push_back(*value);
    }
    return plans;
  }

  const Files& files_;
  const std::set<std::string>& trust_;
  Verdict verdict_;
  std::optional<Manifest> manifest_;
};

}  // namespace

bool Verdict::too_new() const { return !whole() && std::ranges::all_of(faults, &Fault::newer); }

bool Verdict::trusted() const {
  return std::ranges::any_of(signers, [](const SignedBy& by) { return by.holds && by.trusted; });
}

Verdict verify(const Files& files, const std::set<std::string>& trust) {
  return Verifier(files, trust).verify();
}

}  // namespace lifeboat::evidence
