// Parts of lines that several types write.
#include <algorithm>
#include <cctype>
#include <chrono>

#include "base/bytes.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {

std::string pointer(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& key : path) {
    text += '/';
    for (const char c : key)
      text += c == '~' ? std::string("~0") : c == '/' ? "~1" : std::string(1, c);
  }
  return text;
}

std::string url_part(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

std::string local_file(const Value& path, plan::ByHand& hand) {
  const std::string word = hand.word(path);
  const auto known = hand.known(path);
  if (known && known->is(Value::Type::string)) {
    return known->string().starts_with('/') ? word : "\"$bundle\"/" + word;
  }
  return "\"$(case " + word + " in /*) ;; *) printf %s/ \"$bundle\" ;; esac; printf %s " + word +
         ")\"";
}

std::string same_json(const std::string& name, const Value& wanted, const std::string& file,
                      const std::string& place, plan::ByHand& hand) {
  hand.uses(plan::HandTool::same);
  hand.uses(plan::HandTool::value);
  const bool scalar = !wanted.is(Value::Type::list) && !wanted.is(Value::Type::map);
  const bool nothing = wanted.is_null();
  return "same " + name + " " +
         (nothing  ? std::string("null")
          : scalar ? hand.word(wanted)
                   : hand.json(wanted)) +
         " \"$(value " + file + " " + hand.text(place) +
         (nothing ? " 2>/dev/null || echo null)\"" : ")\"");
}

std::string seconds_of(const Value& config, std::string_view field, std::string_view fallback) {
  const auto time = parse_duration(config.text(field, fallback));
  const auto whole = std::chrono::ceil<std::chrono::seconds>(
      time.value_or(std::chrono::nanoseconds(std::chrono::seconds(1))));
  return std::to_string(std::max<std::int64_t>(whole.count(), 1));
}

}  // namespace lifeboat::steps::by_hand
