//! Where a report goes.
#![allow(clippy::disallowed_methods)] // COLUMNS

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use super::Error;
use crate::cli::{Format, Output};
use crate::report::fleet::Fleet;
use crate::report::table::{self, Look};
use crate::report::{Report, json, short};

/// Width of a table that is not written to a terminal.
const WIDTH: u16 = 100;

/// Fails early on a request for two things on one stdout.
pub(super) fn check(outputs: &[Output]) -> Result<(), Error> {
    let files: Vec<_> = outputs.iter().filter_map(|o| o.file.as_ref()).collect();
    if let Some(twice) = files.iter().enumerate().find_map(|(at, file)| files[..at].contains(file).then_some(file)) {
        return Err(Error::usage(format!("{} is asked for by two -o; give each a file of its own", twice.display())));
    }
    match outputs.iter().filter(|o| o.file.is_none()).count() {
        0 | 1 => Ok(()),
        _ => Err(Error::usage("only one -o can go to standard output; give the others a file: -o json=report.json")),
    }
}

/// Writes the report wherever it was asked for; its exit code.
pub(super) fn tell(report: &Report, outputs: &[Output]) -> Result<u8, Error> {
    write(|format, look| render(report, format, look), outputs)?;
    Ok(report.exit_code)
}

/// Writes the reports of several clusters as [`tell`].
pub(super) fn tell_fleet(fleet: &Fleet, outputs: &[Output]) -> Result<u8, Error> {
    let render = |format, look| match format {
        Format::Table => fleet.table(look),
        Format::Short => fleet.short(),
        Format::Json => fleet.json(),
    };
    write(render, outputs)?;
    Ok(fleet.exit_code)
}

fn write(render: impl Fn(Format, Look) -> String, outputs: &[Output]) -> Result<(), Error> {
    let table = [Output { format: Format::Table, file: None }];
    for output in if outputs.is_empty() { &table } else { outputs } {
        match &output.file {
            Some(path) => {
                let text = render(output.format, Look { width: WIDTH, color: false });
                let failed = |e| Error::usage(format!("cannot write {}: {e}", path.display()));
                std::fs::write(path, text).map_err(failed)?;
            }
            None => print(&render(output.format, look()))?,
        }
    }
    Ok(())
}

/// Writes the report only where a machine reads it: as JSON, or to a file. For reports with nothing in them, whose
/// one sentence is said on stderr.
pub(super) fn tell_machines(report: &Report, outputs: &[Output]) -> Result<u8, Error> {
    let machines: Vec<Output> =
        outputs.iter().filter(|o| o.format == Format::Json || o.file.is_some()).cloned().collect();
    if machines.is_empty() { Ok(report.exit_code) } else { tell(report, &machines) }
}

/// Data on stdout. A reader that has seen enough (`| head`) is a success.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::usage(format!("cannot write to stdout: {e}"))),
        _ => Ok(()),
    }
}

fn render(report: &Report, format: Format, look: Look) -> String {
    match format {
        Format::Table => table::render(report, look),
        Format::Short => short::render(report),
        Format::Json => json::render(report),
    }
}

fn look() -> Look {
    let stdout = std::io::stdout();
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).filter(|c| (40..=1000).contains(c));
    let terminal = || if stdout.is_terminal() { comfy_table::Table::new().width() } else { None };
    Look {
        width: columns.or_else(terminal).unwrap_or(WIDTH),
        color: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
    }
}
