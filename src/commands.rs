//! One file per command. They wire the rooms together and hold no logic of their own.

mod completions;
mod demo;
mod doctor;
mod explain;
mod fleet;
mod gate;
mod interrupt;
mod output;
mod pipeline;
mod probe;
mod rbac;
mod snapshot;
mod verify;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cli::{Cli, Command};

/// Exit code of a usage error or of input that cannot be read.
const USAGE: u8 = 2;
/// Exit code when nothing could be checked.
const UNCHECKED: u8 = 3;
/// Exit code of a bug in this program.
const BUG: u8 = 4;

/// Why a command ended without a report.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Error {
    code: u8,
    message: String,
}

impl Error {
    fn usage(message: impl Into<String>) -> Self {
        Error { code: USAGE, message: message.into() }
    }

    fn unchecked(message: impl Into<String>) -> Self {
        Error { code: UNCHECKED, message: message.into() }
    }

    fn bug(message: impl Into<String>) -> Self {
        Error { code: BUG, message: message.into() }
    }
}

/// Runs a command; its exit code. Data goes to stdout, talk to stderr.
pub fn run(cli: Cli) -> u8 {
    log(cli.command.verbose());
    // A second call in one process finds the provider installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match catch_unwind(AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            say(&format!("raytls: {}", crate::report::clean(&error.message)));
            error.code
        }
        Err(_) => BUG,
    }
}

/// Makes a panic one line that asks for a report, without the data that caused it.
pub fn report_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        say(&format!("raytls: this is a bug in raytls, at {place}: please report it with the command you ran"));
    }));
}

fn dispatch(command: Command) -> Result<u8, Error> {
    match command {
        Command::Doctor(args) => doctor::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Rbac(args) => rbac::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// One line on stderr. A closed stderr is nobody's problem.
fn say(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Logs go to stderr. Of other crates only those that never log a header or a body are let through.
fn log(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "raytls=info",
        2 => "raytls=debug,rustls=info",
        _ => "raytls=trace,rustls=debug",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never)
        .try_init();
}
