// evidence/verify.h - Whether a bundle of evidence is what was signed: offline, without any key.
//
// Every byte of every file is covered: by the digest in the manifest, by the signatures, or by
// there being one way only to write it. What does not fit is named by file, with the reason. Then
// the record is looked into: whether plan and people in it are proven by their own words.
//
// A signature tells which key signed, never whose it is: trust comes from outside, as keys that the
// caller knows. The writer's key is trusted too when the root key that certified it is: its
// certificate is verified first, and what a line says of a root otherwise counts for nothing.
//
// Threads: pure functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "evidence/evidence.h"

namespace lifeboat::evidence {

struct Fault {
  std::string file, what;
  bool newer = false;  // nothing was changed: a later version of the program wrote it
};

struct SignedBy {
  std::string role, key, root;  // as in the manifest
  bool holds = false;           // the signature, and the certificate where there is one
  bool trusted = false;
};

struct Verdict {
  std::vector<Fault> faults;
  std::vector<SignedBy> signers;
  std::string run, repository, made;
  std::string headline;  // of the record; "" when it cannot be read
  std::uint64_t files = 0, bytes = 0, signed_requests = 0, approvals = 0;
  bool whole() const { return faults.empty(); }
  // Whether a later version may find it whole: what this one understands of it is as it was signed.
  bool too_new() const;
  bool trusted() const;  // by a signature that holds
};

// `trust`: crypt::verify_key_text() of keys that the caller knows.
Verdict verify(const Files& files, const std::set<std::string>& trust);

}  // namespace lifeboat::evidence
