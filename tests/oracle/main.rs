//! The verdict against real gRPC, in random situations: each is judged by the rules and by two grpcio wheels, 1.58.0 (the
//! gRPC inside Ray 2.60's C++ core) and 1.85.1, in mutual TLS on loopback, with the presenter as server and as client.
//!
//! `cargo test --features oracle --test oracle -- --nocapture`; it needs Python 3.7 to 3.11 with venv, and pip has to reach
//! an index once.
//!
//! | variable | meaning |
//! |---|---|
//! | `RAYTLS_ORACLE_SEED` | which situations; by default others each time. The seed is printed |
//! | `RAYTLS_ORACLE_CASES` | how many situations; by default 500 |
//! | `RAYTLS_ORACLE_ONLY` | one generator, by its name in `situations.rs` |
//! | `RAYTLS_ORACLE_GRPCIO` | versions of grpcio, `1.76.0,1.80.0`: the situations are judged by these wheels instead, and by the rules of their versions; those before 1.78 by the rules for a C++ core of that version too, because there the two are one. This is how a further grpcio is measured |
//! | `RAYTLS_ORACLE_FILE` | no random situations: those of a file like `fixtures/verdicts/open.json`, whose recorded verdicts all have to come out again. This proves the runner |
//! | `RAYTLS_ORACLE_RECORD` | a file: the situations of `RAYTLS_ORACLE_FILE` are measured and written to it with their verdicts |
//! | `RAYTLS_ORACLE_PYTHON` | the interpreter for the wheels; by default `python3` |
//!
//! Disagreements are written to a file that `cargo run --example agreement -- FILE` replays.
//!
//! A further wheel, the newest that pip finds, is judged by the rules for Python and only reported: it says when a new gRPC
//! no longer does what the rules say.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]
#![allow(clippy::explicit_auto_deref)] // without it another type is inferred
#![allow(clippy::cloned_ref_to_slice_refs)] // lists of parts look alike, one part or several

mod algorithms;
mod certificate;
mod chains;
#[path = "../common/corpus.rs"]
mod corpus;
mod damage;
mod der;
mod extensions;
mod faults;
mod identities;
mod keys;
mod names;
mod odd;
mod odd_extensions;
mod pem;
mod rng;
mod runner;
mod scene;
mod situations;
mod tree;
mod wheels;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use raytls::grpc::profile::Profile;

use corpus::{Corpus, Measured, Outcome, Situation};
use keys::Pool;
use runner::{Good, Question, Wheel, measure};
use situations::{Rounds, good};

const CORE: &str = "1.58.0";
const PYTHON: &str = "1.85.1";
const ROLES: [&str; 2] = ["server", "client"];

/// Bounds, in percent, of a run that tests something.
const UNMEASURED: usize = 2;
const CANNOT_TELL: usize = 2;
const ACCEPTED: std::ops::RangeInclusive<usize> = 15..=85;

#[test]
fn real_grpc_says_the_same() {
    // Drawn dates lie at whole hours: what is past at this one is past for gRPC's clock too.
    let past = TimestampRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc);
    let now = Timestamp::now().round(past).unwrap();
    let pool = Pool::new();
    let good = good(&pool, now);
    if let Some(file) = std::env::var_os("RAYTLS_ORACLE_FILE") {
        return recorded_verdicts_come_out_again(Path::new(&file), &good);
    }
    let seed = number("RAYTLS_ORACLE_SEED")
        .unwrap_or_else(|| u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap());
    let count = number("RAYTLS_ORACLE_CASES").unwrap_or(500);
    println!("RAYTLS_ORACLE_SEED={seed} RAYTLS_ORACLE_CASES={count}");
    let only = std::env::var("RAYTLS_ORACLE_ONLY").ok();
    let rounds = Rounds { seed, pool: &pool, now, only: only.as_deref() };
    let mut corpus = Corpus { cases: (0..count).map(|case| rounds.situation(case)).collect() };

    let wheels = match std::env::var("RAYTLS_ORACLE_GRPCIO") {
        Ok(versions) => versions.split(',').map(measured_as).collect(),
        Err(_) => vec![(CORE.to_string(), vec!["core".to_string()]), (PYTHON.into(), vec!["python".into()])],
    };
    let mut problems = Vec::new();
    for (version, profiles) in &wheels {
        let wheel = wheels::wheel(Some(version)).unwrap();
        problems.extend(fill(&mut corpus, profiles, &wheel, &good));
    }
    let profiles = wheels.iter().flat_map(|(_, profiles)| profiles).map(String::as_str).collect::<Vec<_>>();
    let accepted = if only.is_some() { 1..=99 } else { ACCEPTED };
    problems.extend(compare(&corpus, &profiles, accepted, now, "disagreements.json"));
    if only.is_none() && std::env::var_os("RAYTLS_ORACLE_GRPCIO").is_none() {
        newest(&mut corpus, &good, now);
    }
    assert!(problems.is_empty(), "seed {seed}:\n{}", problems.join("\n"));
}

/// A version of grpcio, and the profiles by whose rules its verdicts are judged.
fn measured_as(version: &str) -> (String, Vec<String>) {
    let is_both = !Profile::of_grpcio(version).unwrap().tls_name_rule;
    let mut profiles = vec![format!("python {version}")];
    profiles.extend(is_both.then(|| format!("core {version}")));
    (version.into(), profiles)
}

/// Measures every situation in both roles, and says what of the measuring went wrong.
fn fill(corpus: &mut Corpus, profiles: &[String], wheel: &Wheel, good: &Good) -> Vec<String> {
    let began = Instant::now();
    let all = corpus.cases.iter().flat_map(|situation| ROLES.map(|role| Question { situation, role }));
    let questions = all.collect::<Vec<_>>();
    let answers = measure(wheel, good, &questions);
    let asked = questions.len();
    let mut unmeasured = Vec::new();
    let mut measured = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        match answer {
            Ok(answer) => measured.push((question.situation.id.clone(), question.role, answer)),
            Err(why) => {
                let id = &question.situation.id;
                unmeasured.push(format!("{id} {} grpcio {}: not measured: {why}", question.role, wheel.version))
            }
        }
    }
    println!("grpcio {}: {} of {asked} measured in {:.0?}", wheel.version, measured.len(), began.elapsed());
    unmeasured.iter().for_each(|line| println!("{line}"));
    for (id, role, answer) in measured {
        let situation = corpus.cases.iter_mut().find(|situation| situation.id == id).unwrap();
        let verdicts = situation.verdicts.entry(role.into()).or_default();
        verdicts.extend(profiles.iter().map(|profile| (profile.clone(), answer.clone())));
    }
    if asked == 0 || unmeasured.len() * 100 > asked * UNMEASURED {
        return vec![format!("{} of {asked} not measured by grpcio {}", unmeasured.len(), wheel.version)];
    }
    Vec::new()
}

/// Prints what the comparison came to, and gives back what of it is not good.
fn compare(
    corpus: &Corpus,
    profiles: &[&str],
    accepted: std::ops::RangeInclusive<usize>,
    now: Timestamp,
    file: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    let mut wrong = Vec::new();
    let judged = corpus.judge(now);
    for judged in judged.iter().filter(|judged| profiles.contains(&judged.key)) {
        let measured = judged.measured;
        let mut count = |what| *counts.entry((judged.key, what)).or_default() += 1;
        count("all");
        if measured.verdict == "accept" {
            count("accepted");
        }
        let said = || {
            format!(
                "{} {:?} {}: gRPC: {} {} {} {}\n    rules: {} {:?}",
                judged.id,
                judged.role,
                judged.key,
                measured.verdict,
                measured.stage,
                measured.error,
                measured.verifier_log,
                judged.stage,
                judged.verdict
            )
        };
        match judged.outcome() {
            Outcome::Agreed => {
                count("agreed");
                if measured.verdict == "reject" && !judged.is_refused_in_the_same_step() {
                    count("in another step");
                    println!("refused in another step: {}", said());
                } else if !judged.has_the_words() {
                    count("in other words");
                    // Mostly what earlier errors left in BoringSSL's queue.
                    if counts.get(&(judged.key, "in other words")).is_some_and(|found| *found <= SHOWN) {
                        println!("refused in other words: {}", said());
                    }
                }
            }
            Outcome::CannotTell => {
                count("cannot tell");
                println!("cannot tell: {}", said());
            }
            Outcome::Wrong => {
                count("wrong");
                problems.push(format!("WRONG: {}", said()));
                wrong.push(judged.id);
            }
        }
    }
    for profile in profiles {
        let get = |what| counts.get(&(*profile, what)).copied().unwrap_or(0);
        let all = get("all");
        let line = ["agreed", "cannot tell", "wrong", "accepted", "in another step", "in other words"]
            .map(|what| format!("{what} {}", get(what)));
        println!("{profile}: {}, of {all}", line.join(", "));
        if get("cannot tell") * 100 > all * CANNOT_TELL {
            problems.push(format!("{profile}: more than {CANNOT_TELL} % cannot be told"));
        }
        if all == 0 || !accepted.contains(&(get("accepted") * 100 / all)) {
            problems.push(format!("{profile}: {} of {all} are accepted: such a run tests little", get("accepted")));
        }
    }
    write(corpus, &wrong, file);
    problems
}

/// Leaves the situations in which there is disagreement in a file.
fn write(corpus: &Corpus, wrong: &[&str], file: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let _ = std::fs::remove_file(&path);
    let cases = corpus.cases.iter().filter(|situation| wrong.contains(&situation.id.as_str())).collect::<Vec<_>>();
    if !cases.is_empty() {
        std::fs::write(&path, serde_json::to_string_pretty(&serde_json::json!({ "cases": cases })).unwrap()).unwrap();
        println!("{} situations to replay: {}", cases.len(), path.display());
    }
}

/// The newest grpcio, which is only reported.
fn newest(corpus: &mut Corpus, good: &Good, now: Timestamp) {
    match wheels::wheel(None) {
        Err(error) => println!("the newest grpcio was NOT compared: {error}"),
        Ok(wheel) if wheel.version == PYTHON => println!("the newest grpcio is {PYTHON} itself"),
        Ok(wheel) => {
            println!("the newest grpcio, {}, by the rules for Python (no reason to fail):", wheel.version);
            let mut lines = fill(corpus, &[NEWEST.into()], &wheel, good);
            lines.extend(compare(corpus, &[NEWEST], ACCEPTED, now, "newest.json"));
            lines.iter().for_each(|line| println!("{line}"));
        }
    }
}

const NEWEST: &str = "newest";

/// Refusals with other words that are printed per profile; none is a reason to fail.
const SHOWN: usize = 3;

fn recorded_verdicts_come_out_again(file: &Path, good: &Good) {
    let recorded: Corpus = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    if let Some(path) = std::env::var_os("RAYTLS_ORACLE_RECORD") {
        return record(recorded, Path::new(&path), good);
    }
    let mut problems = Vec::new();
    let mut same = 0;
    for (profile, version) in [("core", CORE), ("python", PYTHON)] {
        let wheel = wheels::wheel(Some(version)).unwrap();
        let began = Instant::now();
        let all = recorded.cases.iter().flat_map(|situation| ROLES.map(|role| Question { situation, role }));
        let known = |question: &Question<'_>| recall(question.situation, question.role, profile).is_some();
        let questions = all.filter(known).collect::<Vec<_>>();
        for (Question { situation, role }, answer) in questions.iter().zip(measure(&wheel, good, &questions)) {
            let recorded = recall(situation, role, profile).unwrap();
            match answer {
                Ok(answer) if (&answer.verdict, &answer.stage) == (&recorded.verdict, &recorded.stage) => same += 1,
                answer => {
                    problems.push(format!("{} {role} {profile}: recorded {recorded:?}, now {answer:?}", situation.id))
                }
            }
        }
        println!("grpcio {}: {} in {:.0?}", wheel.version, questions.len(), began.elapsed());
    }
    println!("the same as recorded: {same}");
    assert!(same > 0 && problems.is_empty(), "not as recorded: {}\n{}", problems.len(), problems.join("\n"));
}

/// Measures all anew, and writes the file with what came out.
fn record(mut corpus: Corpus, path: &Path, good: &Good) {
    corpus.cases.iter_mut().for_each(|situation| situation.verdicts.clear());
    for (profile, version) in [("core", CORE), ("python", PYTHON)] {
        let problems = fill(&mut corpus, &[profile.into()], &wheels::wheel(Some(version)).unwrap(), good);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
    std::fs::write(path, serde_json::to_string_pretty(&serde_json::json!({ "cases": corpus.cases })).unwrap() + "\n")
        .unwrap();
}

fn recall<'a>(situation: &'a Situation, role: &str, profile: &str) -> Option<&'a Measured> {
    situation.verdicts.get(role)?.get(profile)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
