#![allow(clippy::disallowed_methods)] // the clock
//! What pods tell of themselves: one small program, run by exec in the pod's own interpreter: Python, or sh where there is
//! none. It writes nothing there, and of a private key only the hash of its public half leaves the pod.

mod answer;
mod exec;
mod shell;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::time::Instant;

use self::exec::Failed;
use crate::evidence::{Answer, Clock, DialInside, Evidence, Gap, Inside};
use crate::probe::inside::{Visit, left_out, plan};
use crate::ray::parties::model;

/// Execs that are open at one time.
const AT_ONCE: usize = 4;
/// How long one container may take to answer; its dials take at most [`DIAL`] of it.
const ANSWER: Duration = Duration::from_secs(25);
/// How long one dial may take, in seconds.
const DIAL: u64 = 5;

/// The program, without the request that stands before it.
const PROGRAM: &str = include_str!("inside/program.py");
/// What sh runs where there is no Python; it dials nothing, for openssl does not judge as gRPC does.
const SHELL: &str = include_str!("inside/program.sh");
/// Why it dials nothing.
const NO_PYTHON: &str = "no Python with grpcio in the container";

/// Asks a sample of the pods of each party, and adds what they tell. Ports that become known so are dialled in a second
/// round. What was told before the caller stops waiting is in `told`; what was not is a gap.
pub async fn ask(evidence: &mut Evidence, client: &kube::Client, sample: usize, deadline: Instant) {
    let parties = model(evidence);
    evidence.server_clock =
        tokio::time::timeout_at(deadline.min(Instant::now() + ANSWER), server_clock(client)).await.ok().flatten();
    evidence.gaps.extend(left_out(&parties, sample));
    round(evidence, client, plan(evidence, &parties, sample), true, deadline).await;
    // The ports of raylets are known now.
    let again = plan(evidence, &model(evidence), sample);
    let mut dialled = Vec::new();
    for visit in again {
        match evidence.inside.iter_mut().find(|told| is_of(told, &visit)) {
            Some(told) if told.interpreter == shell::NAME => told.dials.extend(not_made(&visit)),
            Some(_) => dialled.push(visit),
            None => {}
        }
    }
    round(evidence, client, dialled, false, deadline).await;
    evidence.gaps.extend(evidence.inside.iter().filter_map(not_dialled));
    evidence.gaps.sort();
    evidence.gaps.dedup();
}

/// The clock of the API server, as the head of any answer of it has it.
async fn server_clock(client: &kube::Client) -> Option<Clock> {
    let request = http::Request::get("/version").body(kube::client::Body::empty()).ok()?;
    let asked_at = Timestamp::now();
    let answer = client.send(request).await.ok()?;
    let date = answer.headers().get("date")?.to_str().ok()?;
    let said = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(Clock { asked_at, said })
}

async fn round(evidence: &mut Evidence, client: &kube::Client, visits: Vec<Visit>, look: bool, deadline: Instant) {
    tracing::info!(pods = visits.len(), look, "asking from inside");
    // One refusal is one for all pods of a namespace.
    let refused: Mutex<BTreeSet<String>> = Mutex::default();
    let refused = &refused;
    let asked = visits.into_iter().map(|visit| async move {
        if refused.lock().is_ok_and(|refused| refused.contains(&visit.namespace)) {
            return None;
        }
        let end = (Instant::now() + ANSWER).min(deadline);
        let asked = tokio::time::timeout_at(end, one(client, &visit, look)).await;
        let answer = asked.unwrap_or(Err(Failed::TimedOut));
        if let (Err(Failed::Forbidden { .. }), Ok(mut refused)) = (&answer, refused.lock()) {
            refused.insert(visit.namespace.clone());
        }
        Some((visit, answer))
    });
    let mut asked = futures::stream::iter(asked).buffered(AT_ONCE);
    while let Some(next) = asked.next().await {
        let Some((visit, answer)) = next else { continue };
        match answer {
            Ok(told) => match evidence.inside.iter_mut().find(|known| is_of(known, &visit)) {
                Some(known) => known.dials.extend(told.dials),
                None => evidence.inside.push(told),
            },
            Err(failed) => {
                evidence.incomplete |= Instant::now() >= deadline;
                evidence.gaps.push(gap(&visit, failed));
            }
        }
    }
    evidence.inside.sort_by(|a, b| (&a.namespace, &a.pod, &a.container).cmp(&(&b.namespace, &b.pod, &b.container)));
}

async fn one(client: &kube::Client, visit: &Visit, look: bool) -> Result<Inside, Failed> {
    let asked_at = Timestamp::now();
    match exec::python(client, visit, &program(visit, look)).await {
        Ok(line) => answer::read(&line, visit, asked_at).map_err(Failed::Other),
        Err(Failed::NoInterpreter) if look => {
            let asked_at = Timestamp::now();
            let text = exec::sh(client, visit, SHELL).await?;
            let told = shell::read(&text, visit, asked_at).map_err(Failed::Other)?;
            Ok(Inside { dials: not_made(visit).collect(), ..told })
        }
        Err(failed) => Err(failed),
    }
}

fn not_made(visit: &Visit) -> impl Iterator<Item = DialInside> {
    visit.dials.iter().map(|(host, port)| answer::not_made(host, *port, NO_PYTHON))
}

/// That a container has no gRPC to dial with.
fn not_dialled(told: &Inside) -> Option<Gap> {
    let why = told.dials.iter().find_map(|dial| match &dial.answer {
        Answer::Status(status, why) if status == answer::NO_GRPC => Some(why),
        _ => None,
    })?;
    Some(Gap {
        what: format!("the dials of pod {}/{}, container {}", told.namespace, told.pod, told.container),
        why: format!("not observed from inside: {why}"),
        needs: Some("python3 with grpcio in the image".into()),
        code: None,
    })
}

fn is_of(told: &Inside, visit: &Visit) -> bool {
    told.namespace == visit.namespace && told.pod == visit.pod && told.container == visit.container
}

/// The program with its request: a Python literal is written as a JSON one.
fn program(visit: &Visit, look: bool) -> String {
    let request = serde_json::json!({"dials": visit.dials, "look": look, "seconds": DIAL}).to_string();
    format!("REQUEST = {}\n{PROGRAM}", serde_json::Value::from(request))
}

/// A refusal is told once for all pods of a namespace.
fn gap(visit: &Visit, failed: Failed) -> Gap {
    let Visit { namespace, pod, container, .. } = visit;
    let what = format!("the inside of pod {namespace}/{pod}, container {container}");
    let other = |why: String| Gap { what: what.clone(), why, needs: None, code: None };
    match failed {
        Failed::Forbidden { verb } => Gap {
            what: format!("the insides of pods in namespace {namespace}"),
            why: format!("forbidden: may not {verb} pods/exec in namespace {namespace}"),
            needs: Some(r#"Role rule: apiGroups [""], resources ["pods/exec"], verbs ["create", "get"]"#.into()),
            code: None,
        },
        Failed::NoInterpreter => Gap {
            needs: Some("python3 with grpcio in the image (sh tells of variables and files only)".into()),
            ..other("the container has neither Python nor sh to run raytls's questions in".into())
        },
        Failed::TimedOut => other("no answer in time".into()),
        Failed::Gone => other("the pod is not there any more".into()),
        Failed::Other(why) => other(why),
    }
}

#[cfg(test)]
mod tests;
