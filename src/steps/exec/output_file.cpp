#include "steps/exec/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/descriptor.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

constexpr off_t output_bytes_max = 4 << 20;

Result<Value> read_object(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat seen = {};
  if (!file.open() || fstat(file.number(), &seen) != 0 || !S_ISREG(seen.st_mode)) {
    return fail(Error::Kind::invalid, "the file that LIFEBOAT_OUTPUT names is gone or no file",
                "write to it; do not remove it");
  }
  if (seen.st_size > output_bytes_max) {
    return fail(Error::Kind::invalid, "the outputs are larger than 4 MiB");
  }
  TRY(const std::string text, read_all(file.number()));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Value(Value::Map());
  // The position is told, the text is not: it may hold secrets.
  const auto value = parse_json(text);
  if (!value || !value->is(Value::Type::map)) {
    return fail(Error::Kind::invalid, "what it wrote to $LIFEBOAT_OUTPUT is not one JSON object",
                "write one object with a member for each declared output");
  }
  return *value;
}

Result<Value> typed(const std::string& name, Value value, const Shape& shape) {
  if (shape.kind == Shape::Kind::secret) {
    if (!value.is(Value::Type::string)) {
      return fail(Error::Kind::invalid,
                  "output '" + name + "' is declared a secret and is " +
                      std::string(type_name(value.type())),
                  "secrets are strings");
    }
    value.taint();
    return value;
  }
  const std::string found(type_name(value.type()));
  std::vector<Finding> findings;
  // validate() would read the text "5432" as an integer: a program's JSON says what it means.
  const bool text_for_other =
      value.is(Value::Type::string) &&
      (shape.kind == Shape::Kind::integer || shape.kind == Shape::Kind::number ||
       shape.kind == Shape::Kind::boolean);
  if (!text_for_other) validate(value, shape, {.path = name}, findings);
  if (!text_for_other && findings.empty()) return value;
  return fail(Error::Kind::invalid,
              "output '" + name + "' is " + found + ", which is not of the declared type",
              findings.empty() ? "write it without quotes, or declare it a string"
                               : findings.front().message);
}

}  // namespace

Result<OutputFile> OutputFile::make() {
  TRY(TemporaryFolder folder, TemporaryFolder::make("output", TemporaryFolder::Place::memory));
  OutputFile file(std::move(folder));
  const Descriptor made(open(file.path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.open()) {
    return fail(Error::Kind::unavailable, "cannot make " + file.path_ + ": " + errno_text(errno));
  }
  return file;
}

OutputFile::~OutputFile() {
  if (path_.empty()) return;
  const Descriptor file(open(path_.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat seen = {};
  if (file.open() && fstat(file.number(), &seen) == 0 && S_ISREG(seen.st_mode) &&
      seen.st_size <= output_bytes_max) {
    write_all(file.number(), Bytes(static_cast<std::size_t>(seen.st_size)));
  }
}

Result<Value> OutputFile::read(const std::map<std::string, Shape>& declared) const {
  TRY(const Value written, read_object(path_));
  Value outputs = Value(Value::Map());
  for (const auto& [name, shape] : declared) {
    if (!written.has(name)) {
      return fail(Error::Kind::invalid, "output '" + name + "' was not written",
                  "write it to the JSON object in $LIFEBOAT_OUTPUT, or do not declare it");
    }
    TRY(Value value, typed(name, written.at(name), shape));
    outputs.set(name, std::move(value));
  }
  return outputs;
}

}  // namespace lifeboat::steps
