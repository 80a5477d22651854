//! Running the program with nothing of the caller's environment.
#![allow(dead_code)] // each test binary uses its part

pub(crate) mod pods;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with these arguments, an empty environment and no home.
pub(crate) fn raytls(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raytls"));
    command.args(args).env_clear().env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(args: &[&str]) -> Ran {
    Ran::of(&mut raytls(args))
}

/// With this home.
pub(crate) fn run_in(home: &Path, args: &[&str]) -> Ran {
    Ran::of(raytls(args).env("HOME", home).current_dir(home))
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Ran {
        Ran::from(command.output().unwrap())
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
