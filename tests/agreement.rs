//! The verdict against what real gRPC said (`fixtures/verdicts/open.json`).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use raytls::grpc::pem;
use raytls::grpc::profile::Profile;
use raytls::grpc::verdict::{Case, Fault, Key, Reason, Role, Verdict, load_identity, load_trust, peer};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

/// Cases that gRPC decides and the rules do not: a bound, so that fewer is welcome and more is a step back.
const CANNOT_TELL: usize = 66;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Situation>,
}

#[derive(Deserialize)]
struct Situation {
    id: String,
    name: String,
    chain_pem: String,
    key_pem: String,
    ca_pem: String,
    verdicts: BTreeMap<String, BTreeMap<String, Measured>>,
}

#[derive(Deserialize)]
struct Measured {
    verdict: String,
    stage: String,
    error: String,
    verifier_log: String,
}

fn situations() -> Vec<Situation> {
    let text = include_str!("../fixtures/verdicts/open.json");
    serde_json::from_str::<Fixture>(text).unwrap().cases
}

/// The SPKI SHA-256 of a key that gRPC loads; `Err` when it holds none that it can.
fn spki_sha256(pem: &str) -> Result<String, ()> {
    if pem.contains("ENCRYPTED") || pem.contains("OPENSSH") {
        return Err(());
    }
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| ())?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // A kind that the provider does not know has no known public half; the certificate decides before the key does.
    let Ok(key) = provider.key_provider.load_private_key(der) else { return Ok("unknown".into()) };
    let spki = key.public_key().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spki.as_ref());
    Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn judge(situation: &Situation, role: Role, profile: Profile, now: Timestamp) -> (&'static str, Verdict) {
    let spki = spki_sha256(&situation.key_pem);
    let key = match &spki {
        Ok(spki) if spki == "unknown" => Key::Usable(None),
        Ok(spki) => Key::Usable(Some(spki)),
        Err(()) => Key::Unusable,
    };
    let presented = match load_identity(&pem::read(situation.chain_pem.as_bytes()), key, profile) {
        Ok(presented) => presented,
        Err(verdict) => return ("load", verdict),
    };
    let bundle = pem::read(situation.ca_pem.as_bytes());
    let trust = match load_trust(&bundle, situation.ca_pem.is_empty(), profile) {
        Ok(trust) => trust,
        Err(verdict) => return ("trust", verdict),
    };
    let name = Some(situation.name.as_str());
    ("handshake", peer(Case { presented: &presented, trust: &trust, name, role, now, profile }))
}

fn each(mut visit: impl FnMut(&str, &Measured, Role, Profile, &str, Verdict)) {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    for situation in situations() {
        for (role, profiles) in &situation.verdicts {
            let role = if role == "server" { Role::Server } else { Role::Client };
            for (profile, measured) in profiles {
                let profile = if profile == "core" { Profile::Core } else { Profile::Python };
                let (stage, verdict) = judge(&situation, role, profile, now);
                visit(&situation.id, measured, role, profile, stage, verdict);
            }
        }
    }
}

#[test]
fn no_verdict_differs_from_real_grpc() {
    let mut agreed = 0;
    let mut wrong = Vec::new();
    let mut cannot = Vec::new();
    each(|id, measured, role, profile, stage, verdict| match (&verdict, measured.verdict.as_str()) {
        (Verdict::Accept, "accept") => agreed += 1,
        // The core's server refuses an empty trust file; here that is seen one step later.
        (Verdict::Reject(_), "reject") if stage == measured.stage || id == "pem-ca-empty" => agreed += 1,
        (Verdict::Reject(_), "reject") if measured.stage == "crash" && stage == "load" => agreed += 1,
        (Verdict::CannotTell(why), _) => cannot.push(format!("{id} {role:?} {profile:?}: {why}")),
        _ => wrong.push(format!(
            "{id} {role:?} {profile:?}: measured {} {} {}, judged {stage} {verdict:?}",
            measured.verdict, measured.stage, measured.verifier_log
        )),
    });
    println!("agreed {agreed}, wrong {}, cannot tell {}", wrong.len(), cannot.len());
    println!("cannot tell:\n{}", cannot.join("\n"));
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    assert!(cannot.len() <= CANNOT_TELL, "cannot tell {}:\n{}", cannot.len(), cannot.join("\n"));
    assert_eq!(agreed + cannot.len(), 780);
}

#[test]
fn the_words_are_those_that_grpc_printed() {
    let mut missing = BTreeSet::new();
    each(|id, measured, role, profile, _, verdict| {
        let Verdict::Reject(Reason { words: Some(words), fault, .. }) = verdict else { return };
        // Not every process logs, and a host name is only in the status of the one that dialled.
        let printed = format!("{}\n{}", measured.error, measured.verifier_log);
        let is_logged = printed.contains("SSL_ERROR") || fault == Fault::Load || fault == Fault::Name;
        if id != "pem-ca-empty" && is_logged && !printed.contains(&words) {
            missing.insert(format!("{id} {role:?} {profile:?}: {words:?} not in {printed}"));
        }
    });
    assert!(missing.is_empty(), "{}\n{missing:#?}", missing.len());
}
