//! Every connection of a model, judged.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::grpc::profile::{Profile, Profiles};
use crate::ray::{Model, Port, Role};

use super::side::Side;
use super::{Judged, Verdict, inside, observe, predict};

/// Judges every connection at `now` (UTC), in the order of the model.
///
/// The files of a party are read once for each gRPC, however many connections it has.
pub fn judge(evidence: &Evidence, model: &Model, now: Timestamp) -> Vec<Judged> {
    let sides = |grpc: fn(Profiles) -> Profile| -> Vec<Side> {
        let of = |(index, party)| Side::of(evidence, party, grpc(model.profiles_of(index)));
        model.parties.iter().enumerate().map(of).collect()
    };
    let (core, python) = (sides(|profiles| profiles.core), sides(|profiles| profiles.python));
    let mut matrix: Vec<Judged> = model
        .connections
        .iter()
        .map(|c| {
            let profiles = model.profiles_of(c.target);
            Judged {
                core: predict::connection(c, &model.parties, &core, now, profiles.core),
                python: predict::connection(c, &model.parties, &python, now, profiles.python),
                observed: None,
                vantage: None,
                python_only: c.port.is_python(),
            }
        })
        .collect();
    let stuck = stuck(model, &matrix);
    for (index, (connection, judged)) in model.connections.iter().zip(&mut matrix).enumerate() {
        if observe::is_void(model, index) {
            continue;
        }
        let freed = observe::is_freed(model, index, &stuck);
        let within = inside::connection(evidence, model, connection, judged, freed);
        let told = within.as_ref().map(|seen| seen.pods.clone()).unwrap_or_default();
        let see =
            |sides: &[Side], profile| observe::connection(evidence, model, index, sides, freed, &told, now, profile);
        let profiles = model.profiles_of(connection.target);
        let by_python = see(&python, profiles.python);
        let outside = match (connection.port.is_python(), by_python) {
            (true, verdict) => verdict,
            (false, rejected @ Some(Verdict::Reject { .. })) => rejected,
            (false, other) => see(&core, profiles.core).or(other),
        };
        // What Ray's own pods see counts; a port that they did not dial may still refuse.
        match (within, outside) {
            (Some(seen), Some(rejected @ Verdict::Reject { .. })) if seen.verdict == Verdict::Accept => {
                judged.observed = Some(rejected);
            }
            (Some(seen), _) => (judged.observed, judged.vantage) = (Some(seen.verdict), Some(seen.vantage)),
            (None, outside) => judged.observed = outside,
        }
    }
    matrix
}

/// The parties that cannot get up by the predictions: their own way to the GCS is rejected, or their head's is.
/// Their closed ports are a consequence, no cause.
pub fn stuck(model: &Model, matrix: &[Judged]) -> Vec<bool> {
    let rejected = |party: usize| {
        let own = model.connections.iter().zip(matrix);
        own.filter(|(c, _)| c.dialer == party && matches!(c.port, Port::Gcs(_)))
            .any(|(_, j)| matches!(j.predicted(), Verdict::Reject { .. }))
    };
    let alone: Vec<bool> = (0..model.parties.len()).map(rejected).collect();
    let head_of = |cluster: usize| model.parties.iter().position(|p| p.cluster == cluster && p.role == Role::Head);
    let with_head = |at: usize| alone[at] || head_of(model.parties[at].cluster).is_some_and(|head| alone[head]);
    (0..model.parties.len()).map(with_head).collect()
}
