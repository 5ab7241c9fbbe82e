// source/git/git_source.h - Source type "git": all references of a repository and their objects.
//
//   deploy: { git: { url: "https://git.acme.example/platform.git", user: ci,
//                    password: { env: GIT_PASSWORD } } }
//   config: { git: { path: /srv/git/config.git } }
//
// A capture is `manifest.json` (HEAD, every reference) and `objects.pack`, one pack of all objects
// that they need. From a folder it is streamed; from elsewhere the repository is fetched into a
// temporary folder first, and a forge's own references (pull requests) are left out. Nothing is
// read again while no reference has moved. Submodules, LFS objects, reflogs, hooks and
// configuration are not captured, and are remarked upon where they are in use.
//
// A restore makes the repository (on this machine; elsewhere it has to be there, empty), takes the
// pack in, moves the references in one transaction, or pushes them as a mirror. Kept aside by
// capture. The marker is the reference refs/lifeboat/marker. Verified by equal references and
// `git fsck --full`, elsewhere of a fresh mirror.
#pragma once

#include "source/git/git_program.h"
#include "source/source.h"

namespace lifeboat::source {

SourceType git_source();

// The source itself, on the address of `program`.
std::unique_ptr<Source> make_git_source(git::GitProgram program);

}  // namespace lifeboat::source
