//! LIV14: do the clocks of pods agree with this machine's?

use jiff::SignedDuration;

use crate::checks::{Case, Check, Findings, Severity, Subject, lens};
use crate::diagnose::edit::Edit;
use crate::evidence::{Clock, Inside};
use crate::judge::{Judged, Verdict, matrix};
use crate::ray::{Model, inside};

/// The check.
pub static CHECK: Check = Check {
    code: "LIV14",
    name: "pod-clock-differs",
    severity: Severity::Warning,
    help: "\
A pod's clock is more than a minute ahead of or behind the one of the machine that raytls runs on. Only `--inside` sees it. Pods have the clock of their node.

Why it matters: gRPC compares the dates of every certificate with its own clock. A node that is behind refuses what was just issued as not yet valid, one that is ahead what is about to expire, and everybody else accepts it. It is an error when a
connection fails by the pod's clock that would work by this one.

Mend it: Set the node's clock (NTP). If the API server's clock agrees with the pods', the clock of this machine is the wrong one: judge again with `--now`.

Authority: RFC 5280 section 4.1.2.5; BoringSSL `certificate is not yet valid`, `certificate has expired`. Containers have no clock of their own (`time_namespaces(7)`: CLOCK_REALTIME is not virtualised).",
    run,
};

/// Clocks that are this near to each other are one.
const NEAR: SignedDuration = SignedDuration::from_secs(60);

fn run(case: &Case<'_>, findings: &mut Findings) {
    let mut off: Vec<(SignedDuration, &Inside)> =
        case.evidence.inside.iter().filter_map(|told| Some((told.ahead()?, told))).collect();
    off.sort_by_key(|(ahead, _)| *ahead);
    let mut groups: Vec<Vec<(SignedDuration, &Inside)>> = Vec::new();
    for one in off {
        match groups.last_mut().filter(|group| group.last().is_some_and(|(last, _)| one.0 - *last <= NEAR)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    for group in groups {
        tell(case, findings, &group);
    }
}

fn tell(case: &Case<'_>, findings: &mut Findings, group: &[(SignedDuration, &Inside)]) {
    let Some((ahead, first)) = group.first() else { return };
    let mut pods: Vec<String> = group.iter().map(|(_, told)| format!("{}/{}", told.namespace, told.pod)).collect();
    pods.sort();
    pods.dedup();
    let who = match pods.len() {
        1 => format!("The clock of pod {}", pods[0]),
        n => format!("The clocks of {n} pods ({}{})", pods[..n.min(4)].join(", "), if n > 4 { ", …" } else { "" }),
    };
    let is = if pods.len() == 1 { "is" } else { "are" };
    let ours_is_wrong = server(case).is_some_and(|server| (server - *ahead).abs() <= NEAR);
    let subject = Subject {
        kind: "Pod".into(),
        namespace: Some(first.namespace.clone()),
        name: first.pod.clone(),
        ..Subject::default()
    };
    let finding =
        findings.add(subject, format!("{who} {is} {} this machine's: {}", words(*ahead), whose(case, *ahead)));
    for (_, told) in group.iter().take(5) {
        let said = told.clock.map(|clock| clock.to_string()).unwrap_or_default();
        let origin = format!("pod {}/{}", told.namespace, told.pod);
        finding.fact("clock", format!("{said}, asked at {}", told.asked_at), origin);
    }
    if let Some(Clock { asked_at, said }) = case.evidence.server_clock {
        finding.fact("clock", format!("{said}, asked at {asked_at}"), "API server");
    }
    let parties: Vec<usize> = (0..case.model.parties.len())
        .filter(|&at| {
            let told = inside::all(case.evidence, &case.model.parties[at]);
            group.iter().any(|(_, one)| told.iter().any(|other| std::ptr::eq(*one, *other)))
        })
        .collect();
    finding.breaks = broken(case, &parties);
    if finding.breaks.is_empty() {
        return;
    }
    finding.message.push_str(&format!(". By that clock {} refuses a certificate that is valid by this one", {
        lens::used_by(case.model, &parties)
    }));
    if ours_is_wrong {
        finding.message.push_str("; judge again with --now");
        return;
    }
    finding.severity = Severity::Error;
    finding.edits = parties.into_iter().map(|party| Edit::SetClock { party }).collect();
}

/// How far the API server's clock is ahead of this machine's.
fn server(case: &Case<'_>) -> Option<SignedDuration> {
    case.evidence.server_clock.map(|Clock { asked_at, said }| said.duration_since(asked_at))
}

/// Whose clock is wrong, as far as that is known.
fn whose(case: &Case<'_>, ahead: SignedDuration) -> String {
    match server(case) {
        None => "whose is wrong was not seen".into(),
        Some(server) if (server - ahead).abs() <= NEAR => {
            "the API server's agrees with it, so that this machine's is the wrong one".into()
        }
        Some(server) if server.abs() <= NEAR => {
            "the API server's agrees with this machine's, so that the node's is the wrong one".into()
        }
        Some(server) => format!("the API server's is {} it, and agrees with neither", words(server)),
    }
}

/// `3 hours ahead of`.
fn words(ahead: SignedDuration) -> String {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let span = lens::span(now, now.checked_add(ahead.abs()).unwrap_or(now));
    format!("{span} {}", if ahead.is_negative() { "behind" } else { "ahead of" })
}

/// The failing connections that these parties' clocks alone make fail.
fn broken(case: &Case<'_>, parties: &[usize]) -> Vec<usize> {
    let rejects = |judged: &Judged| matches!(judged.predicted(), Verdict::Reject { .. });
    let fails = |at: &usize| {
        let judged = &case.matrix[*at];
        rejects(judged) && matches!(judged.effective(), Verdict::Reject { .. })
    };
    let failing: Vec<usize> = (0..case.matrix.len()).filter(fails).collect();
    if failing.is_empty() {
        return Vec::new();
    }
    let mut right: Model = case.model.clone();
    for &party in parties {
        right.parties[party].clock = SignedDuration::ZERO;
    }
    let anew = matrix::judge(case.evidence, &right, case.now);
    failing.into_iter().filter(|&at| anew.get(at).is_some_and(|judged| !rejects(judged))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{ENV, NODES, leaf, nodes};
    use crate::checks::testing::{Ca, Scene, assert_mends, assert_quiet, only};

    /// Nodes with a certificate of the year 2026, judged in June, whose worker's clock is so many hours ahead.
    fn scene(hours: i64, server: Option<i64>) -> Scene {
        let ca = Ca::new("ca");
        let mut scene = nodes(&leaf(&ca, &NODES), &ca).within("ray-worker-0", &ENV, &[], Vec::new());
        let now = scene.now;
        let at = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).unwrap();
        scene.evidence.inside[0].clock = Some(at(hours));
        scene.evidence.server_clock = server.map(|hours| Clock { asked_at: now, said: at(hours) });
        scene.again()
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning_and_says_whose() {
        let finding = only(&scene(3, None), &CHECK);
        assert_eq!((finding.severity, finding.breaks.len(), finding.edits.len()), (Severity::Warning, 0, 0));
        assert_eq!(
            finding.message,
            "The clock of pod ray/ray-worker-0 is 3 hours ahead of this machine's: whose is wrong was not seen"
        );
        let of = |server| only(&scene(-3, Some(server)), &CHECK).message;
        assert!(of(0).contains("3 hours behind this machine's: the API server's agrees with this machine's"));
        assert!(of(-3).contains("this machine's is the wrong one"));
        assert!(of(24).contains("the API server's is 24 hours ahead of it, and agrees with neither"));
        assert_eq!(scene(0, None).run(&CHECK), []);
    }

    #[test]
    fn it_is_the_cause_where_a_certificate_is_expired_by_it_only() {
        let scene = scene(24 * 300, Some(0));
        let finding = only(&scene, &CHECK);
        assert_eq!(finding.severity, Severity::Error);
        let dials_or_is_dialled = |at: usize| {
            let connection = &scene.model.connections[at];
            [connection.dialer, connection.target].iter().any(|&p| scene.model.parties[p].id.contains("worker"))
        };
        assert!(!finding.breaks.is_empty() && finding.breaks.iter().all(|&at| dials_or_is_dialled(at)));
        assert_mends(&scene, &finding);
        let before = self::scene(-24 * 300, Some(0));
        assert_eq!(only(&before, &CHECK).severity, Severity::Error, "not yet valid by it");
    }

    #[test]
    fn of_our_own_wrong_clock_no_node_is_the_cause() {
        let finding = only(&scene(24 * 300, Some(24 * 300)), &CHECK);
        assert_eq!((finding.severity, finding.edits.len()), (Severity::Warning, 0));
        assert!(finding.message.ends_with("judge again with --now"), "{}", finding.message);
    }

    #[test]
    fn what_pods_accept_fails_by_no_clock() {
        let mut scene = scene(24 * 300, Some(0));
        let dial = |host: &str, port| crate::evidence::DialInside {
            host: host.into(),
            port,
            tls: true,
            answer: crate::evidence::Answer::Status("OK".into(), String::new()),
            words: Vec::new(),
        };
        scene.evidence.inside[0].dials = vec![dial("ray-head-svc", 6379)];
        let scene = scene.again();
        let gcs = scene.model.connections.iter().position(|c| c.id.ends_with("ray-head-svc:6379")).unwrap();
        assert!(!only(&scene, &CHECK).breaks.contains(&gcs));
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
