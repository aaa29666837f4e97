//! Makes schemas strict: what an API server would only warn of, or drop, is a fault.

use serde_json::{Map, Value, json};

/// A quantity, such as 500m or 2Gi.
const QUANTITY: &str = r"^[+-]?[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

/// Where a schema lists properties, no others are allowed, unless it says what others may be.
pub(crate) fn make_strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            adapt(object);
            object.values_mut().for_each(make_strict);
        }
        Value::Array(items) => items.iter_mut().for_each(make_strict),
        _ => {}
    }
}

fn adapt(object: &mut Map<String, Value>) {
    let is = |object: &Map<String, Value>, key: &str| object.get(key) == Some(&Value::Bool(true));
    if is(object, "x-kubernetes-int-or-string")
        || object.get("format").is_some_and(|format| format == "int-or-string")
    {
        object.remove("anyOf");
        object.insert("type".to_owned(), json!(["string", "integer"]));
    }
    if is(object, "nullable")
        && let Some(Value::String(kind)) = object.get("type").cloned()
    {
        object.insert("type".to_owned(), json!([kind, "null"]));
    }
    // JavaScript, by whose patterns schemas go, cannot turn to ignoring case.
    if object.get("pattern").and_then(Value::as_str).is_some_and(|text| text.contains("(?i)")) {
        object.remove("pattern");
    }
    let open = is(object, "x-kubernetes-preserve-unknown-fields")
        || object.contains_key("additionalProperties");
    // A property may itself be named `properties`.
    if object.get("properties").is_some_and(Value::is_object)
        && object.get("type").is_some_and(|kind| kind == "object" || kind.is_array())
        && !open
    {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// The schema of a quantity, which Kubernetes itself describes as any text.
pub(crate) fn quantity() -> Value {
    json!({"anyOf": [{"type": "string", "pattern": QUANTITY}, {"type": "number"}]})
}
