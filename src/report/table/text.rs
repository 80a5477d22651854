use anstyle::Style;

use super::Look;
use crate::report::clean;

/// Text being written, wrapped at the width.
pub(super) struct Paper {
    pub(super) look: Look,
    text: String,
}

impl Paper {
    pub(super) fn new(look: Look) -> Self {
        Paper { look, text: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A line as it is.
    pub(super) fn raw(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// One styled line, never wrapped.
    pub(super) fn line(&mut self, indent: &str, style: Style, text: &str) {
        let line = format!("{indent}{}", self.styled(style, text));
        self.raw(line.trim_end());
    }

    /// Words wrapped under a hanging `lead`. `mark`, a part of the lead, is styled; without a mark the words are.
    pub(super) fn para(&mut self, lead: &str, mark: &str, style: Style, words: &str) {
        let hang = lead.chars().count();
        let room = usize::from(self.look.width).saturating_sub(hang).max(20);
        let mut first = lead.to_owned();
        if !mark.is_empty() {
            first = lead.replacen(mark, &self.styled(style, mark), 1);
        }
        for (index, line) in wrap(words, room).iter().enumerate() {
            let line = if mark.is_empty() { self.styled(style, line) } else { line.clone() };
            let start = if index == 0 { first.clone() } else { " ".repeat(hang) };
            self.raw(format!("{start}{line}").trim_end());
        }
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.look.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Lines of at most `room` characters where words allow; a longer word (a path, a command) stays whole.
fn wrap(words: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in words.split(' ') {
        let size = word.chars().count();
        if length > 0 && length + 1 + size > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        } else if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += size;
    }
    lines.push(line);
    lines
}

/// `1 check`, `3 checks`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The first few of many.
pub(super) fn list(items: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = items.iter().take(SHOWN).map(|i| clean(i)).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
