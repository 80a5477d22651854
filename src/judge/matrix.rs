//! Every connection of a model, judged.

use std::collections::BTreeSet;
use std::rc::Rc;

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::grpc::certificate::Certificate;
use crate::grpc::profile::{Profile, Profiles};
use crate::ray::{self, Connection, Model, Party, Port, Role};

use super::known::{Known, Rules};
use super::side::{Loaded, Side};
use super::{Judged, Verdict, inside, observe, predict};

/// Judges every connection at `now` (UTC), in the order of the model.
///
/// The files of a party are read once for each gRPC, and equal ones are judged once, however many connections there are.
pub fn judge(evidence: &Evidence, model: &Model, now: Timestamp) -> Vec<Judged> {
    let judge = Judge::new(evidence, model, now);
    let all: Vec<usize> = (0..model.connections.len()).collect();
    judge.rows(model, &judge.sides, &all)
}

/// The parties that cannot get up by the predictions: their own way to the GCS is rejected, or their head's is.
/// Their closed ports are a consequence, no cause.
pub fn stuck(model: &Model, matrix: &[Judged]) -> Vec<bool> {
    let rejected = |at: usize| matrix.get(at).is_some_and(|j| matches!(j.predicted(), Verdict::Reject { .. }));
    stuck_by(model, rejected)
}

/// Judges edits of one model: what they leave as it is, is not worked out again.
pub struct Judge<'a> {
    evidence: &'a Evidence,
    model: &'a Model,
    now: Timestamp,
    sides: Sides,
    known: Known,
}

/// What each party can do with its files, by each of its gRPCs.
struct Sides {
    core: Vec<Rc<Side>>,
    python: Vec<Rc<Side>>,
}

impl<'a> Judge<'a> {
    /// For edits of this model.
    pub fn new(evidence: &'a Evidence, model: &'a Model, now: Timestamp) -> Self {
        let of = |(at, party), grpc: fn(Profiles) -> Profile| {
            Rc::new(Side::of(evidence, party, grpc(model.profiles_of(at))))
        };
        let parties = || model.parties.iter().enumerate();
        let sides = Sides {
            core: parties().map(|party| of(party, |profiles| profiles.core)).collect(),
            python: parties().map(|party| of(party, |profiles| profiles.python)).collect(),
        };
        Judge { evidence, model, now, sides, known: Known::default() }
    }

    /// Which of these connections do not fail after an edit. `edited` has the parties of the model, in their order, and
    /// those that the edit changed are marked as touched.
    pub fn working(&self, edited: &Model, of: &BTreeSet<usize>) -> BTreeSet<usize> {
        let sides = |before: &[Rc<Side>], grpc: fn(Profiles) -> Profile| -> Vec<Rc<Side>> {
            let side = |((at, party), before): ((usize, &Party), &Rc<Side>)| match party.touched {
                false => before.clone(),
                true => {
                    Rc::new(before.edited(self.evidence, &self.model.parties[at], party, grpc(edited.profiles_of(at))))
                }
            };
            edited.parties.iter().enumerate().zip(before).map(side).collect()
        };
        let sides = Sides {
            core: sides(&self.sides.core, |profiles| profiles.core),
            python: sides(&self.sides.python, |profiles| profiles.python),
        };
        let rows: Vec<usize> = of.iter().copied().filter(|at| *at < edited.connections.len()).collect();
        let judged = self.rows(edited, &sides, &rows);
        let works = |judged: &Judged| !matches!(judged.effective(), Verdict::Reject { .. });
        rows.into_iter().zip(&judged).filter(|(_, judged)| works(judged)).map(|(at, _)| at).collect()
    }

    /// The connections of these indices, judged.
    fn rows(&self, model: &Model, sides: &Sides, rows: &[usize]) -> Vec<Judged> {
        self.known.place(sides.core.iter().chain(&sides.python).flat_map(|side| side.lists()));
        let predicted = |at: usize| {
            let connection = &model.connections[at];
            let [core, python] = self.rules(model, connection);
            Judged {
                core: predict::connection(connection, &model.parties, &sides.core, core),
                python: predict::connection(connection, &model.parties, &sides.python, python),
                observed: None,
                vantage: None,
                python_only: connection.port.is_python(),
            }
        };
        let mut matrix: Vec<Judged> = rows.iter().map(|&at| predicted(at)).collect();
        if self.evidence.handshakes.is_empty() && self.evidence.inside.is_empty() {
            return matrix;
        }
        let rejected = |at: usize| {
            let known = rows.binary_search(&at).ok().and_then(|row| matrix.get(row));
            let rejects = |judged: &Judged| matches!(judged.predicted(), Verdict::Reject { .. });
            known.map_or_else(|| rejects(&predicted(at)), rejects)
        };
        let stuck = stuck_by(model, rejected);
        for (&at, judged) in rows.iter().zip(&mut matrix) {
            self.observe(model, at, judged, sides, &stuck);
        }
        matrix
    }

    /// By whose rules both gRPCs of the target judge.
    fn rules(&self, model: &Model, connection: &Connection) -> [Rules<'_>; 2] {
        let Profiles { core, python } = model.profiles_of(connection.target);
        [core, python].map(|profile| self.known.rules(self.now, profile))
    }

    fn observe(&self, model: &Model, at: usize, judged: &mut Judged, sides: &Sides, stuck: &[bool]) {
        if observe::is_void(model, at) {
            return;
        }
        let connection = &model.connections[at];
        let freed =
            observe::is_freed(model, at, stuck) || ray::is_starting(self.evidence, &model.parties[connection.target]);
        let led = connection.misdirected.is_none() && model.before.as_ref().is_some_and(|before| before.astray[at]);
        // What a pod saw that is started again does not hold of the next one.
        let replaced = model.parties[connection.dialer].restarted;
        let within =
            (!led && !replaced).then(|| inside::connection(self.evidence, model, connection, judged, freed)).flatten();
        let told = within.as_ref().map(|seen| seen.pods.clone()).unwrap_or_default();
        let [core, python] = self.rules(model, connection);
        let see = |sides: &[Rc<Side>], rules| observe::connection(self.evidence, model, at, sides, freed, &told, rules);
        let outside = match (connection.port.is_python(), see(&sides.python, python)) {
            (true, verdict) => verdict,
            (false, rejected @ Some(Verdict::Reject { .. })) => rejected,
            (false, other) => see(&sides.core, core).or(other),
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
}

fn stuck_by(model: &Model, rejected: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut alone = vec![false; model.parties.len()];
    for (at, connection) in model.connections.iter().enumerate() {
        if matches!(connection.port, Port::Gcs(_)) && !alone[connection.dialer] && rejected(at) {
            alone[connection.dialer] = true;
        }
    }
    let head_of = |cluster: usize| model.parties.iter().position(|p| p.cluster == cluster && p.role == Role::Head);
    let mut heads = std::collections::BTreeMap::new();
    let with_head = |(at, alone_here): (usize, &bool)| {
        let cluster = model.parties[at].cluster;
        *alone_here || heads.entry(cluster).or_insert_with(|| head_of(cluster)).is_some_and(|head| alone[head])
    };
    alone.iter().enumerate().map(with_head).collect()
}

impl Side {
    /// Every list of certificates of it.
    fn lists(&self) -> impl Iterator<Item = &[Certificate]> {
        let chains = match &*self.identity {
            Loaded::Ready(chains, _) => chains.all(),
            Loaded::Fails(_) | Loaded::Unknown(_) => Vec::new(),
        };
        let trust = match &self.trust {
            Loaded::Ready(trust, _) => Some(trust.as_slice()),
            Loaded::Fails(_) | Loaded::Unknown(_) => None,
        };
        chains.into_iter().map(|(_, chain)| chain).chain(trust)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::{NODES, client, leaf, ray_cluster};
    use crate::checks::testing::{Ca, Scene, cluster, tls_secret, worker};
    use crate::diagnose::edit::{Edit, Fix, apply};
    use crate::ray::Slot;

    /// Clients with files of few kinds: equal ones, ones by another CA, and ones that only share a name.
    fn scene() -> Scene {
        let (ca, other) = (Ca::new("ray-ca"), Ca::new("ray-ca"));
        let mut objects = cluster();
        objects.push(ray_cluster());
        for (at, (signer, trusted, names)) in [
            (&ca, &ca, &NODES[..]),
            (&other, &ca, &NODES[..]),
            (&ca, &other, &NODES[..]),
            (&ca, &ca, &["elsewhere"][..]),
        ]
        .into_iter()
        .enumerate()
        {
            let made = leaf(signer, names);
            for twin in 0..2 {
                let secret = format!("tls-{at}-{twin}");
                objects.push(tls_secret(&secret, &made, &trusted.pem));
                let name = format!("worker-{at}-{twin}");
                let text = worker(&secret).to_string().replace("ray-worker", &name);
                objects.push(serde_json::from_str(&text).unwrap());
                objects.push(
                    serde_json::from_str(
                        &client(&format!("app-{at}-{twin}"), "ray://ray-head-svc:10001")
                            .to_string()
                            .replace("ray-tls", &secret),
                    )
                    .unwrap(),
                );
            }
        }
        objects.push(tls_secret("ray-tls", &leaf(&ca, &NODES), &ca.pem));
        Scene::manifests(objects)
    }

    #[test]
    fn judging_by_classes_is_judging_each_by_itself() {
        let Scene { evidence, model, matrix, now } = scene();
        assert!(model.connections.len() > 100, "{}", model.connections.len());
        let (mut accepted, mut rejected) = (0, 0);
        for (at, judged) in matrix.iter().enumerate() {
            let alone = Judge::new(&evidence, &model, now);
            let rows = alone.rows(&model, &alone.sides, &[at]);
            assert_eq!(rows.first(), Some(judged));
            match judged.effective() {
                Verdict::Accept => accepted += 1,
                _ => rejected += 1,
            }
        }
        assert!(accepted > 20 && rejected > 20, "{accepted} {rejected}");
    }

    #[test]
    fn what_an_edit_mends_is_what_judging_all_anew_says() {
        let Scene { evidence, model, matrix, now } = scene();
        let judge = Judge::new(&evidence, &model, now);
        let fails = |matrix: &[Judged]| -> BTreeSet<usize> {
            let failing = |at: &usize| matches!(matrix[*at].effective(), Verdict::Reject { .. });
            (0..matrix.len()).filter(failing).collect()
        };
        let failing = fails(&matrix);
        let leaf = |party: usize| {
            let file = &model.parties[party].certificate;
            crate::checks::lens::certificates(file).first().map(|leaf| leaf.sha256.clone()).unwrap()
        };
        let mut mended = BTreeSet::new();
        for party in 0..model.parties.len() {
            let certificate = leaf(party);
            let edits = [
                Edit::AddNames {
                    certificate: certificate.clone(),
                    names: vec!["ray-worker".into()],
                    pod_addresses: true,
                },
                Edit::Reissue { certificate, fixes: vec![Fix::Dates] },
                Edit::Trust { party, issuer_of: 0 },
                Edit::IssueBy { party, trusted_by: 0 },
                Edit::Provide { party, slot: Slot::Trust },
                Edit::SetSwitch { party, on: false },
                Edit::Restart { party },
            ];
            for edit in edits {
                let edited = apply(&evidence, &model, now, &[&edit]);
                let anew = fails(&super::judge(&evidence, &edited, now));
                let expected: BTreeSet<usize> = failing.difference(&anew).copied().collect();
                assert_eq!(judge.working(&edited, &failing), expected, "{edit:?}");
                mended.extend(expected);
            }
        }
        assert!(mended.len() > 10, "{mended:?}");
    }
}
