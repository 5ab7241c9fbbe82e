#include "app/input_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "client/secret/secret_file.h"

namespace lifeboat::app {
namespace {

Result<std::pair<std::string, std::string>> name_and_rest(const std::string& option,
                                                          const std::string& word,
                                                          const std::string& rest) {
  const std::size_t equals = word.find('=');
  if (equals != std::string::npos && equals != 0) {
    return std::pair(word.substr(0, equals), word.substr(equals + 1));
  }
  return fail(Error::Kind::invalid,
              fmt::format("{} {} is not NAME={}", option, printable(word), rest), "",
              Error::Code::usage);
}

}  // namespace

Result<Value> read_input_words(const Operation& op, const plan::Plan& plan,
                               const std::vector<std::string>& words,
                               const std::vector<std::string>& files) {
  Value given{Value::Map{}};
  for (const std::string& word : words) {
    TRY(const auto pair, name_and_rest("--input", word, "VALUE"));
    const auto& [name, value] = pair;
    const auto input = std::ranges::find(plan.inputs, name, &plan::InputField::name);
    if (input != plan.inputs.end() && input->secret) {
      return fail(Error::Kind::invalid,
                  "input '" + name + "' is a secret, and arguments can be read by everyone here",
                  "--input-file " + name + "=PATH, or let it ask", Error::Code::usage);
    }
    given.set(name, value);
  }
  for (const std::string& word : files) {
    TRY(const auto pair, name_and_rest("--input-file", word, "PATH"));
    const auto content = read_secret_file(op, pair.second);
    if (!content) {
      Error unread = content.error();
      if (unread.kind != Error::Kind::cancelled) unread.code = Error::Code::usage;
      return wrap(std::move(unread), "--input-file " + pair.first);
    }
    given.set(pair.first, content->reveal());
  }
  return given;
}

}  // namespace lifeboat::app
