#include "store/s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace lifeboat::store {
namespace {

constexpr std::string_view scheme = "s3://";
constexpr int put_attempts = 3;
constexpr const char* shape_hint =
    "write s3://BUCKET/PREFIX, and behind it what is not found elsewhere: "
    "?region=eu-west-1&endpoint=https://HOST&style=path&ca_file=/PATH";

tl::unexpected<Error> bad_place(const std::string& what) {
  return fail(Error::Kind::invalid, what, shape_hint, Error::Code::usage);
}

Result<void> apply_parameter(std::string_view word, s3::Address& address, std::string& style) {
  const std::size_t equals = word.find('=');
  const std::string name(word.substr(0, equals));
  const std::string value(equals == std::string_view::npos ? "" : word.substr(equals + 1));
  if (name == "region" && !value.empty()) {
    address.region = value;
  } else if (name == "endpoint" && !value.empty()) {
    TRY(address.endpoint, aws::read_endpoint(value));
  } else if (name == "ca_file" && value.starts_with('/')) {
    address.ca_file = value;
  } else if (name == "style" && (value == "path" || value == "host")) {
    style = value;
  } else {
    return bad_place("'" + printable(word) + "' means nothing in the address of a bucket");
  }
  return {};
}

// What a store in a bucket stands on, in a base of its own: made before the store, ended after it.
struct Ground {
  Ground(Launcher& launcher, const Clock& clock)
      : http(make_http_client(clock)),
        credentials(aws::find_credentials({http.get(), &launcher, &clock})) {}
  SystemRandom random;
  std::unique_ptr<HttpClient> http;
  std::unique_ptr<aws::CredentialSource> credentials;
};

class OwningS3Store final : private Ground, public S3Store {
 public:
  OwningS3Store(const S3Place& place, Launcher& launcher, const Clock& clock)
      : Ground(launcher, clock),
        S3Store({.address = place.address,
                 .http = http.get(),
                 .credentials = credentials.get(),
                 .clock = &clock,
                 .random = &random},
                place.prefix) {}
};

// As names of objects, and capital letters too: the bucket may have other uses.
bool is_prefix(std::string prefix) {
  for (char& c : prefix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return check_name("below/" + prefix).has_value();
}

Result<S3Place> read_place(const std::string& place, const aws::Variables& variables) {
  if (place.find('@') != std::string::npos) {  // not shown: it may be a key
    return bad_place("the address of a bucket has no login in it: credentials are found elsewhere");
  }
  std::string_view rest = std::string_view(place).substr(scheme.size());
  const std::size_t question = std::min(rest.find('?'), rest.size());
  std::string_view parameters = rest.substr(question);
  rest = rest.substr(0, question);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  S3Place made;
  made.address.bucket = rest.substr(0, slash);
  made.prefix = rest.substr(std::min(slash + 1, rest.size()));
  while (made.prefix.ends_with('/')) made.prefix.pop_back();
  const bool fits = !made.address.bucket.empty() &&
                    made.address.bucket.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos &&
                    (made.prefix.empty() || is_prefix(made.prefix));
  if (!fits) return bad_place("'" + printable(place) + "' is not the address of a bucket");
  if (!made.prefix.empty()) made.prefix += '/';
  std::string style;
  while (!parameters.empty()) {
    parameters.remove_prefix(1);  // "?" or "&"
    const std::size_t end = std::min(parameters.find('&'), parameters.size());
    TRY_DO(apply_parameter(parameters.substr(0, end), made.address, style));
    parameters.remove_prefix(end);
  }
  s3::Address& address = made.address;
  if (address.region.empty()) address.region = aws::find_region(variables);
  if (address.region.empty()) address.region = "us-east-1";
  if (address.ca_file.empty()) address.ca_file = aws::find_ca_file(variables);
  bool at_aws = false;
  if (address.endpoint.empty()) {
    TRY(aws::Endpoint found, aws::find_endpoint(variables, "s3", address.region));
    address.endpoint = std::move(found.url);
    at_aws = found.of_aws;
  }
  // A certificate for *.s3.region.amazonaws.com does not cover a bucket with a dot in its name.
  const bool dotted = address.bucket.find('.') != std::string::npos;
  address.path_style = style.empty() ? !at_aws || dotted : style == "path";
  return made;
}

}  // namespace

bool is_s3_place(const std::string& place) { return place.starts_with(scheme); }

Result<S3Place> parse_s3_place(const std::string& place, const aws::Variables& variables) {
  auto made = read_place(place, variables);
  if (made) return made;
  Error error = std::move(made).error();
  if (error.hint.empty()) error.hint = shape_hint;
  error.code = Error::Code::usage;
  return fail(std::move(error));
}

// Tried again: what was taken and is not there (removed meanwhile, or an old answer), and an upload
// in parts that somebody ended.
Result<Put> S3Store::put(const Operation& op, const std::string& name, ByteView bytes) {
  TRY_DO(check_name(name));
  const auto is_gone = [](const auto& answer) {
    return !answer && answer.error().kind == Error::Kind::not_found;
  };
  for (int attempt = 1; attempt <= put_attempts; ++attempt) {
    const auto written = bucket_.put_if_absent(op, prefix_ + name, bytes);
    if (is_gone(written)) continue;
    if (!written) return fail(written.error());
    if (*written == s3::Written::created) return Put::created;
    // Perhaps our own, whose answer was lost.
    const auto there = bucket_.get(op, prefix_ + name);
    if (is_gone(there)) continue;
    if (!there) return fail(there.error());
    return std::ranges::equal(*there, bytes) ? Put::created : Put::exists;
  }
  return fail(Error::Kind::unavailable, describe() + ": " + name + " is taken, and not there",
              "a removed object of that name may still be around: try again");
}

Result<Bytes> S3Store::get(const Operation& op, const std::string& name,
                           std::optional<Range> range) {
  TRY_DO(check_name(name));
  const std::string key = prefix_ + name;
  const auto named = [&](Error error) -> tl::unexpected<Error> {
    return fail(error.kind == Error::Kind::not_found ? no_object(name) : std::move(error));
  };
  if (!range) {
    auto whole = bucket_.get(op, key);
    if (!whole) return named(std::move(whole).error());
    return whole;
  }
  Bytes bytes;
  if (range->length_bytes > 0) {
    auto part = bucket_.get(op, key, s3::ByteRange{range->offset_bytes, range->length_bytes});
    if (!part) return named(std::move(part).error());
    bytes = *std::move(part);
    if (bytes.size() == range->length_bytes) return bytes;
  }
  TRY(const std::uint64_t whole, size(op, name));
  if (range->length_bytes == 0 && range->offset_bytes <= whole) return bytes;
  return fail(short_object(name, *range, whole));
}

Result<std::uint64_t> S3Store::size(const Operation& op, const std::string& name) {
  TRY_DO(check_name(name));
  auto length = bucket_.size(op, prefix_ + name);
  if (!length && length.error().kind == Error::Kind::not_found) return fail(no_object(name));
  return length;
}

Result<void> S3Store::remove(const Operation& op, const std::string& name) {
  TRY_DO(check_name(name));
  return bucket_.remove(op, prefix_ + name);
}

Result<std::vector<std::string>> S3Store::list(const Operation& op, const std::string& prefix) {
  TRY_DO(check_prefix(prefix));
  TRY(std::vector<std::string> keys, bucket_.list(op, prefix_ + prefix));
  std::vector<std::string> names;
  for (const std::string& key : keys) {
    if (!key.starts_with(prefix_)) continue;
    std::string name = key.substr(prefix_.size());
    if (check_name(name)) names.push_back(std::move(name));  // what is not ours is passed over
  }
  std::ranges::sort(names);
  return names;
}

std::string S3Store::describe() const {
  const s3::Address& at = bucket_.address();
  std::string path = at.bucket + "/" + prefix_;
  path.pop_back();
  return fmt::format("bucket s3://{} at {}", path, at.endpoint);
}

Result<std::unique_ptr<Store>> open_s3(const std::string& place, Launcher& launcher,
                                       const Clock& clock) {
  TRY(const S3Place at, parse_s3_place(place, aws::own_environment()));
  return std::unique_ptr<Store>(std::make_unique<OwningS3Store>(at, launcher, clock));
}

}  // namespace lifeboat::store
