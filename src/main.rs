//! `raytls`: why a Ray cluster with TLS does not connect. See the library for the map.

use std::process::ExitCode;

use clap::Parser;
use raytls::{cli::Cli, commands};

fn main() -> ExitCode {
    commands::report_bugs();
    let cli = Cli::parse();
    ExitCode::from(commands::run(cli))
}
