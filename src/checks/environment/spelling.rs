//! ENV02: does `RAY_USE_TLS` hold a value that Ray takes for off?

use crate::checks::environment::{Kind, misspelt, tell_odd};
use crate::checks::{Case, Check, Findings, Severity};

/// The check.
pub static CHECK: Check = Check {
    code: "ENV02",
    name: "switch-value-means-off",
    severity: Severity::Error,
    help: "\
`RAY_USE_TLS` holds a value that plainly means \"on\" to people, and \"off\" to Ray.

Why it matters: Only `1` and `true` (in any case) turn TLS on. `yes`, `on`, `enabled`, `01`, a value with a blank, a line end (`\"1\\n\"` from a file or Secret) or with quotes in it are off, in C++
and in Python alike, without a word in any log. If every part of the cluster has the same value, everything works, in clear.

Mend it: Write `RAY_USE_TLS: \"1\"`.

Authority: Ray `src/ray/common/ray_config.h` (`ConvertValue<bool>`), `python/ray/_common/tls_utils.py`; measured with Ray 2.60.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::Misspelt, |party, _| {
        let value = misspelt(party).unwrap_or_default();
        format!("RAY_USE_TLS of {} is {value:?}, which Ray reads as off: only 1 or true turns TLS on", party.id)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{named, set};
    use crate::checks::testing::{Scene, cluster_with};
    use crate::diagnose::edit::Edit;
    use serde_json::json;

    fn scene(values: [&str; 2]) -> Scene {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        set(&mut objects[0], "RAY_USE_TLS", Some(json!(values[0])));
        set(&mut objects[1], "RAY_USE_TLS", Some(json!(values[1])));
        Scene::manifests(objects)
    }

    #[test]
    fn yes_is_off() {
        let scene = scene(["1", "yes"]);
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("\"yes\""), "{}", findings[0].message);
        assert!(matches!(findings[0].edits[..], [Edit::SetSwitch { on: true, .. }]));
        assert!(!findings[0].breaks.is_empty());
        assert_eq!(scene.run(&super::super::mixed::CHECK), []);
    }

    #[test]
    fn also_where_everyone_says_yes() {
        let scene = scene(["yes", "True "]);
        assert_eq!(scene.run(&CHECK).len(), 2);
        assert!(scene.run(&CHECK)[0].breaks.is_empty());
        assert_eq!(scene.run(&super::super::mixed::CHECK), []);
    }

    #[test]
    fn values_that_mean_what_ray_reads() {
        for values in [["1", "TRUE"], ["0", "false"], ["", "no"]] {
            assert_eq!(scene(values).run(&CHECK), [], "{values:?}");
        }
    }
}
