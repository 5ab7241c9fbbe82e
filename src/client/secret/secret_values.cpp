#include "client/secret/secret_values.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>

#include "base/bytes.h"
#include "base/descriptor.h"
#include "client/secret/secret_file.h"
#include "client/secret/secret_program.h"

namespace lifeboat {
namespace {

// Calls `visit` for every value below `value` whose shape is `secret`.
Result<void> each_secret(Value& value, const Record& record,
                         const std::function<Result<void>(Value&)>& visit);

Result<void> each_secret(Value& value, const Shape& shape,
                         const std::function<Result<void>(Value&)>& visit) {
  switch (shape.kind) {
    case Shape::Kind::secret:
      return value.is_null() ? Result<void>{} : visit(value);
    case Shape::Kind::list:
      if (value.is(Value::Type::list)) {
        for (Value& item : value.list()) TRY_DO(each_secret(item, *shape.inner, visit));
      }
      return {};
    case Shape::Kind::map:
      if (value.is(Value::Type::map)) {
        for (auto& [key, item] : value.map()) TRY_DO(each_secret(item, *shape.inner, visit));
      }
      return {};
    case Shape::Kind::record:
      return each_secret(value, *shape.record, visit);
    default:
      return {};
  }
}

Result<void> each_secret(Value& value, const Record& record,
                         const std::function<Result<void>(Value&)>& visit) {
  if (!value.is(Value::Type::map)) return {};
  for (const Field& field : record.fields) {
    const auto found = value.map().find(field.name);
    if (found != value.map().end()) TRY_DO(each_secret(found->second, field.shape, visit));
  }
  return {};
}

Result<const char*> variable_of(const Value& place) {
  const std::string& name = place.at("env").string();
  const char* text = std::getenv(name.c_str());
  if (text != nullptr) return text;
  return fail(Error::Kind::invalid, "environment variable " + name + " is not set",
              "set it to the secret that " + place.mark().text() + " asks for");
}

std::string path_of(const Value& place, const SecretSources& sources) {
  const std::string& path = place.at("file").string();
  return path.starts_with('/') ? path : sources.directory + "/" + path;
}

// Not opened: that would take a pipe from whoever reads the secret out of it.
Result<void> file_is_there(const std::string& path) {
  struct stat facts{};
  const bool seen = stat(path.c_str(), &facts) == 0;
  if (seen && S_ISDIR(facts.st_mode)) {
    return fail(Error::Kind::invalid, "secret file " + printable(path) + " is a folder");
  }
  if (seen && faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0) return {};
  const int error = errno;
  return fail(error == EACCES ? Error::Kind::denied : Error::Kind::not_found,
              "secret file " + printable(path) + ": " + errno_text(error),
              "put the secret there, readable by this user only");
}

Result<std::string> secret_of(const Operation& op, const Value& place,
                              const SecretSources& sources) {
  if (place.has("env")) {
    TRY(const char* text, variable_of(place));
    return std::string(text);
  }
  if (place.has("file")) {
    TRY(const Secret text, read_secret_file(op, path_of(place, sources)));
    return std::string(text.reveal());
  }
  if (place.has("exec")) {
    Command command;
    for (const Value& word : place.at("exec").list()) command.argv.push_back(word.string());
    command.directory = sources.directory;
    TRY(const Secret told, ask_secret_program(op, *sources.launcher, std::move(command)));
    return std::string(told.reveal());
  }
  return fail(Error::Kind::invalid, "a secret needs one of env, file, exec", "",
              Error::Code::usage);
}

}  // namespace

Result<void> reveal_secrets(const Operation& op, Value& value, const Record& record,
                            const SecretSources& sources) {
  return each_secret(value, record, [&](Value& place) -> Result<void> {
    if (place.is(Value::Type::map)) {
      TRY(std::string text, secret_of(op, place, sources));
      const Mark mark = place.mark();
      place = Value(std::move(text));
      place.at_mark(mark);
    }
    place.taint();
    if (sources.launcher != nullptr && place.is(Value::Type::string)) {
      sources.launcher->mask(Secret(place.string()));
    }
    return {};
  });
}

Result<void> secret_is_there(const Value& place, const SecretSources& sources) {
  if (place.has("env")) {
    TRY_DO(variable_of(place));
  } else if (place.has("file")) {
    TRY_DO(file_is_there(path_of(place, sources)));
  } else if (place.has("exec")) {
    TRY_DO(find_program(place.at("exec").list().at(0).string(), sources.directory, std::nullopt));
  }
  return {};
}

std::vector<std::string> secret_places(const Value& value, const Record& record) {
  std::vector<std::string> places;
  Value copy = value;
  const auto note = [&](Value& place) -> Result<void> {
    if (place.has("env")) places.push_back("environment variable " + place.text("env"));
    if (place.has("file")) places.push_back("file " + place.text("file"));
    if (place.has("exec") && !place.at("exec").list().empty()) {
      places.push_back("program " + place.at("exec").list()[0].string());
    }
    return {};
  };
  if (!each_secret(copy, record, note)) places.clear();  // note() never fails
  return places;
}

}  // namespace lifeboat
