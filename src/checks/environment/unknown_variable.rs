//! ENV07: is there a variable that looks like one of Ray's TLS settings and is none?

use std::collections::BTreeSet;

use crate::checks::environment::{VARIABLES, container, lacks_path, literal, odd, supply, tell_switch, waiters};
use crate::checks::{Case, Check, Finding, Findings, Severity, lens};
use crate::evidence::{Container, EnvSource, SourceKind};
use crate::ray::Role;

/// The check.
pub static CHECK: Check = Check {
    code: "ENV07",
    name: "unknown-tls-variable",
    severity: Severity::Warning,
    help: "\
A variable looks like one of Ray's TLS settings, but Ray knows no such name.

Why it matters: Ray reads exactly four names: `RAY_USE_TLS`, `RAY_TLS_SERVER_CERT`, `RAY_TLS_SERVER_KEY`, `RAY_TLS_CA_CERT`; case matters, and any other name is ignored in silence. There are no variables for a
client certificate (`…SERVER_CERT` and `…SERVER_KEY` are the client's identity too) and none that turns client authentication off.

Mend it: Use the name that was meant, or remove the variable.

Authority: Ray `src/ray/common/ray_config_def.h`, `python/ray/_common/tls_utils.py`; ray#63907 (`RAY_TLS_CLIENT_AUTH`, never merged).",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut told: BTreeSet<(Option<usize>, String, String)> = BTreeSet::new();
    for (index, party) in case.model.parties.iter().enumerate() {
        // The variables of a waiter are those of its group.
        let Some(container) = container(case, party).filter(|_| party.role != Role::Waiter) else { continue };
        for (name, origin) in names(case, container, &party.namespace) {
            let Some(meant) = unknown(&name).filter(|_| !helps(container, &name)) else { continue };
            if !told.insert((party.workload, container.name.clone(), name.clone())) {
                continue;
            }
            let hint = match meant {
                Some(meant) => format!("{meant} may be meant"),
                None => "there is no such setting".into(),
            };
            let finding = findings.add(
                lens::workload(party),
                format!("{} sets {name}, which Ray does not know and ignores; {hint}", party.id),
            );
            finding.fact("set in", origin, &party.id);
            if let Some(meant) = meant {
                mend(case, finding, index, meant);
            }
        }
    }
}

/// The misspelt name under which this party sets a variable that it lacks, where it does. ENV07 then carries the fault.
pub fn stands_for(case: &Case<'_>, party: usize, variable: &str) -> Option<String> {
    let party = &case.model.parties[party];
    let container = container(case, party)?;
    let names = names(case, container, &party.namespace).into_iter().map(|(name, _)| name);
    names
        .filter(|name| unknown(name) == Some(VARIABLES.iter().copied().find(|v| *v == variable)))
        .find(|name| !helps(container, name))
}

/// Where the variable that was meant is missing, and that breaks connections, this is why.
fn mend(case: &Case<'_>, finding: &mut Finding, index: usize, meant: &str) {
    let party = &case.model.parties[index];
    let slot = lens::SLOTS.into_iter().find(|slot| slot.variable() == meant);
    let mut parties = waiters(case, index);
    parties.insert(0, index);
    match slot {
        Some(slot) if lens::speaks_tls(party) && lacks_path(party.file(slot)) => {
            finding.edits = parties.iter().map(|&p| supply(case, p, slot)).collect();
            finding.breaks = lens::failing_at(case, &parties);
            finding.severity = Severity::Error;
        }
        None => {
            if let Some(odd) = odd(case).into_iter().find(|o| o.party == index && o.on) {
                tell_switch(case, finding, &odd);
                finding.severity = Severity::Error;
            }
        }
        Some(_) => {}
    }
}

/// Names of the container's variables and where they are set.
fn names(case: &Case<'_>, container: &Container, namespace: &str) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> =
        container.env.iter().map(|v| (v.name.clone(), format!("env of container {}", container.name))).collect();
    for from in &container.env_from {
        let keys: Vec<&String> = match from.kind {
            SourceKind::ConfigMap => {
                case.evidence.config_map(namespace, &from.name).found().map(|c| c.data.keys().collect())
            }
            SourceKind::Secret => case.evidence.secret(namespace, &from.name).found().map(|s| s.data.keys().collect()),
        }
        .unwrap_or_default();
        let origin = format!("{} {}", lens::kind_name(from.kind), from.name);
        list.extend(keys.into_iter().map(|key| (format!("{}{key}", from.prefix), origin.clone())));
    }
    list
}

/// For a name that looks like one of Ray's and is none: the variable that was probably meant, where one can be.
fn unknown(name: &str) -> Option<Option<&'static str>> {
    if VARIABLES.contains(&name) {
        return None;
    }
    let folded = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let (distance, nearest) = VARIABLES.iter().map(|v| (edit_distance(&folded, v), *v)).min()?;
    if distance <= 2 {
        return Some(Some(nearest));
    }
    let rest = folded.strip_prefix("RAY_TLS_").or_else(|| folded.strip_prefix("RAY_USE_TLS"))?;
    let has = |words: &[&str]| rest.split('_').any(|word| words.contains(&word));
    Some(match () {
        () if has(&["AUTH", "VERIFY"]) => None,
        () if has(&["KEY"]) => Some("RAY_TLS_SERVER_KEY"),
        () if has(&["CA", "ROOT", "TRUST"]) => Some("RAY_TLS_CA_CERT"),
        () if has(&["CERT", "CERTIFICATE", "CRT"]) => Some("RAY_TLS_SERVER_CERT"),
        () if has(&["ENABLE", "ENABLED", "USE"]) => Some("RAY_USE_TLS"),
        () => None,
    })
}

/// Whether another variable is built from this one, so that its name is the author's own.
fn helps(container: &Container, name: &str) -> bool {
    let reference = format!("$({name})");
    container
        .env
        .iter()
        .any(|v| matches!(&v.source, EnvSource::Value(_)) && literal(v).is_some_and(|t| t.contains(&reference)))
}

/// Insertions, deletions, replacements and swaps of neighbours between two names.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{CHECK, unknown};
    use crate::checks::staging::{container, set};
    use crate::checks::testing::{Scene, cluster};
    use serde_json::json;

    #[test]
    fn an_unknown_name_in_env_and_config_map() {
        let mut objects = cluster();
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        set(&mut objects[1], "RAY_TLS_CLIENT_CERT", Some(json!("/etc/ray/tls/tls.crt")));
        container(&mut objects[0])["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        let unseen = Scene::manifests(objects.clone()).run(&CHECK);
        assert_eq!(unseen.len(), 1);
        assert!(unseen[0].message.contains("RAY_TLS_SERVER_CERT may be meant"), "{}", unseen[0].message);
        objects.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "ray"},
            "data": {"RAY_USE_TSL": "1"},
        }));
        assert_eq!(Scene::manifests(objects).run(&CHECK).len(), 2);
    }

    #[test]
    fn a_name_that_others_are_built_from_is_the_authors_own() {
        let mut objects = cluster();
        set(&mut objects[1], "RAY_TLS_DIR", Some(json!("/etc/ray/tls")));
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK).len(), 1);
        set(&mut objects[1], "RAY_TLS_CA_CERT", Some(json!("$(RAY_TLS_DIR)/ca.crt")));
        assert_eq!(Scene::manifests(objects).run(&CHECK), []);
    }

    #[test]
    fn near_names() {
        let meant = |name| unknown(name).flatten();
        assert_eq!(meant("RAY_USE_TSL"), Some("RAY_USE_TLS"));
        assert_eq!(meant("RAY_use_tls"), Some("RAY_USE_TLS"));
        assert_eq!(meant("RAY_TLS_CA"), Some("RAY_TLS_CA_CERT"));
        assert_eq!(meant("RAY_TLS_KEY"), Some("RAY_TLS_SERVER_KEY"));
        assert_eq!(meant("RAY_TLS_CERT"), Some("RAY_TLS_SERVER_CERT"));
        assert_eq!(meant("RAY_TLS_CLIENT_KEY"), Some("RAY_TLS_SERVER_KEY"));
        assert_eq!(unknown("RAY_TLS_REQUIRE_CLIENT_AUTH"), Some(None));
        assert_eq!(unknown("RAY_TLS_CLIENT_AUTH"), Some(None));
    }

    #[test]
    fn other_names() {
        for name in ["RAY_USE_TLS", "RAY_TLS_CA_CERT", "RAY_ADDRESS", "RAY_REDIS_CA_CERT", "PATH", "RAY_AUTH_MODE", ""]
        {
            assert_eq!(unknown(name), None, "{name}");
        }
    }
}
