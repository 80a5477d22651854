use std::fmt::Write as _;

use super::{Error, output};
use crate::checks::environment::unknown_variable::edit_distance;
use crate::checks::{CHECKS, Check, Severity};
use crate::cli::Explain;

pub(super) fn run(args: &Explain) -> Result<u8, Error> {
    let text = match &args.check {
        None => page(),
        Some(wanted) => section(find(wanted)?, 1),
    };
    output::print(&text).map(|()| 0)
}

/// Every check as one Markdown page.
fn page() -> String {
    let mut text = String::from(
        "# Checks\n\nThis page is what `raytls explain --all` prints. Codes and names are for ever.\n\n| code | name | severity |\n|---|---|---|\n",
    );
    let mut sorted: Vec<&Check> = CHECKS.to_vec();
    sorted.sort_by_key(|c| c.code);
    for check in &sorted {
        let _ = writeln!(text, "| {} | {} | {} |", check.code, check.name, word(check.severity));
    }
    for check in &sorted {
        text.push('\n');
        text.push_str(&section(check, 2));
    }
    text
}

fn section(check: &Check, level: usize) -> String {
    let (marks, severity) = ("#".repeat(level), word(check.severity));
    format!("{marks} {} {}\n\nSeverity: {severity}\n\n{}\n", check.code, check.name, check.help.trim())
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn find(wanted: &str) -> Result<&'static Check, Error> {
    let same = |c: &&&Check| c.code.eq_ignore_ascii_case(wanted) || c.name.eq_ignore_ascii_case(wanted);
    if let Some(check) = CHECKS.iter().find(same) {
        return Ok(check);
    }
    let lower = wanted.to_lowercase();
    let near = |c: &&&Check| {
        c.name.contains(&lower) || c.code.to_lowercase().starts_with(&lower) || edit_distance(&lower, c.name) <= 2
    };
    let near: Vec<String> = CHECKS
        .iter()
        .filter(near)
        .filter(|_| lower.len() >= 3)
        .take(5)
        .map(|c| format!("{} {}", c.code, c.name))
        .collect();
    let hint = if near.is_empty() {
        "`raytls explain --all` has them all".into()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Err(Error::usage(format!("there is no check `{wanted}`; {hint}")))
}
