//! One line per finding and per thing that was not judged, for grep and for logs.

use std::fmt::Write;

use super::{Place, Report, clean, table};

/// `severity CODE subject: message` per finding, `not-judged what: why`, then the verdict.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for f in &report.findings {
        let times = if f.count > 1 { format!(" ({} times)", f.count) } else { String::new() };
        let _ = writeln!(text, "{} {} {}: {}{times}", f.severity, f.code, Place(&f.subject), clean(&f.message));
    }
    for gap in &report.not_judged {
        let _ = writeln!(text, "not-judged {}: {}", clean(&gap.what), clean(&gap.why));
    }
    let _ = writeln!(text, "{}", table::verdict_line(report));
    text
}
