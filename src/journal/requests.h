// journal/requests.h - What people ask of a run that somebody else drives: runs/RUN/requests/<n>.
//
// The chain of a run has one writer, its driver. Everybody else who holds a key of the repository
// may ask: a request is an object of its own, numbered densely from 0, won by put-if-absent and
// never changed. The driver reads them in order, decides, and writes into the chain what it made
// of each; a request that no driver has read waits for the next one. So whoever approves, pauses or
// cancels needs no connection to the machine that works, and all of it stays with the run.
//
// What is asked is a text; whoever signed it is known by the key that verifies it. This file
// carries both and understands neither: run/request.h does.
//
// Findings of a review are kept in the same way, in a drawer of their own (evidence/review.h).
//
// Threads: functions.  Source: docs/format.md, "Requests".
#pragma once

#include <string>
#include <vector>

#include "repo/repository.h"

namespace lifeboat::journal {

struct Request {
  std::uint64_t number = 0;  // set by the store
  std::string text;          // canonical JSON, as it was signed; "" = it could not be read
  std::string key;           // of the one who signed: crypt::verify_key_text(); "" = not signed
  std::string signature;     // crypt::signature_text()
};

inline constexpr std::size_t request_text_bytes_max = 64u << 10;

// Puts a request behind all others; durable when its number is answered.
// Errors: unavailable; invalid when the text is too long.
Result<std::uint64_t> put_request(const Operation& op, repo::Repository& repository,
                                  const std::string& run, const Request& request);
// Those from number `first` on, at most `most`, to the first that is absent. One that does not
// open, or holds no request, has an empty text: it is nobody's, and stands in nobody's way.
// Errors: unavailable.
Result<std::vector<Request>> requests_from(const Operation& op, repo::Repository& repository,
                                           const std::string& run, std::uint64_t first,
                                           std::size_t most);

// Where signed words of a run are kept: numbered objects runs/RUN/FOLDER/<n>, sealed as `kind`.
struct Drawer {
  std::string_view folder, kind;
};
// As put_request() and requests_from(), of any drawer.
Result<std::uint64_t> put_words(const Operation& op, repo::Repository& repository,
                                const std::string& run, const Drawer& drawer, const Request& words);
Result<std::vector<Request>> words_from(const Operation& op, repo::Repository& repository,
                                        const std::string& run, const Drawer& drawer,
                                        std::uint64_t first, std::size_t most);

}  // namespace lifeboat::journal
