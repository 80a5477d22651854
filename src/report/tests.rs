use jiff::Timestamp;

use super::*;
use crate::checks::{self, Confidence};
use crate::diagnose::causes;
use crate::evidence::{Evidence, Gap, Mode, Seen};
use crate::grpc::verdict::{Fault, Reason};
use crate::judge::{self, Failure, Judged, Side};
use crate::ray::{
    Address, Connection as Dialled, Model, NodeAddress, Party, Place as FilePlace, Port, Role, Switch, TlsFile,
};

pub(super) fn now() -> Timestamp {
    "2027-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn options() -> Options {
    Options { now: now(), fail_on: Some(Severity::Error), inconclusive_fails: false, nothing_read: false }
}

fn file(variable: &'static str) -> TlsFile {
    TlsFile {
        variable,
        path: Seen::Found("/tls/x".into()),
        place: FilePlace::NoMount,
        content: Seen::Absent,
        assumed: None,
        hypothetical: None,
        inside: Vec::new(),
        covers_pods: Default::default(),
        mended: Default::default(),
        access: Default::default(),
    }
}

fn party(id: &str, role: Role, count: usize) -> Party {
    Party {
        id: id.into(),
        role,
        cluster: 0,
        namespace: "ray".into(),
        object: crate::evidence::ObjectRef::new("Deployment", "ray", id),
        origin: Default::default(),
        workload: None,
        container: "ray".into(),
        switch: Seen::Found(Switch::On),
        certificate: file("RAY_TLS_SERVER_CERT"),
        key: file("RAY_TLS_SERVER_KEY"),
        trust: file("RAY_TLS_CA_CERT"),
        node_address: NodeAddress::PodIp,
        pods: [].into(),
        count,
        next: None,
        clock: Default::default(),
        touched: Default::default(),
        restarted: Default::default(),
    }
}

/// 3,000 equal workers that dial the head by a name that is not in its certificate; the head dials itself.
pub(super) struct Scene {
    pub(super) evidence: Evidence,
    pub(super) model: Model,
    pub(super) matrix: Vec<Judged>,
    pub(super) findings: Vec<checks::Finding>,
    pub(super) causes: Vec<causes::Cause>,
}

pub(super) fn accept() -> Judged {
    Judged {
        core: judge::Verdict::Accept,
        python: judge::Verdict::Accept,
        observed: None,
        vantage: None,
        python_only: false,
    }
}

pub(super) fn scene() -> Scene {
    let mut evidence = Evidence::new(Mode::Live, "context kind-a, namespace ray", now());
    evidence.gaps.push(Gap {
        what: "Secret ray/other".into(),
        why: "forbidden: may not get secrets in namespace ray".into(),
        needs: Some("Role rule: resources [\"secrets\"], verbs [\"get\"]".into()),
        code: Some("PRM01".into()),
    });
    let connection = |id: &str, dialer, address, port, count| Dialled {
        id: id.into(),
        dialer,
        target: 0,
        address,
        port,
        why: "registers at the GCS",
        misdirected: None,
        denied_by: None,
        needed: true,
        count,
        only: None,
    };
    let refused = judge::Verdict::Reject {
        by: Side::Dialer,
        reason: Failure::Grpc(Reason {
            fault: Fault::Name,
            certificate: Some("CN=ray-head".into()),
            text: "ray-head-svc is not in the certificate CN=ray-head".into(),
            words: Some("Hostname Verification Check failed.".into()),
        }),
    };
    let finding = checks::Finding {
        code: "NAM01",
        name: "dialled-name-not-in-certificate",
        severity: Severity::Error,
        confidence: Confidence::Proved,
        subject: checks::Subject {
            kind: "Secret".into(),
            namespace: Some("ray".into()),
            name: "ray-tls".into(),
            key: Some("tls.crt".into()),
            ..Default::default()
        },
        message: "ray-worker dials ray-head-svc, which is not in the certificate of ray-head".into(),
        facts: vec![checks::Fact {
            what: "names in the certificate".into(),
            value: "ray-head\u{1b}[2J".into(),
            origin: "Secret ray/ray-tls key tls.crt".into(),
        }],
        breaks: vec![1],
        edits: Vec::new(),
        at: None,
        count: 1,
    };
    let follows = checks::Finding { code: "LIV07", name: "name-not-covered", ..finding.clone() };
    let expiring = checks::Finding {
        code: "CRT03",
        name: "certificate-expires-soon",
        severity: Severity::Warning,
        message: "the certificate of ray-head ends on 2027-03-05".into(),
        breaks: vec![],
        at: Some("2027-03-05T00:00:00Z".parse().unwrap()),
        ..finding.clone()
    };
    Scene {
        evidence,
        model: Model {
            parties: vec![party("ray/ray-head", Role::Head, 1), party("ray/ray-worker", Role::Worker("".into()), 3000)],
            connections: vec![
                connection("ray/ray-head>ray/ray-head@loopback:6379", 0, Address::Loopback, Port::Gcs(6379), 1),
                connection(
                    "ray/ray-worker>ray/ray-head@ray-head-svc:6379",
                    1,
                    Address::Typed("ray-head-svc".into()),
                    Port::Gcs(6379),
                    3000,
                ),
                connection("ray/ray-head>ray/ray-worker@pod", 0, Address::PodIps([].into()), Port::Node(None), 3000),
            ],
            not_judged: vec![("Deployment ray/other".into(), "its image is not Ray's".into())],
            ..Model::default()
        },
        matrix: vec![
            accept(),
            Judged { core: refused.clone(), python: refused, observed: None, vantage: None, python_only: false },
            Judged {
                core: judge::Verdict::CannotTell("no pod yet".into()),
                python: judge::Verdict::CannotTell("no pod yet".into()),
                observed: None,
                vantage: None,
                python_only: false,
            },
        ],
        findings: vec![finding, follows, expiring],
        causes: vec![causes::Cause {
            finding: 0,
            together: false,
            mends: vec![1],
            impact: "3000 workers cannot register at the GCS".into(),
            remedy: causes::Remedy {
                steps: vec![causes::RemedyStep {
                    text: "Issue the certificate again with ray-head-svc in it.".into(),
                    command: Some("kubectl -n ray create secret generic ray-tls \\\n  --from-file=tls.crt".into()),
                    patch: None,
                }],
            },
        }],
    }
}

impl Scene {
    /// The connections work; the warning stays.
    fn mend(&mut self) {
        self.findings.drain(..2);
        self.causes.clear();
        self.matrix[1] = accept();
    }

    pub(super) fn report(&self, options: &Options) -> Report {
        Report::build(&self.evidence, &self.model, &self.matrix, &self.findings, &self.causes, options)
    }
}

#[test]
fn json_has_exactly_the_keys_of_the_contract() {
    let value: serde_json::Value = serde_json::from_str(&json::render(&scene().report(&options()))).unwrap();
    let keys = |v: &serde_json::Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut want = vec![
        "apiVersion",
        "kind",
        "takenAt",
        "exitCode",
        "incomplete",
        "judgedBy",
        "verdict",
        "timeToOutage",
        "causes",
        "findings",
        "connections",
        "notJudged",
        "passed",
        "rayClusters",
    ];
    want.sort_unstable();
    let mut got = keys(&value);
    got.sort();
    assert_eq!(got, want);
    assert_eq!(value["apiVersion"], "raytls.dev/v1");
    assert_eq!(value["kind"], "Report");
    assert_eq!(value["takenAt"], "2027-03-01T12:00:00Z");
    assert_eq!(value["exitCode"], 1);
    assert_eq!(value["verdict"], "broken");
    assert_eq!(value["timeToOutage"], serde_json::json!({"at": "2027-03-05T00:00:00Z", "because": "CRT03"}));
    let sorted = |mut v: Vec<String>| {
        v.sort();
        v
    };
    assert_eq!(sorted(keys(&value["causes"][0])), ["code", "impact", "mends", "message", "name", "remedy", "subject"]);
    assert_eq!(sorted(keys(&value["causes"][0]["remedy"]["steps"][0])), ["command", "text"]);
    assert_eq!(
        sorted(keys(&value["findings"][0])),
        ["breaks", "cause", "code", "confidence", "count", "facts", "message", "name", "severity", "subject"]
    );
    assert_eq!(value["findings"][1]["cause"], 0, "what breaks only mended connections belongs to the cause");
    assert!(value["findings"][2].get("cause").is_none());
    assert_eq!(
        sorted(keys(&value["connections"][1])),
        ["address", "count", "dialer", "id", "observed", "port", "predicted", "rayCluster", "target"]
    );
    assert_eq!(value["connections"][1]["predicted"]["core"]["verdict"], "reject");
    assert_eq!(value["connections"][1]["predicted"]["core"]["by"], "dialer");
    assert_eq!(value["connections"][1]["observed"], serde_json::Value::Null);
    assert_eq!(value["connections"][2]["predicted"]["python"]["verdict"], "cannot-tell");
    assert_eq!(value["connections"][2]["port"], serde_json::Value::Null);
}

#[test]
fn exit_codes() {
    let code = |change: &dyn Fn(&mut Scene, &mut Options)| {
        let (mut scene, mut options) = (scene(), options());
        change(&mut scene, &mut options);
        scene.report(&options).exit_code
    };
    assert_eq!(code(&|_, _| {}), 1);
    assert_eq!(code(&|_, o| o.fail_on = None), 0, "never");
    assert_eq!(code(&|s, _| s.evidence.incomplete = true), 1, "1 beats 3");
    assert_eq!(code(&|_, o| o.nothing_read = true), 2);
    assert_eq!(code(&|s, _| s.findings.clear()), 1, "a connection that fails needs no finding to be a failure");
    assert_eq!(code(&|s, _| s.mend()), 0, "warnings do not fail by default");
    assert_eq!(
        code(&|s, o| {
            s.mend();
            o.fail_on = Some(Severity::Warning);
        }),
        1
    );
    assert_eq!(
        code(&|s, o| {
            s.mend();
            o.inconclusive_fails = true;
        }),
        3
    );
    assert_eq!(
        code(&|s, _| {
            s.mend();
            s.evidence.incomplete = true;
        }),
        3
    );
    assert_eq!(
        code(&|s, _| {
            s.findings.clear();
            s.matrix = vec![s.matrix[2].clone(); 3];
        }),
        3,
        "no connection could be judged"
    );
    assert_eq!(
        code(&|s, _| {
            s.findings.clear();
            s.model = Model::default();
            s.matrix.clear();
        }),
        3,
        "nothing found to judge"
    );
}

#[test]
fn verdicts() {
    let mut s = scene();
    assert_eq!(s.report(&options()).verdict, Verdict::Broken);
    s.matrix[1] = accept();
    s.causes.clear();
    s.findings.drain(..2);
    assert_eq!(s.report(&options()).verdict, Verdict::AtRisk);
    s.findings.clear();
    assert_eq!(s.report(&options()).verdict, Verdict::Healthy);
    s.matrix = vec![s.matrix[2].clone(); 3];
    assert_eq!(s.report(&options()).verdict, Verdict::Unknown);
}

#[test]
fn what_was_not_seen_is_listed_and_no_check_passes_over_it() {
    let mut s = scene();
    s.findings.clear();
    s.model.parties[1].certificate.content = Seen::Unseen(crate::evidence::Why::TimedOut);
    let report = s.report(&options());
    let what: Vec<_> = report.not_judged.iter().map(|n| n.what.as_str()).collect();
    assert_eq!(what, ["Deployment ray/other", "Secret ray/other", "connection ray/ray-head>ray/ray-worker@pod"]);
    for code in &report.passed {
        assert!(
            !["CRT", "CHN", "NAM", "KEY", "SEC", "LIV", "ROT"].contains(&&code[..3]),
            "{code} saw too little to pass"
        );
    }
}

#[test]
fn table_tells_from_top_to_bottom() {
    let text = table::render(&scene().report(&options()), table::Look { width: 100, color: false });
    let want = [
        "broken: 3000 of 6001 connections fail, 3000 not judged; next outage 2027-03-05T00:00:00Z (CRT03)\ncontext kind-a",
        "Cause 1: NAM01 dialled-name-not-in-certificate  Secret ray/ray-tls key tls.crt",
        "Impact: 3000 workers cannot register at the GCS",
        "names in the certificate: ray-head\\u{1b}[2J (Secret ray/ray-tls key tls.crt)",
        "1. Issue the certificate again with ray-head-svc in it.",
        "kubectl -n ray create secret generic ray-tls \\",
        "DIALER",
        "ray-head-svc:6379",
        "dialer: name",
        "Other findings",
        "warning CRT03 certificate-expires-soon",
        "1 finding follows from the causes above (-o short): LIV07",
        "Not judged",
        "would show it: Role rule",
        "passed",
    ];
    let mut rest = text.as_str();
    for part in want {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is not (or not in its place) in:\n{text}"));
        rest = &rest[at..];
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(text.matches("\n ray-worker ").count(), 1, "3,000 equal workers are one line:\n{text}");
    for line in text.lines().filter(|l| !l.contains("Cause") && !l.contains("connection ray/")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn colours_change_no_text() {
    let report = scene().report(&options());
    let plain = table::render(&report, table::Look { width: 80, color: false });
    let colored = table::render(&report, table::Look { width: 80, color: true });
    assert_ne!(plain, colored);
    let stripped: String = anstream::adapter::strip_str(&colored).to_string();
    let words = |t: &str| t.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(words(&stripped), words(&plain));
}

#[test]
fn short_is_a_line_per_finding() {
    let text = short::render(&scene().report(&options()));
    let lines: Vec<_> = text.lines().collect();
    let unjudged = lines.iter().filter(|line| line.starts_with("not-judged ")).count();
    assert_eq!((lines.len(), unjudged), (4 + unjudged, scene().report(&options()).not_judged.len()));
    assert!(unjudged > 0, "{text}");
    assert!(
        lines[0].starts_with("error NAM01 Secret ray/ray-tls key tls.crt: ray-worker dials ray-head-svc"),
        "{text}"
    );
    assert!(lines[lines.len() - 1].starts_with("broken: "), "{text}");
}

#[test]
fn several_ray_clusters_have_a_line_each_and_only_red_ones_a_matrix() {
    let render = |report: &Report| table::render(report, table::Look { width: 100, color: false });
    let mut scene = scene();
    let mut report = scene.report(&options());
    assert_eq!(report.ray_clusters.len(), 1);
    assert!(!render(&report).contains("Ray clusters"));
    let mut other = scene.model.parties[0].clone();
    other.cluster = 1;
    other.id = "quiet/ray-head".into();
    scene.model.parties.push(other);
    let at = scene.model.parties.len() - 1;
    let mut fine = scene.model.connections[0].clone();
    fine.id = "quiet/ray-head>quiet/ray-head@10.9.9.9:6379".into();
    (fine.dialer, fine.target) = (at, at);
    scene.model.connections.push(fine);
    scene.matrix.push(accept());
    report = scene.report(&options());
    let names: Vec<(&str, usize)> = report.ray_clusters.iter().map(|c| (c.name.as_str(), c.failing)).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&("quiet/ray-head", 0)) && names.iter().any(|(_, failing)| *failing > 0), "{names:?}");
    let text = render(&report);
    assert!(text.contains("Ray clusters") && text.contains("  ok   quiet/ray-head: 1 connection"), "{text}");
    let matrix = text.split("DIALER").nth(1).unwrap();
    assert!(!matrix.contains("quiet/ray-head "), "a healthy cluster needs no matrix: {text}");
}

#[test]
fn what_was_seen_from_inside_leaves_a_trace() {
    use crate::checks::staging::{ENV, NODES, leaf, nodes};
    use crate::evidence::{Answer, DialInside};
    let ca = crate::checks::testing::Ca::new("ca");
    let dial = |status: &str| DialInside {
        host: "ray-head-svc".into(),
        port: 6379,
        tls: true,
        answer: Answer::Status(status.into(), "CERTIFICATE_VERIFY_FAILED: certificate has expired".into()),
        words: Vec::new(),
    };
    let text = |scene: crate::checks::testing::Scene| {
        let report = Report::build(&scene.evidence, &scene.model, &scene.matrix, &[], &[], &options());
        table::render(&report, table::Look { width: 120, color: false })
    };
    let healthy = || nodes(&leaf(&ca, &NODES), &ca);
    assert!(!text(healthy()).contains("inside"));
    let good = text(healthy().within("ray-worker-0", &ENV, &[], vec![dial("OK")]));
    let rows = healthy().model.connections.len();
    let line = format!("Asked from inside: 1 of 2 pods; what they dialled decides 1 of {rows} rows of the matrix\n");
    assert!(good.contains(&line), "{good}");
    let bad = text(healthy().within("ray-worker-0", &ENV, &[], vec![dial("UNAVAILABLE")]));
    assert!(bad.contains("dialer: expired (inside)"), "{bad}");
    assert_eq!(bad.matches("(inside)").count(), 1, "{bad}");
}
