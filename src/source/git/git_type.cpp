// The configuration of source type "git", and how a restore step turns it to another repository.
#include <fmt/format.h>

#include "source/git/git_source.h"

namespace lifeboat::source {
namespace {

Record git_fields() {
  return {.name = "git",
          .help = "All references of a git repository, with their objects.",
          .fields = {{.name = "url",
                      .shape = shape::string(),
                      .help = "http(s)://, ssh://, host:path, file:// or a path"},
                     {.name = "path", .shape = shape::string(), .help = "a folder, for `url`"},
                     {.name = "user", .shape = shape::string(), .help = "for http(s)"},
                     {.name = "password", .shape = shape::secret(), .help = "for http(s)"},
                     {.name = "ca_file",
                      .shape = shape::string(),
                      .help = "certificates to trust instead of the system's"}},
          .short_form = "url"};
}

Result<Value> retarget(const Value& config, const std::string& into, const Value& with) {
  Value target = config;
  if (target.is(Value::Type::map)) target.map().erase("path");
  target.set("url", into);
  // A login is sent nowhere but to where it belongs: another host gets its own by `with`.
  const std::string from = config.text("url", config.text("path"));
  const auto old_place = git::read_address(from, "/"), new_place = git::read_address(into, "/");
  if (!old_place || !new_place || old_place->url.empty() || !new_place->user.empty() ||
      old_place->url.substr(0, old_place->url.find('/', 8)) !=
          new_place->url.substr(0, new_place->url.find('/', 8))) {
    target.map().erase("user");
    target.map().erase("password");
  }
  if (!with.is(Value::Type::map)) return target;
  const Record fields = git_fields();
  for (const auto& [name, value] : with.map()) {
    if (fields.find(name) == nullptr) {
      return fail(Error::Kind::invalid, fmt::format("with: git has no field '{}'", name), "",
                  Error::Code::usage);
    }
    target.set(name, value);
  }
  return target;
}

}  // namespace

SourceType git_source() {
  SourceType type;
  type.name = "git";
  type.help = git_fields().help;
  type.fields = git_fields();
  type.keeps_aside = KeepsAside::by_capture;
  type.retarget = retarget;
  type.make = [](const Value& config, const Context& context) -> Result<std::unique_ptr<Source>> {
    const std::string text = config.text("url", config.text("path"));
    if (text.empty() || (config.has("url") && config.has("path"))) {
      return fail(Error::Kind::invalid, "git: give url or path, one of them", "",
                  Error::Code::usage);
    }
    TRY(git::Address address, git::read_address(text, context.directory));
    if (!config.text("user").empty()) address.user = config.text("user");
    if (!config.text("password").empty()) address.password = Secret(config.text("password"));
    address.ca_file = config.text("ca_file");
    if (!address.ca_file.empty() && address.ca_file.front() != '/') {
      address.ca_file = context.directory + "/" + address.ca_file;
    }
    return make_git_source(git::GitProgram(*context.launcher, std::move(address)));
  };
  type.local_paths = [](const Value& config) {
    const auto address = git::read_address(config.text("url", config.text("path")), ".");
    std::vector<std::string> paths;
    if (address && address->is_local()) paths.push_back(address->path);
    return paths;
  };
  return type;
}

}  // namespace lifeboat::source
