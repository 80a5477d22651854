//! CLI02: was one of several Ray Client workloads forgotten?

use crate::checks::environment::{Kind, switch_text, tell_odd};
use crate::checks::{Case, Check, Findings, Severity, lens};

/// The check.
pub static CHECK: Check = Check {
    code: "CLI02",
    name: "one-client-without-tls",
    severity: Severity::Error,
    help: "\
Several workloads dial the same Ray cluster with TLS, and this one was left without it.

Why it matters: Patches that turn TLS on name Deployments one by one (`django-ray-worker`, but not `django-ray-worker-ml`). The forgotten
one cannot connect; only its queue stalls, so the fault is found late.

Mend it: Give it the same four variables and the same mount as the others, and restart it.

Authority: Ray `python/ray/util/client/worker.py`; a rendered overlay of a real project.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    tell_odd(case, findings, Kind::OneClient, |party, odd| {
        format!(
            "{} dials Ray in plaintext ({}), unlike the others of its cluster ({})",
            party.id,
            switch_text(party),
            lens::used_by(case.model, &odd.others)
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{client, named, strip};
    use crate::checks::testing::{Scene, cluster_with};

    #[test]
    fn the_forgotten_one() {
        let mut objects = cluster_with(named(&["ray-head-svc", "ray-worker", "127.0.0.1"]));
        objects.push(client("app", "ray://ray-head-svc:10001"));
        objects.push(client("app-ml", "ray://ray-head-svc:10001"));
        assert_eq!(Scene::manifests(objects.clone()).run(&CHECK), []);
        strip(&mut objects[5]);
        let scene = Scene::manifests(objects.clone());
        let findings = scene.run(&CHECK);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.name, "app-ml");
        assert_eq!(scene.run(&super::super::without_tls::CHECK), []);
        strip(&mut objects[4]);
        assert_eq!(Scene::manifests(objects).run(&CHECK), [], "with no client left that has TLS it is CLI01");
    }
}
