//! From evidence to a report, and from a live cluster to evidence.
#![allow(clippy::disallowed_methods)] // the clock

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Error, say};
use crate::checks::{self, Case};
use crate::cli::{Judge, Source};
use crate::collect::cluster::{self, Collected};
use crate::diagnose::causes::causes;
use crate::evidence::{Evidence, Gap, Mode};
use crate::judge::matrix;
use crate::probe::plan::plan;
use crate::probe::run::{Route, run};
use crate::ray::Model;
use crate::ray::parties::model;
use crate::report::{Options, Report};

/// The longest wait for an API server's first answer.
const CONNECT: Duration = Duration::from_secs(10);

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
    report_of(evidence, &model(evidence), judge, nothing_read)
}

/// Judges the evidence by a model of its own.
pub(super) fn report_of(evidence: &Evidence, model: &Model, judge: &Judge, nothing_read: bool) -> Report {
    let now = judge.now.unwrap_or(evidence.taken_at);
    let matrix = matrix::judge(evidence, model, now);
    let findings = checks::examine(&Case { evidence, model, matrix: &matrix, now });
    let causes = causes(model, evidence, now, &matrix, &findings);
    let options = Options {
        now,
        fail_on: judge.fail_on.severity(),
        inconclusive_fails: judge.inconclusive == crate::cli::Inconclusive::Fail,
        nothing_read,
    };
    Report::build(evidence, model, &matrix, &findings, &causes, &options)
}

/// The report of a cluster that could not be asked: `why` is the one thing it says.
pub(super) fn unreachable(source: &str, why: &str, judge: &Judge) -> Report {
    let mut evidence = Evidence::new(Mode::Live, source, Timestamp::now());
    evidence.gaps.push(Gap { what: "the cluster".into(), why: why.into(), needs: None, code: None });
    report(&evidence, judge, false)
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
pub(super) async fn live(source: &Source, probing: Probing, timeout: Duration) -> Result<Evidence, cluster::Error> {
    let deadline = Instant::now() + timeout;
    let options = cluster::Options {
        kubeconfig: source.kubeconfig.clone(),
        context: source.context.clone(),
        namespace: source.namespace.clone(),
        all_namespaces: source.all_namespaces,
        selector: source.selector.clone(),
        no_secrets: source.no_secrets,
        connect_timeout: CONNECT.min(timeout),
    };
    let collected = tokio::select! {
        collected = cluster::collect(&options, deadline) => collected?,
        () = interrupted() => {
            let mut nothing = Evidence::new(Mode::Live, "interrupted", Timestamp::now());
            nothing.incomplete = true;
            return Ok(nothing);
        }
    };
    Ok(probed(collected, probing, deadline).await)
}

/// Adds what the ports of the collected cluster show.
pub(super) async fn probed(collected: Collected, probing: Probing, deadline: Instant) -> Evidence {
    let Collected { mut evidence, keys, client } = collected;
    let route = match probing {
        Probing::No => return evidence,
        Probing::Direct => Route::Direct,
        Probing::PortForward => Route::PortForward(client),
    };
    let leaves: Vec<String> = keys.identities().iter().map(|i| i.certificate.clone()).collect();
    let dials = plan(&evidence, &model(&evidence), &leaves);
    tracing::info!(dials = dials.len(), "probing");
    tokio::select! {
        handshakes = run(dials, &keys, &route, deadline) => evidence.handshakes = handshakes,
        () = interrupted() => evidence.incomplete = true,
    }
    evidence
}

/// Waits for Ctrl-C.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    say("raytls: interrupted; reporting what was seen until now");
}
