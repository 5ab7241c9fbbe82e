#include "schema/fields.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lifeboat {
namespace {

Shape of_kind(Shape::Kind kind) {
  Shape shape;
  shape.kind = kind;
  return shape;
}

// Edit distance where swapping two neighbours is one edit ("itno" -> "into"): what fingers do.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string plural(const Shape& shape) {
  if (shape.kind == Shape::Kind::any || shape.kind == Shape::Kind::choice) return "values";
  std::string one = shape_name(shape);
  const auto space = one.find(' ');
  one = space == std::string::npos ? one : one.substr(space + 1);
  const auto word_end = std::min(one.find(' '), one.size());
  return one.insert(word_end, "s");
}

}  // namespace

namespace shape {
Shape string() { return of_kind(Shape::Kind::string); }
Shape boolean() { return of_kind(Shape::Kind::boolean); }
Shape integer() { return of_kind(Shape::Kind::integer); }
Shape number() { return of_kind(Shape::Kind::number); }
Shape duration() { return of_kind(Shape::Kind::duration); }
Shape time() { return of_kind(Shape::Kind::time); }
Shape secret() { return of_kind(Shape::Kind::secret); }
Shape any() { return of_kind(Shape::Kind::any); }

Shape choice(std::vector<std::string> choices) {
  Shape shape = of_kind(Shape::Kind::choice);
  shape.choices = std::move(choices);
  return shape;
}

Shape list(Shape inner) {
  Shape shape = of_kind(Shape::Kind::list);
  shape.inner = std::make_shared<const Shape>(std::move(inner));
  return shape;
}

Shape string_or_list() {
  Shape shape = list(string());
  shape.scalar_is_list = true;
  return shape;
}

Shape map(Shape inner) {
  Shape shape = of_kind(Shape::Kind::map);
  shape.inner = std::make_shared<const Shape>(std::move(inner));
  return shape;
}

Shape record(Record record) {
  Shape shape = of_kind(Shape::Kind::record);
  shape.record = std::make_shared<const Record>(std::move(record));
  return shape;
}
}  // namespace shape

const Field* Record::find(std::string_view key) const {
  for (const Field& field : fields) {
    if (field.name == key) return &field;
  }
  return nullptr;
}

std::string shape_name(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::string:
      return "a string";
    case Shape::Kind::boolean:
      return "true or false";
    case Shape::Kind::integer:
      return "an integer";
    case Shape::Kind::number:
      return "a number";
    case Shape::Kind::duration:
      return "a duration";
    case Shape::Kind::time:
      return "a time";
    case Shape::Kind::secret:
      return "a secret";
    case Shape::Kind::choice: {
      std::string text = "one of ";
      for (const std::string& choice : shape.choices) {
        if (text.size() > 7) text += ", ";
        text += choice;
      }
      return text;
    }
    case Shape::Kind::list:
      return (shape.scalar_is_list ? "a string or a list of " : "a list of ") +
             plural(*shape.inner);
    case Shape::Kind::map:
      return "a map of " + plural(*shape.inner);
    case Shape::Kind::record:
      return "a map" + (shape.record->name.empty() ? "" : " (" + shape.record->name + ")");
    case Shape::Kind::any:
      return "any value";
  }
  return "a value";
}

std::string scalar_text(const Value& value) {
  switch (value.type()) {
    case Value::Type::string:
      return value.string();
    case Value::Type::boolean:
      return value.boolean() ? "true" : "false";
    case Value::Type::integer:
      return std::to_string(value.integer());
    case Value::Type::number: {
      // The shortest text that reads back as the same number.
      std::array<char, 32> digits{};
      const double number = value.number();
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
      return {digits.data(), end};
    }
    default:
      return {};
  }
}

bool has_reference(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('$', at)) != std::string_view::npos;) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("${")) return true;
    at += rest.starts_with("$${") ? 3 : 1;
  }
  return false;
}

std::string Finding::text() const {
  std::string text = mark.text();
  if (!text.empty()) text += ": ";
  if (!path.empty()) text += path + ": ";
  text += message;
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  // Long words are no typing errors, and would cost time.
  if (word.size() > 64) return {};
  const std::size_t limit = word.size() / 3 + 1;
  std::string best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word.size() + limit || word.size() > candidate.size() + limit) continue;
    const std::size_t distance = edit_distance(word, candidate);
    // A word of which nothing is right is no suggestion.
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates,
                       std::string_view lead) {
  static constexpr std::size_t shown = 12;
  const std::string right = nearest(word, candidates);
  if (!right.empty()) return "did you mean '" + right + "'?";
  if (candidates.empty()) return {};
  std::string text(lead);
  for (std::size_t i = 0; i < candidates.size() && i < shown; ++i) {
    text += (i == 0 ? "" : ", ") + candidates[i];
  }
  return candidates.size() > shown ? text + ", ..." : text;
}

Error findings_error(const std::vector<Finding>& findings) {
  static constexpr std::size_t shown = 20;
  std::string text;
  for (std::size_t i = 0; i < findings.size() && i < shown; ++i) {
    if (i > 0) text += "\n";
    text += findings[i].text();
  }
  if (findings.size() > shown) {
    text += "\nand " + std::to_string(findings.size() - shown) + " more";
  }
  return {Error::Kind::invalid, std::move(text), "", Error::Code::usage};
}

}  // namespace lifeboat
