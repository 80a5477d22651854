//! The rights that evidence needs: asked up front, and printed as Roles.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::api::Api;
use super::{KINDS, in_order, issuance, place, role_rule};
use crate::evidence::{Gap, Why};

/// The highest level: everything that the doctor can look at.
pub const HIGHEST: u8 = 3;

/// Rights of a user, as far as the API server told them before anything else was asked.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    namespace: Option<String>,
    denied: BTreeSet<Need>,
}

/// API group, resource and verb of one right.
type Need = (&'static str, &'static str, &'static str);

/// Reaching into pods. A WebSocket upgrade is a GET; Kubernetes 1.35 asks for `create` as well (KEP-4006, #134577).
const FORWARD: Need = ("", "pods/portforward", "get");

/// One rule of a Role.
#[derive(Clone)]
struct Rule {
    group: &'static str,
    resources: Vec<&'static str>,
    names: Vec<String>,
    verbs: &'static [&'static str],
}

/// Who gets a Role, and of what.
pub struct Grant<'a> {
    /// 0 to [`HIGHEST`].
    pub level: u8,
    /// The namespace; none for all of them.
    pub namespace: Option<&'a str>,
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: &'static str,
    /// The namespace of a ServiceAccount.
    pub of: Option<&'a str>,
    /// Its name; none for no binding.
    pub name: Option<&'a str>,
    /// The Secrets that may be read; empty for all of them.
    pub secrets: &'a [String],
}

/// The smallest Role with which the doctor sees what this level gives, and its binding: YAML for `kubectl apply -f -`.
/// Level 0 is no right at all, and the text says only so.
pub fn roles(grant: &Grant<'_>) -> String {
    let mut text = format!("# raytls, level {}: {}\n", grant.level, GIVES[usize::from(grant.level.min(HIGHEST))]);
    if grant.level == 0 {
        return text;
    }
    let name = format!("raytls-level-{}", grant.level);
    let rules = rules(grant.level, grant.secrets);
    match grant.namespace {
        Some(_) => {
            role(&mut text, &name, grant, grant.namespace, &rules);
            text.push_str("---\n");
            role(&mut text, &format!("{name}-cluster"), grant, None, &of_the_cluster());
        }
        None => role(&mut text, &name, grant, None, &[rules, of_the_cluster()].concat()),
    }
    text
}

/// One Role, or ClusterRole without a namespace, and its binding.
fn role(text: &mut String, name: &str, grant: &Grant<'_>, namespace: Option<&str>, rules: &[Rule]) {
    let prefix = if namespace.is_some() { "" } else { "Cluster" };
    let namespace = namespace.map_or_else(String::new, |name| format!("  namespace: {}\n", quoted(name)));
    let _ = write!(
        text,
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {prefix}Role\nmetadata:\n  name: {name}\n{namespace}rules:\n"
    );
    for rule in rules {
        let list = |words: &[&str]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
        let names: Vec<&str> = rule.names.iter().map(String::as_str).collect();
        let names = if names.is_empty() { String::new() } else { format!("  resourceNames: [{}]\n", list(&names)) };
        let _ = write!(
            text,
            "- apiGroups: [{}]\n  resources: [{}]\n{names}  verbs: [{}]\n",
            quoted(rule.group),
            list(&rule.resources),
            list(rule.verbs)
        );
    }
    let Some(subject) = grant.name else { return };
    let binding = quoted(&format!("{name}-{}", plain(subject)));
    let subject = match grant.of {
        Some(of) => format!("- kind: {}\n  name: {}\n  namespace: {}\n", grant.kind, quoted(subject), quoted(of)),
        None => format!("- kind: {}\n  name: {}\n  apiGroup: rbac.authorization.k8s.io\n", grant.kind, quoted(subject)),
    };
    let _ = write!(
        text,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {prefix}RoleBinding\nmetadata:\n  name: {binding}\n{namespace}\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {prefix}Role\n  name: {name}\nsubjects:\n{subject}"
    );
}

/// What each level gives, one clause.
const GIVES: [&str; 4] = [
    "no right at all. `raytls probe HOST:PORT` and `raytls doctor --as-client` need none: they dial what this machine reaches",
    "workloads, pods, Services, ConfigMaps and the resources of Ray and cert-manager: who dials whom by which name, with which settings; no certificate",
    "level 1, and the certificates in Secrets: every verdict that files alone can give",
    "level 2, and the pods themselves: what their ports serve (port-forward), and what Ray has inside (exec, only with --inside)",
];

fn rules(level: u8, secrets: &[String]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for kind in KINDS.iter().chain(&issuance::KINDS) {
        match rules.iter_mut().find(|rule| rule.group == kind.group) {
            Some(rule) => rule.resources.push(kind.plural),
            None => rules.push(Rule {
                group: kind.group,
                resources: vec![kind.plural],
                names: Vec::new(),
                verbs: &["list"],
            }),
        }
    }
    let core = |resources, verbs| Rule { group: "", resources, names: Vec::new(), verbs };
    rules.push(core(vec!["configmaps"], &["get"]));
    if level >= 2 {
        rules.push(Rule { names: secrets.to_vec(), ..core(vec!["secrets"], &["get"]) });
    }
    if level >= 3 {
        rules.push(core(vec!["pods/portforward", "pods/exec"], &["get", "create"]));
    }
    rules
}

/// What no namespace holds: they name no secret, and only clusters with cert-manager or trust-manager have them.
fn of_the_cluster() -> Vec<Rule> {
    let rule = |group, resource, verbs| Rule { group, resources: vec![resource], names: Vec::new(), verbs };
    vec![
        rule("cert-manager.io", "clusterissuers", &["get"]),
        rule("trust.cert-manager.io", issuance::BUNDLES.plural, &["list"]),
        rule("certificates.k8s.io", "clustertrustbundles", &["list"]),
    ]
}

impl Rights {
    /// Asks which of the rights that lists and the prober need are missing. What cannot be asked counts as there: the
    /// request itself will tell.
    pub(super) async fn ask(api: &Api, namespace: Option<&str>) -> Self {
        let mut open: Vec<Need> = KINDS.iter().map(|kind| (kind.group, kind.plural, "list")).collect();
        match namespace {
            Some(namespace) => {
                open.push(FORWARD);
                let review =
                    json!({"apiVersion": VERSION, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}});
                if let Ok(answer) = api.review(&format!("/apis/{VERSION}/selfsubjectrulesreviews"), &review).await {
                    open.retain(|need| !allowed(&answer, *need));
                }
            }
            None => {
                if allows(api, None, ("*", "*", "*")).await == Some(true) {
                    return Rights::default();
                }
            }
        }
        let asked = open.into_iter().map(|need| async move { (need, allows(api, namespace, need).await) });
        let answers = in_order(asked).await;
        let denied = answers.into_iter().filter(|(_, allowed)| *allowed == Some(false)).map(|(need, _)| need).collect();
        Rights { namespace: namespace.map(str::to_owned), denied }
    }

    /// Whether a list is worth asking for.
    pub(super) fn may_list(&self, group: &str, plural: &str) -> bool {
        !self.denied.iter().any(|(g, resource, verb)| (*g, *resource, *verb) == (group, plural, "list"))
    }

    /// The gap that stands for all ports, when port-forward is not allowed in the namespace.
    pub fn no_forward(&self) -> Option<Gap> {
        let (group, resource, verb) = FORWARD;
        let namespace = self.namespace.as_deref()?;
        self.denied.contains(&FORWARD).then(|| Gap {
            what: format!("ports of the pods of {}", place(Some(namespace))),
            why: Why::Forbidden { verb: verb.into(), resource: resource.into(), namespace: Some(namespace.into()) }
                .to_string(),
            needs: Some(role_rule("Role", group, &[resource], &["get", "create"])),
            code: Some("PRM02".into()),
        })
    }
}

/// Group and version of the reviews; they are answered and never stored.
const VERSION: &str = "authorization.k8s.io/v1";

/// Whether one of the rules in the answer to a `SelfSubjectRulesReview` gives this for every name. A rule that is not
/// there says nothing: the API server's list may be incomplete, and mostly says that it is.
fn allowed(answer: &Value, (group, resource, verb): Need) -> bool {
    let holds = |rule: &Value, field: &str, wanted: &str| {
        let words = rule[field].as_array();
        words.is_some_and(|words| words.iter().filter_map(Value::as_str).any(|word| word == "*" || word == wanted))
    };
    let rules = answer["status"]["resourceRules"].as_array();
    rules.is_some_and(|rules| {
        rules.iter().any(|rule| {
            rule["resourceNames"].as_array().is_none_or(Vec::is_empty)
                && holds(rule, "apiGroups", group)
                && holds(rule, "resources", resource)
                && holds(rule, "verbs", verb)
        })
    })
}

/// The answer to one `SelfSubjectAccessReview`; none when there was none.
async fn allows(api: &Api, namespace: Option<&str>, (group, resource, verb): Need) -> Option<bool> {
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = json!({
        "namespace": namespace.unwrap_or_default(), "verb": verb, "group": group, "resource": resource, "subresource": sub,
    });
    let review =
        json!({"apiVersion": VERSION, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
    let answer = api.review(&format!("/apis/{VERSION}/selfsubjectaccessreviews"), &review).await.ok()?;
    // An authorizer that failed has denied nothing.
    if answer["status"]["evaluationError"].as_str().is_some_and(|error| !error.is_empty()) {
        return answer["status"]["allowed"].as_bool().filter(|allowed| *allowed);
    }
    answer["status"]["allowed"].as_bool()
}

/// A YAML scalar; JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A part of an object's name.
fn plain(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.trim_matches('-').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(level: u8, secrets: &[String]) -> Grant<'_> {
        Grant { level, namespace: Some("ray"), kind: "User", of: None, name: Some("alice"), secrets }
    }

    #[test]
    fn each_level_adds_to_the_one_below() {
        let texts: Vec<String> = (0..=HIGHEST).map(|level| roles(&grant(level, &[]))).collect();
        let lines = |at: usize| texts[at].lines().filter(|l| l.starts_with("- ") || l.starts_with("  ")).count();
        assert!(texts[0].starts_with('#') && texts[0].lines().count() == 1);
        assert!((1..3).all(|level| lines(level) < lines(level + 1)));
        assert!(!texts[1].contains("secrets") && !texts[2].contains("pods/") && texts[3].contains("pods/exec"));
        assert!(texts.iter().all(|text| !text.contains("watch") && !text.contains("\"*\"")), "{texts:?}");
    }

    #[test]
    fn every_kind_that_is_listed_is_granted_and_no_list_of_secrets() {
        let text = roles(&grant(3, &[]));
        assert!(KINDS.iter().chain(&issuance::KINDS).all(|kind| text.contains(&quoted(kind.plural))), "{text}");
        for rule in rules(3, &[]).iter().filter(|rule| rule.verbs.contains(&"list")) {
            assert!(!rule.resources.contains(&"secrets"));
        }
    }

    #[test]
    fn named_secrets_and_all_namespaces() {
        let names = ["ray-tls".to_owned()];
        assert!(
            roles(&grant(2, &names))
                .contains("resources: [\"secrets\"]\n  resourceNames: [\"ray-tls\"]\n  verbs: [\"get\"]")
        );
        let all = roles(&Grant { namespace: None, name: None, ..grant(2, &[]) });
        assert!(
            all.contains("kind: ClusterRole\n") && !all.contains("namespace:") && !all.contains("Binding"),
            "{all}"
        );
        let account = Grant { kind: "ServiceAccount", of: Some("ci"), ..grant(1, &[]) };
        assert!(roles(&account).contains("- kind: ServiceAccount\n  name: \"alice\"\n  namespace: \"ci\"\n"));
    }

    #[test]
    fn a_rule_for_some_names_gives_no_list() {
        let rule = |names: Value| {
            json!({"status": {"incomplete": true, "resourceRules": [
                {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": names}]}})
        };
        assert!(allowed(&rule(json!([])), ("", "pods", "list")));
        assert!(!allowed(&rule(json!(["a"])), ("", "pods", "list")));
        assert!(!allowed(&rule(json!([])), ("", "pods/portforward", "get")));
        assert!(!allowed(&json!({"status": {"resourceRules": "all"}}), ("", "pods", "list")));
        let everything =
            json!({"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}});
        assert!(allowed(&everything, FORWARD));
    }
}
