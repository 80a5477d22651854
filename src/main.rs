//! `raytls`: why a Ray cluster with TLS does not connect. See the library for the map.

use std::process::ExitCode;

use clap::Parser;
use raytls::{cli::Cli, commands};

/// Objects of an API server are many small pieces: with the system's allocator half of the time goes into it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::report_bugs();
    let cli = Cli::parse();
    ExitCode::from(commands::run(cli))
}
