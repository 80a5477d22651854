//! Pods of one template differ in a few fields only: their spec is read once.

use serde_json::Value;

use super::field::{Field, Reading};
use super::template::{Template, template};

/// Pod specs that were read, the newest last.
#[derive(Default)]
pub(crate) struct Specs(Vec<Known>);

/// A spec that was read.
pub(crate) struct Known {
    /// The spec as the API server wrote it, less what differs in every pod; none where it must not be taken for another's.
    text: Option<String>,
    /// What was read of it.
    pub(crate) template: Template,
    /// Where the last workload with it is among those that were found.
    pub(crate) like: Option<usize>,
}

/// How many are remembered. Pods of one template mostly come one after the other.
const KEPT: usize = 16;

impl Specs {
    /// What is known of the spec of a pod. In a list of the API server it is still JSON text, and an equal one is not read
    /// again; in a manifest it is a value.
    pub(crate) fn known(&mut self, spec: &Field<'_>, reading: &mut Reading<'_>) -> &mut Known {
        let text = match spec.value() {
            Some(Value::String(text)) if reading.origin.file.is_none() => Some(text.as_str()),
            _ => None,
        };
        let shared = text.map(without_own);
        let equal = |known: &Known| shared.is_some() && known.text == shared;
        let at = self.0.iter().rposition(equal).unwrap_or_else(|| {
            let before = reading.problems.len();
            let template = match text.map(serde_json::from_str::<Value>) {
                None => template(spec, reading),
                Some(Ok(value)) => template(&Field::new(&value, spec.path()), reading),
                Some(Err(why)) => {
                    reading.problem(spec.path(), format!("{} cannot be read: {why}", spec.path()));
                    Template::default()
                }
            };
            // A problem has to be told of every pod.
            let text = shared.filter(|_| reading.problems.len() == before);
            if self.0.len() == KEPT {
                self.0.remove(0);
            }
            self.0.push(Known { text, template, like: None });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

/// A spec without the node, and without the end of the name of the volume with the token of the service account. Neither is
/// kept of a template.
fn without_own(spec: &str) -> String {
    // Inside of a string these quotes would be escaped.
    blank(&blank(spec, "\"nodeName\":\""), "\"name\":\"kube-api-access-")
}

/// Without what stands between `begin` and the next quote.
fn blank(text: &str, begin: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split(begin).enumerate() {
        match at {
            0 => out.push_str(part),
            _ => out.extend([begin, part.find('"').map_or(part, |end| &part[end..])]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::collect::assemble::field::Marks;
    use crate::evidence::{ObjectRef, Origin};

    fn spec(node: &str, volume: &str, image: &str) -> String {
        let mounts = json!([{"name": volume, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
        let container = json!({"name": "ray", "image": image, "volumeMounts": mounts});
        json!({"nodeName": node, "containers": [container], "volumes": [{"name": volume, "emptyDir": {}}]}).to_string()
    }

    #[test]
    fn only_what_differs_in_every_pod_may_differ() {
        let a = spec("n1", "kube-api-access-aaaaa", "ray");
        assert_eq!(without_own(&a), without_own(&spec("n2", "kube-api-access-bbbbb", "ray")));
        assert_ne!(without_own(&a), without_own(&spec("n1", "kube-api-access-aaaaa", "other")));
        assert_ne!(without_own(&a), without_own(&spec("n1", "tls", "ray")));
        // The words as a value of something else.
        assert_ne!(
            without_own(&spec("n1", "tls", "\"nodeName\":\"a\"")),
            without_own(&spec("n1", "tls", "\"nodeName\":\"b\""))
        );
    }

    #[test]
    fn a_volume_that_is_only_named_like_a_token_stays() {
        let marks = Marks::default();
        let object = ObjectRef { kind: "Pod".into(), namespace: "ray".into(), name: "a".into() };
        let mut reading = Reading { object, origin: Origin::default(), marks: &marks, problems: Vec::new() };
        let own = spec("n1", "kube-api-access-tls", "ray").replace("/var/run/secrets", "/etc/ray");
        let mut specs = Specs::default();
        let known = specs.known(&Field::new(&Value::String(own), "spec"), &mut reading);
        assert_eq!((known.template.volumes.len(), known.template.containers[0].mounts.len()), (1, 1));
    }

    #[test]
    fn a_spec_is_read_once_and_one_with_a_problem_each_time() {
        let marks = Marks::default();
        let mut specs = Specs::default();
        let mut read = |spec: &Value| {
            let object = ObjectRef { kind: "Pod".into(), namespace: "ray".into(), name: "a".into() };
            let mut reading = Reading { object, origin: Origin::default(), marks: &marks, problems: Vec::new() };
            let known = specs.known(&Field::new(spec, "spec"), &mut reading);
            known.template.containers.iter().for_each(|c| assert!(c.mounts.is_empty(), "{c:?}"));
            let found = (known.template.containers.len(), known.like);
            known.like = Some(7);
            (found, reading.problems.len())
        };
        let text = |node: &str, volume: &str| Value::String(spec(node, volume, "ray"));
        assert_eq!(read(&text("n1", "kube-api-access-aaaaa")), ((1, None), 0));
        assert_eq!(read(&text("n2", "kube-api-access-bbbbb")), ((1, Some(7)), 0));
        for _ in 0..2 {
            assert_eq!(read(&json!("{\"containers\": 5}")), ((0, None), 1));
            assert_eq!(read(&json!("{")), ((0, None), 1));
        }
    }
}
