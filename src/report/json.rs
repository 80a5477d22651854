//! The contract for scripts.

use serde::Serialize;

/// A report as indented JSON with a line end.
pub fn render(report: &impl Serialize) -> String {
    // Strings, numbers and times only: this cannot fail, and an empty object would break the reader loudly.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|e| format!("{{\"bug\": {:?}}}", e.to_string()));
    text.push('\n');
    if text.contains(is_unsafe) { escaped(&text) } else { text }
}

/// What JSON allows in a string and a terminal takes for a command, or for another direction of writing.
fn is_unsafe(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same JSON without such characters, which stand only in strings.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match is_unsafe(c) {
            true => out += &format!("\\u{:04x}", u32::from(c)),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_for_a_terminal_stays_in_the_text() {
        let name = "a\u{9b}31m\u{202e}b\u{7f}é";
        let text = escaped(&serde_json::to_string(name).unwrap());
        assert!(!text.contains(is_unsafe) && text.contains("\\u009b31m\\u202e"), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
