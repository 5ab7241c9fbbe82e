// client/s3/answers.h - What S3's XML answers say.
//
// Threads: functions and values.  Source: Amazon S3 API reference; "Error responses".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lifeboat::s3 {

struct Refusal {
  std::string code, message;
  std::string region;  // told with some codes
};
// The <Error> of a body; nothing when it holds none.
std::optional<Refusal> read_refusal(std::string_view body);

struct Page {
  std::vector<std::string> keys;
  std::string next;  // "" = the last one
};
// Errors: invalid (no ListBucketResult).
Result<Page> read_page(std::string_view body);

// The UploadId.  Errors: invalid.
Result<std::string> read_upload_id(std::string_view body);

// Whether a completion says that it was completed: a 200 alone does not.
bool tells_completion(std::string_view body);

struct Part {
  int number = 0;
  std::string tag, checksum;  // ETag; SHA-256 in base64
};
std::string complete_body(const std::vector<Part>& parts);

}  // namespace lifeboat::s3
