#include "platform/walk.h"

#include "base/bytes.h"

namespace lifeboat::platform {
namespace {

// The one member of a map that a secret may be; null when the node holds no secret.
const std::pair<const std::string, Value>* secret_of(const Visited& node) {
  const bool may = node.shape.kind == Shape::Kind::secret || node.shape.kind == Shape::Kind::any;
  if (!may || !node.value.is(Value::Type::map) || node.value.map().size() != 1) return nullptr;
  return &*node.value.map().begin();
}

Shape member_shape(const Shape& shape, const std::string& name) {
  if (shape.kind == Shape::Kind::map) return *shape.inner;
  const Field* field = shape.kind == Shape::Kind::record ? shape.record->find(name) : nullptr;
  return field == nullptr ? shape::any() : field->shape;
}

}  // namespace

void walk(const Visited& node, const std::function<bool(const Visited&)>& visit) {
  if (!visit(node)) return;
  if (node.value.is(Value::Type::list)) {
    const Shape inner = node.shape.kind == Shape::Kind::list ? *node.shape.inner : shape::any();
    for (const Value& item : node.value.list()) walk({item, inner, node.key, node.path}, visit);
  }
  if (!node.value.is(Value::Type::map)) return;
  for (const auto& [name, member] : node.value.map()) {
    const Shape inner = member_shape(node.shape, name);
    walk({member, inner, name, node.path + "." + printable(name)}, visit);
  }
}

std::string secret_origin(const Visited& node) {
  const auto* secret = secret_of(node);
  if (secret == nullptr) return {};
  const auto& [word, from] = *secret;
  const bool text = from.is(Value::Type::string);
  if (word == "env" && text) return "environment variable " + printable(from.string());
  if (word == "file" && text) return "file " + printable(from.string());
  const bool program = from.is(Value::Type::list) && !from.list().empty() &&
                       from.list().front().is(Value::Type::string);
  if (word == "exec" && program) return "program " + printable(from.list().front().string());
  return {};
}

std::string secret_file(const Visited& node) {
  const auto* secret = secret_of(node);
  const bool file = secret != nullptr && secret->first == "file";
  return file && secret->second.is(Value::Type::string) ? secret->second.string() : std::string();
}

}  // namespace lifeboat::platform
