//! The verdict against what real gRPC said (`fixtures/verdicts/`).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/corpus.rs"]
mod corpus;

use std::collections::BTreeSet;

use raytls::grpc::verdict::Verdict;

use corpus::{Corpus, Judged, Measured, Outcome};

/// Cases that gRPC decides and the rules do not: a bound, so that fewer is welcome and more is a step back.
const CANNOT_TELL: usize = 12;

const FILES: [&str; 3] = [
    include_str!("../fixtures/verdicts/open.json"),
    include_str!("../fixtures/verdicts/found.json"),
    include_str!("../fixtures/verdicts/field.json"),
];

fn each(mut visit: impl FnMut(&Judged<'_>)) {
    for file in FILES {
        let corpus: Corpus = serde_json::from_str(file).unwrap();
        corpus.judge("2026-11-25T12:00:00Z".parse().unwrap()).iter().for_each(&mut visit);
    }
}

#[test]
fn no_verdict_differs_from_real_grpc() {
    let mut agreed = 0;
    let mut wrong = Vec::new();
    let mut cannot = Vec::new();
    each(|judged| {
        let Judged { id, role, profile, measured, stage, verdict, .. } = judged;
        match judged.outcome() {
            Outcome::Agreed if *verdict == Verdict::Accept || judged.is_refused_in_the_same_step() => agreed += 1,
            Outcome::CannotTell => cannot.push(format!("{id} {role:?} {profile}: {verdict:?}")),
            Outcome::Agreed | Outcome::Wrong => wrong.push(format!(
                "{id} {role:?} {profile}: measured {} {} {}, judged {stage} {verdict:?}",
                measured.verdict, measured.stage, measured.verifier_log
            )),
        }
    });
    println!("agreed {agreed}, wrong {}, cannot tell {}", wrong.len(), cannot.len());
    println!("cannot tell:\n{}", cannot.join("\n"));
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    assert!(cannot.len() <= CANNOT_TELL, "cannot tell {}:\n{}", cannot.len(), cannot.join("\n"));
    assert_eq!(agreed + cannot.len(), 780 + 152 + 324);
}

#[test]
fn the_words_are_those_that_grpc_printed() {
    let mut missing = BTreeSet::new();
    each(|judged| {
        if !judged.has_the_words() {
            let Judged { id, measured, role, profile, verdict, .. } = judged;
            let Measured { error, verifier_log, .. } = measured;
            missing.insert(format!("{id} {role:?} {profile}: {verdict:?}: printed: {error} {verifier_log}"));
        }
    });
    assert!(missing.is_empty(), "{}\n{missing:#?}", missing.len());
}
