//! JSON of lists without what nothing here reads: bookkeeping is half of what an API server sends of a pod.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The annotation with the whole object once more.
const TWICE: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields that are passed over at every depth, unread, where they are objects or lists: who set which field when, where a
/// pod may run, and how the kubelet treats it. A label of such a name is text, and is kept.
const DROPPED: [&str; 9] = [
    "affinity",
    "lastState",
    "lifecycle",
    "livenessProbe",
    "managedFields",
    "readinessProbe",
    "startupProbe",
    "tolerations",
    "topologySpreadConstraints",
];

/// Reads one document.
///
/// # Errors
/// When it is no JSON, or nested too deep.
pub(super) fn from_slice(bytes: &[u8]) -> serde_json::Result<Value> {
    read(bytes, Of::Any)
}

/// Reads a list of pods, most of which have the spec of another one: a `spec` stays the JSON text that it is, and of a `status`
/// the conditions are passed over.
///
/// # Errors
/// As [`from_slice`]; a spec may be nested as deep as it likes.
pub(super) fn pods(bytes: &[u8]) -> serde_json::Result<Value> {
    read(bytes, Of::Pods)
}

fn read(bytes: &[u8], of: Of) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Slim { drop: false, of }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Slim {
    /// Whether an object or a list is passed over; it becomes null.
    drop: bool,
    of: Of,
}

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Any,
    /// A list of pods.
    Pods,
    /// Its items.
    Items,
    /// One of them.
    Pod,
    /// The status of one.
    Status,
}

impl Of {
    /// What the field of this name has.
    fn field(self, name: &str) -> Of {
        match (self, name) {
            (Of::Pods, "items") => Of::Items,
            (Of::Pod, "status") => Of::Status,
            _ => Of::Any,
        }
    }

    /// What an element has.
    fn element(self) -> Of {
        if self == Of::Items { Of::Pod } else { Of::Any }
    }
}

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
        if self.drop {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        let of = self.of.element();
        while let Some(item) = items.next_element_seed(Slim { drop: false, of })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        if self.drop {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if name == TWICE {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            if self.of == Of::Pod && name == "spec" {
                let text = fields.next_value::<&RawValue>()?.get();
                map.insert(name, Value::String(text.into()));
                continue;
            }
            let drop = DROPPED.contains(&name.as_str()) || self.of == Of::Status && name == "conditions";
            let value = fields.next_value_seed(Slim { drop, of: self.of.field(&name) })?;
            if !(drop && value.is_null()) {
                map.insert(name, value);
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
        let kept = json!({"a": [1, -2, 3.5, true, null, "ä\n", {"b": {}}], "c": [], "labels": {"lifecycle": "new"}});
        let mut given = kept.clone();
        given["a"][6]["managedFields"] = json!([{"fieldsV1": {"f:spec": {}}}]);
        given["livenessProbe"] = json!({"exec": {"command": ["ray", "health-check"]}});
        given["annotations"] = json!({});
        let mut kept = kept;
        kept["annotations"] = json!({});
        given["annotations"][TWICE] = json!("{}");
        assert_eq!(from_slice(given.to_string().as_bytes()).unwrap(), kept);
    }

    #[test]
    fn the_spec_of_a_pod_stays_text() {
        let pod = json!({"metadata": {"labels": {"spec": "a"}}, "status": {"phase": "Running", "conditions": [{}]}});
        let mut given = json!({"kind": "PodList", "spec": {"a": 1}, "items": [pod, {}]});
        let text = r#"{"nodeName": "a",  "containers": [null, "\u00e4"]}"#;
        given["items"][0]["spec"] = json!("@SPEC@");
        let given = given.to_string().replace("\"@SPEC@\"", text);
        let read = pods(given.as_bytes()).unwrap();
        assert_eq!(read["items"][0]["spec"], text);
        assert_eq!(read["items"][0]["metadata"]["labels"]["spec"], "a");
        assert_eq!(read["items"][0]["status"], json!({"phase": "Running"}));
        assert_eq!((&read["spec"], &read["items"][1]), (&json!({"a": 1}), &json!({})));
        assert!(pods(b"{\"items\": [{\"spec\": {\"a\": }}]}").is_err());
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
