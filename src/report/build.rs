use std::collections::{BTreeMap, BTreeSet};

use super::words::{address, because, port, short};
use super::{
    API_VERSION, Cause, Connection, Fact, Finding, Inside, JudgedBy, Judgement, Ladder, NotJudged, Options, Outage,
    Predicted, Remedy, Report, Step, Subject, Verdict, Word, clusters,
};
use crate::checks::{self, Confidence, Severity};
use crate::diagnose::causes;
use crate::evidence::{Evidence, Handshake, Why};
use crate::judge::{self, Judged, Side};
use crate::ray::{Model, Party};

impl Report {
    /// The report of what was judged. `findings` keep their order, to which `causes` refer; `matrix` has one entry per
    /// connection of the model.
    pub fn build(
        evidence: &Evidence,
        model: &Model,
        matrix: &[Judged],
        findings: &[checks::Finding],
        causes: &[causes::Cause],
        options: &Options,
    ) -> Report {
        let names = clusters::names(evidence, model);
        let connections: Vec<Connection> =
            model.connections.iter().zip(matrix).map(|(c, judged)| connection(model, &names, c, judged)).collect();
        let causes_told: Vec<Cause> = causes.iter().filter_map(|c| cause(model, findings, c)).collect();
        let mends: Vec<BTreeSet<usize>> = causes.iter().map(|c| c.mends.iter().copied().collect()).collect();
        let not_judged = not_judged(evidence, model, &connections);
        let judged = connections.iter().any(|c| c.effective.verdict != Word::CannotTell);
        let verdict = verdict(&connections, findings, judged, options);
        Report {
            api_version: API_VERSION,
            kind: "Report",
            taken_at: options.now,
            exit_code: exit_code(evidence, findings, &connections, &not_judged, options),
            judged_by: JudgedBy { core: cores(model), python: model.profiles.python.to_string() },
            incomplete: evidence.incomplete,
            verdict,
            time_to_outage: outage(findings, options),
            ray_clusters: clusters::clusters(&connections, &causes_told),
            causes: causes_told,
            findings: findings
                .iter()
                .enumerate()
                .map(|(index, f)| finding(model, f, belongs(index, f, causes, &mends)))
                .collect(),
            inside: inside(evidence, model, &connections),
            connections,
            passed: super::passed::passed(evidence, model, findings),
            not_judged,
            verification: None,
            source: evidence.source.clone(),
            ladders: evidence.handshakes.iter().filter(|h| h.target.pod.is_empty()).map(Ladder::of).collect(),
        }
    }
}

/// How many pods answered of those that could have been asked; none when no pod did.
fn inside(evidence: &Evidence, model: &Model, connections: &[Connection]) -> Option<Inside> {
    let told: BTreeSet<(&str, &str)> = evidence.inside.iter().map(|told| (&*told.namespace, &*told.pod)).collect();
    let asked = model.parties.iter().filter(|party| crate::probe::inside::is_asked(party));
    let running = asked.flat_map(|party| {
        let pods = crate::probe::inside::running(party);
        pods.map(|pod| (party.namespace.as_str(), pod.name.as_str()))
    });
    let of = running.chain(told.iter().copied()).collect::<BTreeSet<_>>().len();
    let seen = connections.iter().filter(|connection| connection.vantage.is_some()).count();
    (!told.is_empty()).then_some(Inside { pods: told.len(), of, connections: seen })
}

/// The gRPCs of all clusters.
fn cores(model: &Model) -> String {
    let mut all: Vec<String> = model.cores.values().map(ToString::to_string).collect();
    if all.is_empty() {
        all.push(model.profiles.core.to_string());
    }
    all.dedup();
    all.join(", ")
}

fn exit_code(
    evidence: &Evidence,
    findings: &[checks::Finding],
    connections: &[Connection],
    not_judged: &[NotJudged],
    options: &Options,
) -> u8 {
    if options.nothing_read {
        return 2;
    }
    // `Severity` is ordered from Error down.
    // A connection that fails without a finding is a failure all the same.
    let fails = connections.iter().any(|c| c.needed && c.effective.verdict == Word::Reject);
    if options.fail_on.is_some_and(|least| fails || findings.iter().any(|f| f.severity <= least)) {
        return 1;
    }
    let judged = connections.iter().any(|c| c.effective.verdict != Word::CannotTell);
    let open = options.inconclusive_fails && !not_judged.is_empty();
    if !judged || evidence.incomplete || open { 3 } else { 0 }
}

fn verdict(connections: &[Connection], findings: &[checks::Finding], judged: bool, options: &Options) -> Verdict {
    let now = |f: &checks::Finding| f.at.is_none_or(|at| at <= options.now);
    let fails = connections.iter().any(|c| c.needed && c.effective.verdict == Word::Reject);
    if fails || findings.iter().any(|f| f.severity == Severity::Error && now(f)) {
        return Verdict::Broken;
    }
    if !judged {
        return Verdict::Unknown;
    }
    let weak = connections.iter().any(|c| c.effective.verdict == Word::Reject);
    let at_risk = weak || findings.iter().any(|f| f.severity <= Severity::Warning);
    if at_risk { Verdict::AtRisk } else { Verdict::Healthy }
}

fn outage(findings: &[checks::Finding], options: &Options) -> Option<Outage> {
    let to_come = findings.iter().filter(|f| f.severity <= Severity::Warning);
    let dated = to_come.filter_map(|f| f.at.filter(|at| *at > options.now).map(|at| Outage { at, because: f.code }));
    dated.min_by(|a, b| (a.at, a.because).cmp(&(b.at, b.because)))
}

fn belongs(
    index: usize,
    finding: &checks::Finding,
    causes: &[causes::Cause],
    mends: &[BTreeSet<usize>],
) -> Option<usize> {
    let own = causes.iter().position(|c| c.finding == index);
    own.or_else(|| {
        let explained = |mends: &BTreeSet<usize>| finding.breaks.iter().all(|b| mends.contains(b));
        mends.iter().position(explained).filter(|_| !finding.breaks.is_empty())
    })
}

fn cause(model: &Model, findings: &[checks::Finding], cause: &causes::Cause) -> Option<Cause> {
    let finding = findings.get(cause.finding)?;
    let step =
        |s: &causes::RemedyStep| Step { text: s.text.clone(), command: s.command.clone(), patch: s.patch.clone() };
    Some(Cause {
        code: finding.code,
        name: finding.name,
        subject: subject(&finding.subject),
        message: finding.message.clone(),
        impact: cause.impact.clone(),
        mends: ids(model, &cause.mends),
        remedy: Remedy { steps: cause.remedy.steps.iter().map(step).collect() },
        finding: cause.finding,
        together: cause.together,
    })
}

fn finding(model: &Model, finding: &checks::Finding, cause: Option<usize>) -> Finding {
    let fact = |f: &checks::Fact| Fact { what: f.what.clone(), value: f.value.clone(), origin: f.origin.clone() };
    Finding {
        code: finding.code,
        name: finding.name,
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        },
        confidence: match finding.confidence {
            Confidence::Proved => "proved",
            Confidence::Predicted => "predicted",
            Confidence::Suspected => "suspected",
        },
        subject: subject(&finding.subject),
        message: finding.message.clone(),
        facts: finding.facts.iter().map(fact).collect(),
        breaks: ids(model, &finding.breaks),
        cause,
        count: finding.count,
    }
}

fn subject(subject: &checks::Subject) -> Subject {
    let checks::Subject { kind, namespace, name, key, file, line } = subject.clone();
    Subject { kind, namespace, name, key, file, line }
}

fn ids(model: &Model, indices: &[usize]) -> Vec<String> {
    indices.iter().filter_map(|&i| model.connections.get(i)).map(|c| c.id.clone()).collect()
}

fn connection(
    model: &Model,
    clusters: &BTreeMap<usize, String>,
    connection: &crate::ray::Connection,
    judged: &Judged,
) -> Connection {
    let cluster = model.parties.get(connection.dialer).and_then(|party| clusters.get(&party.cluster));
    let party = |index: usize| model.parties.get(index).map_or_else(String::new, |p: &Party| p.id.clone());
    let (number, port_text) = port(connection.port);
    Connection {
        id: connection.id.clone(),
        ray_cluster: cluster.cloned().unwrap_or_default(),
        dialer: party(connection.dialer),
        target: party(connection.target),
        address: address(&connection.address),
        port: number,
        count: connection.count,
        predicted: Predicted { core: judgement(&judged.core), python: judgement(&judged.python) },
        observed: judged.observed.as_ref().map(judgement),
        vantage: judged.vantage.clone(),
        effective: judgement(judged.effective()),
        needed: connection.needed,
        port_text,
    }
}

fn judgement(verdict: &judge::Verdict) -> Judgement {
    match verdict {
        judge::Verdict::Accept => Judgement { verdict: Word::Accept, by: None, reason: None, short: "ok" },
        judge::Verdict::Reject { by, reason } => Judgement {
            verdict: Word::Reject,
            by: Some(match by {
                Side::Dialer => "dialer",
                Side::Target => "target",
            }),
            reason: Some(because(reason)),
            short: short(reason),
        },
        judge::Verdict::CannotTell(why) => {
            Judgement { verdict: Word::CannotTell, by: None, reason: Some(why.clone()), short: "?" }
        }
    }
}

fn not_judged(evidence: &Evidence, model: &Model, connections: &[Connection]) -> Vec<NotJudged> {
    let gaps =
        evidence.gaps.iter().map(|g| NotJudged { what: g.what.clone(), why: g.why.clone(), needs: g.needs.clone() });
    let lookups = evidence.lookups.iter().filter_map(|l| {
        let why = l.unseen.as_ref()?;
        let what = l.object.to_string();
        let told = evidence.gaps.iter().any(|g| g.what.starts_with(&what));
        (!told).then(|| NotJudged { what, why: why.to_string(), needs: needs(why) })
    });
    let workloads =
        model.not_judged.iter().map(|(what, why)| NotJudged { what: what.clone(), why: why.clone(), needs: None });
    let open = connections.iter().filter(|c| c.effective.verdict == Word::CannotTell).map(|c| NotJudged {
        what: format!("connection {}", c.id),
        why: c.effective.reason.clone().unwrap_or_default(),
        needs: None,
    });
    let mut all: Vec<NotJudged> = gaps.chain(lookups).chain(workloads).chain(open).collect();
    all.sort();
    all.dedup();
    all
}

fn needs(why: &Why) -> Option<String> {
    let Why::Forbidden { verb, resource, namespace } = why else { return None };
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    Some(format!("{kind} rule: apiGroups [\"{group}\"], resources [\"{resource}\"], verbs [\"{verb}\"]"))
}

impl Ladder {
    /// What one dial showed.
    pub fn of(handshake: &Handshake) -> Ladder {
        Ladder {
            target: handshake.target.to_string(),
            rungs: handshake.steps.iter().map(|s| (s.name.clone(), s.ok, s.seen.clone())).collect(),
        }
    }
}
