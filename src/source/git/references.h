// source/git/references.h - The references of a repository: what makes two repositories equal.
//
// Names and object ids, and where HEAD points. Objects follow: ids are hashes of contents, so equal
// references and a clean `git fsck` are equal repositories. Our marker, refs/lifeboat/marker (a
// blob with one line of JSON), is no part of the content.
//
// Threads: values; reading as the GitProgram.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "source/git/git_program.h"
#include "source/source.h"

namespace lifeboat::source::git {

constexpr const char* marker_ref = "refs/lifeboat/marker";

struct References {
  std::string head;  // "refs/heads/main" (born or not), an id when detached, "" when not known
  std::map<std::string, std::string> ids;  // by name; without those of refs/lifeboat/
  std::string marker_id;                   // of the blob; "" = none
  bool operator==(const References&) const = default;
};

// Of the repository on this machine whose git directory is `git_dir`.
Result<References> read_local(const Operation& op, const GitProgram& git,
                              const std::string& git_dir);
// Of the address, by its transport. References of the forge itself (pull and merge requests) are
// left out: nobody can push them; their number goes to `left_out`.
Result<References> read_remote(const Operation& op, const GitProgram& git, std::size_t& left_out);

Value to_value(const References& references);
// Errors: corrupt.
Result<References> from_value(const Value& value);

// SHA-256 of HEAD and all names and ids.
std::string digest(const References& references);

// "2 missing (refs/heads/a, refs/tags/b), 1 different (..)": "" when `live` equals `wanted`.
std::string differences(const References& wanted, const References& live);

}  // namespace lifeboat::source::git
