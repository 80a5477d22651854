//! How far the rules agree with what real gRPC said: `cargo run --example agreement -- FILE`.
//!
//! FILE is in the format of `fixtures/verdicts/open.json`. Exit code 0 when no verdict is wrong.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

#[path = "../tests/common/corpus.rs"]
mod corpus;

use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;

use corpus::{Corpus, Outcome};

fn main() -> anyhow::Result<ExitCode> {
    let path = std::env::args_os().nth(1).context("which file? agreement FILE")?;
    let shown = path.to_string_lossy();
    let text = std::fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
    let corpus: Corpus = serde_json::from_str(&text).with_context(|| format!("{shown} holds no recorded verdicts"))?;
    let (mut agreed, mut wrong, mut cannot) = (0, 0, 0);
    for judged in corpus.judge(Timestamp::now()) {
        let kind = match judged.outcome() {
            Outcome::Agreed => {
                agreed += 1;
                continue;
            }
            Outcome::CannotTell => {
                cannot += 1;
                "cannot tell"
            }
            Outcome::Wrong => {
                wrong += 1;
                "wrong"
            }
        };
        let measured = judged.measured;
        println!("{kind}: {} {:?} {}", judged.id, judged.role, judged.profile);
        println!(
            "  recorded: {} at {}: {} {}",
            measured.verdict, measured.stage, measured.error, measured.verifier_log
        );
        println!("  ours: at {}: {:?}", judged.stage, judged.verdict);
    }
    println!("agreed {agreed}, wrong {wrong}, cannot tell {cannot}, of {}", agreed + wrong + cannot);
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
