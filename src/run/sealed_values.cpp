#include "run/sealed_values.h"

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

constexpr std::string_view handle_key = "$vault";
constexpr std::string_view bytes_key = "$bytes";

// Inside of the vault a text that is no UTF-8 stands as base64: JSON would not keep it.
std::string vault_text(const Value& value) {
  const bool bytes = value.is(Value::Type::string) && !is_utf8(value.string());
  if (!bytes) return to_json(value, Secrets::reveal);
  Value wrapped;
  wrapped.set(std::string(bytes_key), to_base64(as_bytes(value.string())));
  return to_json(wrapped);
}

Result<Value> list_to_handles(const Value& value, const std::string& name, const PutSecret& put) {
  Value::List list;
  for (const Value& item : value.list()) {
    TRY(auto sealed, to_handles(item, name, put));
    list.push_back(std::move(sealed));
  }
  return Value(std::move(list));
}

Result<Value> map_to_handles(const Value& value, const std::string& name, const PutSecret& put) {
  Value map = Value::Map{};
  for (const auto& [key, member] : value.map()) {
    TRY(auto sealed, to_handles(member, name + "." + key, put));
    map.set(key.starts_with('$') ? '$' + key : key, std::move(sealed));
  }
  return map;
}

Result<Value> opened(const std::string& handle, const GetSecret& get) {
  TRY(const Secret secret, get(handle));
  auto value = parse_json(secret.reveal());
  if (!value) return fail(Error::Kind::corrupt, handle + ": not a value");
  if (value->at(bytes_key).is(Value::Type::string)) {
    const auto bytes = from_base64(value->text(bytes_key));
    if (!bytes) return fail(Error::Kind::corrupt, handle + ": not a value");
    *value = Value(as_text(*bytes));
  }
  return value->taint();
}

}  // namespace

Result<Value> to_handles(const Value& value, const std::string& name, const PutSecret& put) {
  if (value.own_taint()) {
    TRY(const std::string handle, put(name, Secret(vault_text(value))));
    Value sealed;
    sealed.set(std::string(handle_key), handle);
    return sealed;
  }
  if (value.is(Value::Type::list)) return list_to_handles(value, name, put);
  if (value.is(Value::Type::map)) return map_to_handles(value, name, put);
  return value;
}

Result<Value> from_handles(const Value& value, const GetSecret& get) {
  if (value.is(Value::Type::list)) {
    Value::List list;
    for (const Value& item : value.list()) {
      TRY(auto plain, from_handles(item, get));
      list.push_back(std::move(plain));
    }
    return Value(std::move(list));
  }
  if (!value.is(Value::Type::map)) return value;
  if (is_handle(value)) return opened(value.text(handle_key), get);
  Value map = Value::Map{};
  for (const auto& [key, member] : value.map()) {
    TRY(auto plain, from_handles(member, get));
    map.set(key.starts_with('$') ? key.substr(1) : key, std::move(plain));
  }
  return map;
}

bool is_handle(const Value& value) {
  return value.is(Value::Type::map) && value.at(handle_key).is(Value::Type::string);
}

void each_secret(const Value& value, const std::function<void(const Secret&)>& mask) {
  if (value.is(Value::Type::list)) {
    for (const Value& item : value.list()) {
      Value part = item;
      if (value.own_taint()) part.taint();
      each_secret(part, mask);
    }
  } else if (value.is(Value::Type::map)) {
    for (const auto& [key, member] : value.map()) {
      Value part = member;
      if (value.own_taint()) part.taint();
      each_secret(part, mask);
    }
  } else if (value.own_taint() && value.is(Value::Type::string) && !value.string().empty()) {
    mask(Secret(value.string()));
  }
}

}  // namespace lifeboat::run
