//! Pods of one template differ in a few fields only: their spec is read once.

use serde_json::Value;

use super::template::Template;

/// Pod specs that were read without a problem, the newest last.
#[derive(Default)]
pub(crate) struct Specs<'v>(Vec<(&'v Value, Template)>);

/// How many are remembered. Pods of one template mostly come one after the other.
const KEPT: usize = 16;

impl<'v> Specs<'v> {
    /// What was read of an equal spec.
    pub(crate) fn known(&self, spec: &Value) -> Option<Template> {
        self.0.iter().rev().find(|(known, _)| is_alike(known, spec)).map(|(_, template)| template.clone())
    }

    /// Remembers what was read.
    pub(crate) fn add(&mut self, spec: &'v Value, template: &Template) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((spec, template.clone()));
    }
}

/// Whether two specs are equal but for the node, and the name of the volume with the token of the service account, which
/// is another one in every pod.
fn is_alike(a: &Value, b: &Value) -> bool {
    let (Value::Object(a), Value::Object(b)) = (a, b) else { return false };
    let fields = |spec| serde_json::Map::iter(spec).filter(|(name, _)| *name != "nodeName");
    let same = |((name, a), (other, b)): ((&String, &Value), (&String, &Value))| name == other && is_equal(a, b);
    fields(a).count() == fields(b).count() && fields(a).zip(fields(b)).all(same)
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((name, a), (other, b))| name == other && is_equal(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b)),
        (Value::String(a), Value::String(b)) => a == b || TOKENS.iter().any(|t| a.starts_with(t) && b.starts_with(t)),
        _ => a == b,
    }
}

/// Names of volumes with a token begin so.
pub(crate) const TOKENS: [&str; 2] = ["kube-api-access-", "default-token-"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_in_every_pod_may_differ() {
        let spec = |node: &str, volume: &str, image: &str| {
            json!({
                "nodeName": node,
                "containers": [{"image": image, "volumeMounts": [{"name": volume}]}],
                "volumes": [{"name": volume}],
            })
        };
        let a = spec("n1", "kube-api-access-aaaaa", "ray");
        assert!(is_alike(&a, &spec("n2", "kube-api-access-bbbbb", "ray")));
        assert!(!is_alike(&a, &spec("n1", "kube-api-access-aaaaa", "other")));
        assert!(!is_alike(&a, &spec("n1", "tls", "ray")));
        let mut more = a.clone();
        more["hostNetwork"] = json!(true);
        assert!(!is_alike(&a, &more) && !is_alike(&more, &a) && !is_alike(&a, &json!(null)));
    }
}
