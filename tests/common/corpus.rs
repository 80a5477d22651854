//! What real gRPC said of many situations, and what the rules say: shared by a test and an example.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each of them uses its part

use std::collections::BTreeMap;

use jiff::Timestamp;
use raytls::collect::files::private_keys;
use raytls::evidence::{KeyFacts, KeyForm};
use raytls::grpc::pem;
use raytls::grpc::profile::{Profile, Stack, Version};
use raytls::grpc::verdict::{Case, Fault, Key, Reason, Role, Verdict, load_identity, load_trust, peer};
use serde::{Deserialize, Serialize};

/// A file in the format of `fixtures/verdicts/open.json`.
#[derive(Deserialize)]
pub struct Corpus {
    pub cases: Vec<Situation>,
}

#[derive(Deserialize, Serialize)]
pub struct Situation {
    pub id: String,
    #[serde(default)]
    pub group: String,
    #[serde(default)]
    pub description: String,
    pub name: String,
    pub chain_pem: String,
    pub key_pem: String,
    pub ca_pem: String,
    /// By role (`server`, `client`) and profile (see [`profile`]).
    pub verdicts: BTreeMap<String, BTreeMap<String, Measured>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Measured {
    pub verdict: String,
    pub stage: String,
    #[serde(default)]
    pub error: String,
    #[serde(default)]
    pub verifier_log: String,
}

/// One situation in one role by one profile's rules.
pub struct Judged<'a> {
    pub id: &'a str,
    pub role: Role,
    /// As in the file.
    pub key: &'a str,
    pub profile: Profile,
    pub measured: &'a Measured,
    /// `load`, `trust` or `handshake`.
    pub stage: &'static str,
    pub verdict: Verdict,
}

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Agreed,
    CannotTell,
    Wrong,
}

impl Corpus {
    /// Judges every role and profile of every situation.
    pub fn judge(&self, now: Timestamp) -> Vec<Judged<'_>> {
        let mut judged = Vec::new();
        for situation in &self.cases {
            for (role, profiles) in &situation.verdicts {
                let role = if role == "server" { Role::Server } else { Role::Client };
                for (key, measured) in profiles {
                    let profile = profile(key);
                    let (stage, verdict) = judge(situation, role, profile, now);
                    judged.push(Judged { id: &situation.id, role, key, profile, measured, stage, verdict });
                }
            }
        }
        judged
    }
}

impl Judged<'_> {
    /// Only whether it is accepted is compared, not where it is refused.
    pub fn outcome(&self) -> Outcome {
        match (&self.verdict, self.measured.verdict.as_str()) {
            (Verdict::CannotTell(_), _) => Outcome::CannotTell,
            (Verdict::Accept, "accept") | (Verdict::Reject(_), "reject") => Outcome::Agreed,
            _ => Outcome::Wrong,
        }
    }

    /// Whether gRPC printed what the reason of a refusal says it prints.
    pub fn has_the_words(&self) -> bool {
        let Verdict::Reject(Reason { words: Some(words), fault, .. }) = &self.verdict else { return true };
        let printed = format!("{}\n{}", self.measured.error, self.measured.verifier_log);
        // Not every process logs, and a host name is only in the status of the one that dialled.
        let is_logged = printed.contains("SSL_ERROR") || *fault == Fault::Load || *fault == Fault::Name;
        self.id == "pem-ca-empty" || self.measured.stage == "crash" || !is_logged || printed.contains(words)
    }

    /// Whether a refusal comes in the step in which gRPC's came.
    pub fn is_refused_in_the_same_step(&self) -> bool {
        self.stage == self.measured.stage
            // A process that dies does so when it loads its files.
            || self.measured.stage == "crash" && self.stage == "load"
            // Or when it takes the names out of a peer's certificate.
            || self.measured.stage == "crash" && self.measured.error.contains("at trust")
            // The core's server refuses an empty trust file; here that is seen one step later.
            || self.id == "pem-ca-empty"
    }
}

/// `core` and `python` are those of Ray 2.60; a version may follow, `core 1.57.0`. All else is judged as `python`.
fn profile(key: &str) -> Profile {
    let version = |version: &str| version.parse::<Version>().expect("a profile ends in a version");
    match key.split_once(' ') {
        Some(("core", wanted)) => Profile::of(Stack::Core, version(wanted)),
        Some(("python", wanted)) => Profile::of(Stack::Python, version(wanted)),
        _ if key == "core" => Profile::core(),
        _ => Profile::python(),
    }
}

fn judge(situation: &Situation, role: Role, profile: Profile, now: Timestamp) -> (&'static str, Verdict) {
    let keys = private_keys(situation.key_pem.as_bytes());
    let key = match keys.first() {
        None if situation.key_pem.is_empty() => Key::Empty,
        None => Key::Missing,
        Some(KeyFacts { form: KeyForm::Encrypted | KeyForm::OpenSsh | KeyForm::Unreadable, .. }) => Key::Unusable,
        Some(key) => Key::Usable(key.spki_sha256.as_deref()),
    };
    let presented = match load_identity(
        &pem::read(situation.chain_pem.as_bytes()),
        situation.chain_pem.is_empty(),
        key,
        role,
        profile,
    )
    .certificates()
    {
        Ok(presented) => presented,
        Err(verdict) => return ("load", verdict),
    };
    let bundle = pem::read(situation.ca_pem.as_bytes());
    let trust = match load_trust(&bundle, situation.ca_pem.is_empty(), profile).certificates() {
        Ok(trust) => trust,
        Err(verdict) => return ("trust", verdict),
    };
    let name = Some(situation.name.as_str());
    ("handshake", peer(Case { presented: &presented, trust: &trust, name, role, now, profile }))
}
