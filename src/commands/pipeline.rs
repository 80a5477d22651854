//! From evidence to a report, and from a live cluster to evidence.
#![allow(clippy::disallowed_methods)] // the clock

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Error, interrupt, output, say};
use crate::checks::{self, Case};
use crate::cli::{Inconclusive, Judge, Source};
use crate::collect::cluster::{self, Collected};
use crate::collect::keyring::Keyring;
use crate::collect::{inside, local};
use crate::diagnose::causes::causes;
use crate::evidence::{Evidence, Gap, Mode};
use crate::grpc::profile::Profiles;
use crate::judge::files::Answers;
use crate::judge::matrix;
use crate::probe::plan::plan;
use crate::probe::run::{Route, run};
use crate::ray::parties::model;
use crate::ray::{Model, Party, Role};
use crate::report::{Options, Report, clean, verification};

/// The longest wait for an API server's first answer.
const CONNECT: Duration = Duration::from_secs(10);

/// The time to judge what was seen, when seeing it took all there was.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long an interrupt may wait for its effect on work that cannot be stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// Stack of a thread that reads documents: YAML nested as deep as is allowed takes some MiB of it.
const STACK: usize = 64 << 20;

/// What to dial of a live cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probing {
    /// The pods' own addresses.
    Direct,
    /// Nothing.
    No,
    /// Through the API server.
    PortForward,
}

/// How to look at a live cluster.
pub(super) struct Plan {
    /// A configuration instead of the kubeconfig's.
    pub(super) config: Option<kube::Config>,
    /// What to dial.
    pub(super) probing: Probing,
    /// How many pods of a kind to ask from inside; none for no pod.
    pub(super) inside: Option<usize>,
    /// Whether this shell is a party too.
    pub(super) as_client: bool,
    /// The end.
    pub(super) deadline: Instant,
}

impl Probing {
    /// As the two flags say.
    pub(super) fn of(no_probe: bool, direct: bool) -> Self {
        match (no_probe, direct) {
            (true, _) => Probing::No,
            (_, true) => Probing::Direct,
            _ => Probing::PortForward,
        }
    }
}

/// Judges the evidence. `nothing_read` when all that was given was unreadable.
pub(super) fn report(evidence: &Evidence, judge: &Judge, nothing_read: bool) -> Report {
    let mut model = model(evidence);
    model.profiles = asked(model.profiles, judge);
    if judge.ray.is_some() {
        model.cores.clear();
    }
    let now = judge.now.unwrap_or(evidence.taken_at);
    let matrix = matrix::judge(evidence, &model, now);
    let findings = checks::examine(&Case { evidence, model: &model, matrix: &matrix, now });
    let causes = causes(&model, evidence, now, &matrix, &findings);
    Report::build(evidence, &model, &matrix, &findings, &causes, &options(judge, now, nothing_read))
}

/// Judges by a model of which only one side is known: findings, and no causes, for their remedies would be guesses.
pub(super) fn findings_of(evidence: &Evidence, model: Model, judge: &Judge) -> Report {
    let model = &Model { profiles: asked(model.profiles, judge), ..model };
    let now = judge.now.unwrap_or(evidence.taken_at);
    let matrix = matrix::judge(evidence, model, now);
    let findings = checks::examine(&Case { evidence, model, matrix: &matrix, now });
    Report::build(evidence, model, &matrix, &findings, &[], &options(judge, now, false))
}

/// Judges files alone by a model of a process that uses them.
pub(super) fn files(
    evidence: &Evidence,
    model: &Model,
    answers: &Answers,
    asked: &verification::Asked,
    judge: &Judge,
    nothing_read: bool,
) -> Report {
    let now = judge.now.unwrap_or(evidence.taken_at);
    let matrix = matrix::judge(evidence, model, now);
    let findings = checks::examine(&Case { evidence, model, matrix: &matrix, now });
    let causes = causes(model, evidence, now, &matrix, &findings);
    let options = options(judge, now, nothing_read);
    let report = Report::build(evidence, model, &matrix, &findings, &causes, &options);
    report.of_files(answers, asked, model.profiles, &findings, &options)
}

/// The gRPCs that were asked for, else these.
pub(super) fn asked(profiles: Profiles, judge: &Judge) -> Profiles {
    Profiles { core: judge.ray.unwrap_or(profiles.core), python: judge.grpcio }
}

fn options(judge: &Judge, now: Timestamp, nothing_read: bool) -> Options {
    Options {
        now,
        fail_on: judge.fail_on.severity(),
        inconclusive_fails: judge.inconclusive == Inconclusive::Fail,
        nothing_read,
    }
}

/// Why there is nothing to judge.
pub(super) struct Nothing<'a> {
    /// Where it was looked for, one clause.
    pub(super) source: &'a str,
    /// What was not seen.
    pub(super) what: &'a str,
    /// Whether it was there, but could not be read: exit code 2 instead of 3.
    pub(super) unreadable: bool,
}

/// Says on stderr why there is nothing to judge, and gives scripts a report all the same.
pub(super) fn nothing(nothing: &Nothing<'_>, why: &str, judge: &Judge) -> Result<u8, Error> {
    for line in why.lines() {
        say(&format!("raytls: {}", clean(line)));
    }
    let mut evidence = Evidence::new(Mode::Live, nothing.source, clock());
    evidence.gaps.push(Gap { what: nothing.what.into(), why: why.into(), needs: None, code: None });
    output::tell_machines(&report(&evidence, judge, nothing.unreadable), &judge.output)
}

/// Now, in whole seconds.
pub(super) fn clock() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Runs work that may block for ever, such as reading a pipe that nobody closes, for so long. `what` names the work:
/// `reading the input`.
pub(super) fn within<T: Send + 'static>(
    timeout: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || sender.send(work()))
        .map_err(|e| Error::unchecked(format!("cannot start: {e}")))?;
    let (end, interrupts) = (Instant::now() + timeout, interrupt::count());
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now()).min(PATIENCE)) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::bug(format!("{what} failed"))),
            Err(RecvTimeoutError::Timeout) if interrupt::count() > interrupts => {
                return Err(Error::unchecked(format!("interrupted before {what} was done")));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                let text = format!("the deadline passed before {what} was done; see --timeout");
                return Err(Error::unchecked(text));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Judges the evidence of a live cluster, which may have taken all of the time: some is left for judging then.
pub(super) fn judged(evidence: Evidence, judge: &Judge, deadline: Instant) -> Result<Report, Error> {
    // Whoever interrupts does not want to wait for the deadline.
    let left = if interrupt::count() > 0 { Duration::ZERO } else { deadline.saturating_duration_since(Instant::now()) };
    let left = left.max(GRACE);
    let judge = judge.clone();
    within(left, "judging what was seen", move || report(&evidence, &judge, false))
}

/// Runs async work. Look-ups that hang in the system's resolver do not keep the program.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::unchecked(format!("cannot start: {e}")))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(result)
}

/// Collects a live cluster's evidence and probes its ports, until the time is over or Ctrl-C.
pub(super) async fn live(source: &Source, plan: Plan) -> Result<Evidence, cluster::Error> {
    let Plan { config, probing, inside, as_client, deadline } = plan;
    let options = cluster::Options {
        config,
        kubeconfig: source.kubeconfig.clone(),
        context: source.context.first().cloned(),
        namespace: source.namespace.clone(),
        all_namespaces: source.all_namespaces,
        selector: source.selector.clone(),
        no_secrets: source.no_secrets,
        connect_timeout: CONNECT.min(deadline.saturating_duration_since(Instant::now())),
        interrupt: interrupt::first().clone(),
    };
    let mut collected = match cluster::collect(&options, deadline).await {
        Err(cluster::Error::Interrupted) => {
            let mut nothing = Evidence::new(Mode::Live, "interrupted", clock());
            nothing.incomplete = true;
            return Ok(nothing);
        }
        collected => collected?,
    };
    if as_client {
        collected = with_shell(collected, deadline).await;
    }
    if let Some(sample) = inside {
        collected = from_inside(collected, sample, deadline).await;
    }
    Ok(probed(collected, probing, deadline).await)
}

/// Adds what pods tell of themselves. Those that have not answered when the user interrupts are not judged by it.
async fn from_inside(mut collected: Collected, sample: usize, deadline: Instant) -> Collected {
    let interrupted = tokio::select! {
        () = inside::ask(&mut collected.evidence, &collected.client, sample, deadline) => false,
        () = interrupt::first().wait() => true,
    };
    collected.evidence.incomplete |= interrupted;
    collected
}

/// Adds this shell. A file of its `RAY_TLS_*` may be a pipe that nobody closes; what the cluster told is kept then.
async fn with_shell(collected: Collected, deadline: Instant) -> Collected {
    let Collected { mut evidence, mut keys, client, rights } = collected;
    let mut without = evidence.clone();
    let read = tokio::task::spawn_blocking(move || {
        local::add(&mut evidence, &mut keys);
        (evidence, keys)
    });
    let read = tokio::select! {
        read = tokio::time::timeout_at(deadline, read) => read.ok().and_then(Result::ok),
        () = interrupt::first().wait() => None,
    };
    if let Some((evidence, keys)) = read {
        return Collected { evidence, keys, client, rights };
    }
    without.incomplete = true;
    without.gaps.push(Gap {
        what: "this shell".into(),
        why: "the files of its RAY_TLS_* could not be read in time".into(),
        needs: None,
        code: None,
    });
    Collected { evidence: without, keys: Keyring::default(), client, rights }
}

/// The nodes of Ray that have no running pod: what is said of them rests on files alone.
fn not_running(evidence: &Evidence, model: &Model) -> Vec<Gap> {
    let wanted = |party: &Party| {
        let workload = party.workload.and_then(|at| evidence.workloads.get(at));
        workload.is_some_and(|workload| workload.replicas != Some(0))
    };
    let nodes = model.parties.iter().filter(|p| matches!(p.role, Role::Head | Role::Worker(_)) && wanted(p));
    let silent = nodes.filter(|party| party.pods.iter().all(|pod| pod.phase != "Running"));
    silent
        .map(|party| Gap {
            what: format!("ports of {}", party.id),
            why: "none of its pods runs now, so that nothing of it was seen to work".into(),
            needs: None,
            code: None,
        })
        .collect()
}

/// Adds what the ports of the collected cluster show.
async fn probed(collected: Collected, probing: Probing, deadline: Instant) -> Evidence {
    let Collected { mut evidence, keys, client, rights } = collected;
    let route = match probing {
        Probing::No => return evidence,
        Probing::Direct => Route::Direct,
        Probing::PortForward => Route::PortForward(client),
    };
    if probing == Probing::PortForward
        && let Some(gap) = rights.no_forward()
    {
        evidence.gaps.push(gap);
        evidence.gaps.sort();
        return evidence;
    }
    let model = model(&evidence);
    evidence.gaps.extend(not_running(&evidence, &model));
    evidence.gaps.sort();
    let leaves: Vec<String> = keys.identities().iter().map(|i| i.certificate.clone()).collect();
    let dials = plan(&evidence, &model, &leaves);
    tracing::info!(dials = dials.len(), "probing");
    let mut seen = Vec::new();
    tokio::select! {
        () = run(dials, &keys, &route, deadline, &mut seen) => {}
        () = interrupt::first().wait() => evidence.incomplete = true,
    }
    evidence.handshakes = seen;
    evidence
}
