//! The contract for scripts.

use super::Report;

/// The report as indented JSON with a line end.
pub fn render(report: &Report) -> String {
    // Strings, numbers and times only: this cannot fail, and an empty object would break the reader loudly.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|e| format!("{{\"bug\": {:?}}}", e.to_string()));
    text.push('\n');
    text
}
