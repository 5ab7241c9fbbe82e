// The only file that knows yaml-cpp. Its parser recurses once a level, but tells the handler of
// each level before it goes down: throwing at depth 64 bounds its stack as well.
#include "platform/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/bytes.h"
#include "base/guard.h"

namespace lifeboat::platform {
namespace {

constexpr std::size_t findings_max = 100;
constexpr std::size_t key_max_bytes = 256;

// Byte columns of yaml-cpp to columns of characters.
class Places {
 public:
  Places(std::string_view text, const std::string& file) : file_(file) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines_.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }

  Mark mark(const YAML::Mark& place) const {
    // yaml-cpp names places after the end for what is missing there.
    const std::size_t line =
        std::min(static_cast<std::size_t>(std::max(place.line, 0)), lines_.size() - 1);
    const std::string_view text = lines_[line];
    const auto bytes = std::min(static_cast<std::size_t>(std::max(place.column, 0)), text.size());
    // Places come mostly in order: counting goes on from the last one, or a file of one long line
    // would cost the square of its length.
    if (line != line_) {
      line_ = line;
      bytes_ = characters_ = 0;
    }
    const auto between =
        text.substr(std::min(bytes_, bytes), std::max(bytes_, bytes) - std::min(bytes_, bytes));
    const auto count =
        static_cast<std::size_t>(std::count_if(between.begin(), between.end(), [](char c) {
          return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
        }));
    characters_ = bytes >= bytes_ ? characters_ + count : characters_ - count;
    bytes_ = bytes;
    return {file_, static_cast<int>(line) + 1, static_cast<int>(characters_) + 1};
  }

 private:
  const std::string& file_;
  std::vector<std::string_view> lines_;
  mutable std::size_t line_ = 0, bytes_ = 0, characters_ = 0;
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(const Places& places, std::vector<Finding>& findings)
      : places_(places), findings_(findings) {}

  Value take() { return std::move(root_); }
  // Where the last thing stands that was understood.
  const Mark& last() const { return last_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (expects_key()) stop(mark, "a key is missing before ':'");
    put(Value(), mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    add(mark, "aliases (*name) are not read", "write the value out");
    if (expects_key()) stop(mark, "a key must be plain text");
    put(Value(), mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) return key(mark, text);
    Value value(text);
    // yaml-cpp tells unquoted scalars by the tag "?".
    value.set_plain(tag == "?");
    put(std::move(value), mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value(Value::List{}), mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value(Value::Map{}), mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Value value;
    std::string key;
    Mark key_mark;
    bool has_key = false;
    bool twice = false;  // the key is there already: its value is read and dropped
  };

  void add(const YAML::Mark& mark, std::string message, std::string hint = {}) {
    if (findings_.size() < findings_max) {
      findings_.push_back({places_.mark(mark), "", std::move(message), std::move(hint)});
    }
  }
  [[noreturn]] static void stop(const YAML::Mark& mark, const std::string& message) {
    throw YAML::ParserException(mark, message);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) add(mark, "anchors (&name) are not read", "remove it");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    add(mark, "tags (!name) are not read", "remove it; types follow from the key");
  }
  bool expects_key() const {
    return !open_.empty() && open_.back().value.is(Value::Type::map) && !open_.back().has_key;
  }

  void key(const YAML::Mark& mark, const std::string& text) {
    Level& level = open_.back();
    if (text.size() > key_max_bytes) stop(mark, "a key is longer than 256 bytes");
    level.key = text;
    level.key_mark = last_ = places_.mark(mark);
    level.has_key = true;
    level.twice = level.value.has(text);
    if (level.twice) {
      add(mark, "the key '" + printable(text) + "' stands here twice",
          "first at " + level.value.at(text).key_mark().text());
    }
  }

  void open(Value value, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) stop(mark, "a key must be plain text, not a list or map");
    if (open_.size() >= yaml_depth_max) {
      stop(mark, "nested deeper than " + std::to_string(yaml_depth_max) + " levels");
    }
    last_ = places_.mark(mark);
    value.at_mark(last_);
    open_.push_back({std::move(value), {}, {}, false, false});
  }

  void close() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    add_to_parent(std::move(done));
  }

  void put(Value value, const YAML::Mark& mark) {
    last_ = places_.mark(mark);
    value.at_mark(last_);
    add_to_parent(std::move(value));
  }

  void add_to_parent(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = open_.back();
    if (level.value.is(Value::Type::list)) {
      level.value.push(std::move(value));
      return;
    }
    value.at_key(level.key_mark.line, level.key_mark.column);
    if (!level.twice) level.value.set(std::move(level.key), std::move(value));
    level.has_key = false;
  }

  const Places& places_;
  std::vector<Finding>& findings_;
  std::vector<Level> open_;
  Value root_;
  Mark last_;
};

// yaml-cpp's words for people who did not write a parser.
Finding told(const Places& places, const YAML::Exception& error, const Mark& last) {
  Finding finding{places.mark(error.mark), "", error.msg, ""};
  const std::string after = "it begins after " + last.text();
  if (error.msg == "illegal map value" || error.msg == "end of map not found") {
    finding.message = "the YAML breaks off here: no value is expected";
    finding.hint = "check the indentation, and put quotes around text that holds ': '";
  } else if (error.msg.find("document indicator") != std::string::npos) {
    finding.message = "a quoted text is not closed";
    finding.hint = after;
  } else if (error.msg.find("flow not found") != std::string::npos) {
    finding.message = "a '[' or '{' is not closed";
    finding.hint = "the last that was understood is at " + last.text();
  } else if (error.msg.find("anchor") != std::string::npos) {
    finding.message = "aliases (*name) are not read";
    finding.hint = "write the value out";
  }
  return finding;
}

}  // namespace

Value parse_yaml(std::string_view text, const std::string& file, std::vector<Finding>& findings) {
  const std::size_t before = findings.size();
  check_text(text, file, findings);
  if (findings.size() > before) return {};
  const Places places(text, file);
  Builder builder(places, findings);
  try {
    // yaml-cpp takes a quoted text that runs to the end of the file for closed. The end-of-document
    // mark, which may not stand within quotes, makes it see.
    std::istringstream stream(std::string(text) + "\n...\n");
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Value root = builder.take();
    if (root.is_null()) {
      findings.push_back({{file, 1, 1}, "", "the file is empty", ""});
      return root;
    }
    Builder rest(places, findings);
    if (findings.size() == before && parser.HandleNextDocument(rest)) {
      findings.push_back({rest.take().mark(), "", "a second document begins here",
                          "the platform file is one document; remove the '---'"});
    }
    return root;
  } catch (const YAML::Exception& error) {
    findings.push_back(told(places, error, builder.last()));
  }
  return {};
}

}  // namespace lifeboat::platform
