use clap::CommandFactory as _;

use super::{Error, output};
use crate::cli::{Cli, Completions};

pub(super) fn run(args: &Completions) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "raytls", &mut script);
    output::print(&String::from_utf8_lossy(&script)).map(|()| 0)
}
