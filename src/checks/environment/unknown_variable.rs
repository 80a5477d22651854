//! ENV07: is there a variable that looks like one of Ray's TLS settings and is none?

use std::collections::BTreeSet;

use crate::checks::environment::{VARIABLES, container, literal, variables};
use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::evidence::{Container, EnvSource, SourceKind};

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
    for party in &case.model.parties {
        let Some(container) = container(case, party) else { continue };
        for (name, origin) in names(case, container, &party.namespace) {
            let Some(meant) = nearest(&name).filter(|_| !helps(container, &name)) else { continue };
            if !told.insert((party.workload, container.name.clone(), name.clone())) {
                continue;
            }
            findings
                .add(
                    lens::workload(party),
                    format!("{} sets {name}, which Ray does not know and ignores; {meant} may be meant", party.id),
                )
                .fact("set in", origin, &party.id);
        }
    }
}

/// Names of the container's variables and where they are set.
fn names(case: &Case<'_>, container: &Container, namespace: &str) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> =
        variables(container).map(|v| (v.name.clone(), format!("env of container {}", container.name))).collect();
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

/// The variable that was probably meant, for a name that is none of Ray's but close to one.
fn nearest(name: &str) -> Option<&'static str> {
    if VARIABLES.contains(&name) {
        return None;
    }
    let folded = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let (distance, best) = VARIABLES.iter().map(|v| (edit_distance(&folded, v), *v)).min()?;
    let of_tls = folded.starts_with("RAY_TLS_") || folded.starts_with("RAY_USE_TLS");
    (of_tls || distance <= 2).then_some(best)
}

/// Whether another variable is built from this one, so that its name is the author's own.
fn helps(container: &Container, name: &str) -> bool {
    let reference = format!("$({name})");
    variables(container)
        .any(|v| matches!(&v.source, EnvSource::Value(_)) && literal(v).is_some_and(|t| t.contains(&reference)))
}

/// Insertions, deletions, replacements and swaps of neighbours between two names.
fn edit_distance(a: &str, b: &str) -> usize {
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
    use super::nearest;

    #[test]
    fn near_names() {
        assert_eq!(nearest("RAY_USE_TSL"), Some("RAY_USE_TLS"));
        assert_eq!(nearest("RAY_use_tls"), Some("RAY_USE_TLS"));
        assert_eq!(nearest("RAY_TLS_CA"), Some("RAY_TLS_CA_CERT"));
        assert_eq!(nearest("RAY_TLS_KEY"), Some("RAY_TLS_CA_CERT"));
        assert!(nearest("RAY_TLS_CLIENT_CERT").is_some());
        assert!(nearest("RAY_TLS_REQUIRE_CLIENT_AUTH").is_some());
    }

    #[test]
    fn other_names() {
        for name in ["RAY_USE_TLS", "RAY_TLS_CA_CERT", "RAY_ADDRESS", "RAY_REDIS_CA_CERT", "PATH", "RAY_AUTH_MODE", ""]
        {
            assert_eq!(nearest(name), None, "{name}");
        }
    }
}
