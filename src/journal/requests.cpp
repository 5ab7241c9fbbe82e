#include "journal/requests.h"

#include "journal/objects.h"
#include "journal/segment.h"
#include "schema/json.h"

namespace lifeboat::journal {
namespace {

constexpr Drawer requests{"requests", "run-request"};

std::string prefix_of(const std::string& run, const Drawer& drawer) {
  return "runs/" + run + "/" + std::string(drawer.folder) + "/";
}

Request request_from(ByteView plain) {
  const auto value = parse_json(as_text(plain));
  if (!value || value->text("text").size() > request_text_bytes_max) return {};
  return {0, value->text("text"), value->text("key"), value->text("signature")};
}

}  // namespace

Result<std::uint64_t> put_words(const Operation& op, repo::Repository& repository,
                                const std::string& run, const Drawer& drawer,
                                const Request& words) {
  if (words.text.size() > request_text_bytes_max) {
    return fail(Error::Kind::invalid, "what is asked is longer than 64 KiB",
                "give a shorter reason, or fewer inputs", Error::Code::usage);
  }
  Value body;
  body.set("text", words.text);
  body.set("key", words.key);
  body.set("signature", words.signature);
  const std::string plain = to_json(body);
  const std::string prefix = prefix_of(run, drawer);
  for (;;) {
    TRY(const std::uint64_t number, first_absent(op, repository.store(), prefix));
    const std::string name = prefix + number_hex(number);
    TRY(const Bytes sealed, repository.seal(drawer.kind, name, as_bytes(plain)));
    TRY(const bool ours, put_settled(op, repository.store(), name, sealed));
    if (ours) return number;  // else somebody else asked at the same moment
  }
}

Result<std::vector<Request>> words_from(const Operation& op, repo::Repository& repository,
                                        const std::string& run, const Drawer& drawer,
                                        std::uint64_t first, std::size_t most) {
  std::vector<Request> found;
  for (std::uint64_t number = first; found.size() < most; ++number) {
    const std::string name = prefix_of(run, drawer) + number_hex(number);
    const auto sealed = repository.store().get(op, name);
    if (!sealed && sealed.error().kind == Error::Kind::not_found) break;
    if (!sealed && !found.empty()) break;  // those that were found are worth more than none
    if (!sealed) return fail(sealed.error());
    const auto plain = repository.unseal(drawer.kind, name, *sealed);
    Request request = plain ? request_from(*plain) : Request{};
    request.number = number;
    found.push_back(std::move(request));
  }
  return found;
}

Result<std::uint64_t> put_request(const Operation& op, repo::Repository& repository,
                                  const std::string& run, const Request& request) {
  return put_words(op, repository, run, requests, request);
}

Result<std::vector<Request>> requests_from(const Operation& op, repo::Repository& repository,
                                           const std::string& run, std::uint64_t first,
                                           std::size_t most) {
  return words_from(op, repository, run, requests, first, most);
}

}  // namespace lifeboat::journal
