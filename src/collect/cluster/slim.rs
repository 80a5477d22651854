//! JSON of lists without what nothing here reads: bookkeeping is half of what an API server sends of a pod.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Fields that are passed over at every depth, unread: who set which field when, and the whole object once more.
const DROPPED: [&str; 2] = ["managedFields", "kubectl.kubernetes.io/last-applied-configuration"];

/// Reads one document.
///
/// # Errors
/// When it is no JSON, or nested too deep.
pub(super) fn from_slice(bytes: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Slim.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Slim;

impl<'de> DeserializeSeed<'de> for Slim {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slim {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Slim)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if DROPPED.contains(&name.as_str()) {
                fields.next_value::<IgnoredAny>()?;
            } else {
                map.insert(name, fields.next_value_seed(Slim)?);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_but_bookkeeping_is_read_as_it_is() {
        let kept = json!({"a": [1, -2, 3.5, true, null, "ä\n", {"b": {}}], "c": []});
        let mut given = kept.clone();
        given["a"][6]["managedFields"] = json!([{"fieldsV1": {"f:spec": {}}}]);
        assert_eq!(from_slice(given.to_string().as_bytes()).unwrap(), kept);
    }

    #[test]
    fn what_is_no_json_is_an_error_also_in_what_is_passed_over() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "{", "{} x", "{\"managedFields\": [}", "{\"managedFields\": 1", &deep] {
            assert!(from_slice(text.as_bytes()).is_err(), "{text:.40}");
        }
        // What is passed over may be of any depth.
        let hidden = format!("{{\"managedFields\": {deep}}}");
        assert_eq!(from_slice(hidden.as_bytes()).unwrap(), json!({}));
    }
}
