//! What a shell does to variables before the program starts that matters: `export`, `unset`, `env -u`, `NAME=value program`.
//!
//! A change counts when it is sure to happen and to hold for that program: the first `ray start`, or else the last program
//! that does more than prepare. A change under a condition, in a pipe, or by `eval` is not read, and its name is told.

use std::collections::BTreeSet;

use super::redact::{base, is_name, is_separator};

/// A script without the changes that do not hold for its program.
#[derive(Debug, Default)]
pub(crate) struct Effective {
    /// Its words and separators; what holds is written `export NAME=value`, `NAME=value`, `unset NAME` and [`CLEARED`].
    pub(crate) words: Vec<String>,
    /// Names of variables that it changes in a way that is not read.
    pub(crate) unread: BTreeSet<String>,
}

/// Reads the words of a command, each separator a word of its own.
pub(crate) fn effective(words: &[String]) -> Effective {
    let segments = segments(words);
    let starts = |s: &&Segment| s.rest.windows(2).any(|two| base(two[0]) == "ray" && two[1] == "start");
    let program = segments.iter().find(starts).or_else(|| segments.iter().rev().find(|s| s.matters));
    // With no program at all everything is done for what comes later.
    let target = program.map_or(usize::MAX, |s| s.index);
    let mut all_exported = false;
    let mut exported_later = BTreeSet::new();
    let mut found = Effective::default();
    for segment in segments.iter().filter(|s| s.index <= target) {
        let certain = segment.index == target || is_certain(&segments, segment, program);
        all_exported |= certain && segment.exports_all;
        let names = segment.changes.iter().filter_map(|change| change.name());
        if !certain {
            found.unread.extend(names.map(str::to_owned));
        }
        found.unread.extend(segment.unread.iter().map(|name| (*name).to_owned()));
        exported_later.extend(segment.exported.iter().filter(|_| certain).copied());
    }
    for segment in &segments {
        let before = found.words.len();
        let own = segment.index == target;
        // What stands before another program is gone with it.
        let stays = segment.index <= target && (own || segment.program.is_none());
        let outer = segment.outer.iter().map(|change| (change, true));
        let changes = segment.changes.iter().filter(|_| stays).map(|change| (change, own || all_exported));
        for (change, exported) in outer.chain(changes) {
            if change.name().is_some_and(|name| found.unread.contains(name)) {
                continue;
            }
            if found.words.len() > before {
                found.words.push(";".into());
            }
            change.write(exported, &exported_later, &mut found.words);
        }
        if !segment.rest.is_empty() && found.words.len() > before {
            found.words.push(";".into());
        }
        for (at, word) in segment.rest.iter().enumerate() {
            match word.split_once('=') {
                // An argument that looks like a variable is none.
                Some((name, value)) if at > 0 && is_name(name) => {
                    found.words.extend(value.contains("ray://").then(|| value.to_owned()));
                }
                _ => found.words.push((*word).to_owned()),
            }
        }
        found.words.extend(segment.after.map(str::to_owned));
    }
    found
}

/// How it is written that the program starts with no variables.
pub(crate) const CLEARED: &str = "env -i";

enum Change<'w> {
    /// `NAME=value`, as one word; whether it is exported.
    Set(&'w str, bool),
    Unset(&'w str),
    /// `env -i`.
    Clear,
}

impl<'w> Change<'w> {
    fn name(&self) -> Option<&'w str> {
        match self {
            Change::Set(word, _) => word.split_once('=').map(|(name, _)| name),
            Change::Unset(name) => Some(name),
            Change::Clear => None,
        }
    }

    fn write(&self, exported: bool, exported_later: &BTreeSet<&str>, words: &mut Vec<String>) {
        let later = self.name().is_some_and(|name| exported_later.contains(name));
        let (first, second) = match self {
            Change::Set(word, own) => (if *own || exported || later { "export" } else { "" }, *word),
            Change::Unset(name) => ("unset", *name),
            Change::Clear => ("", CLEARED),
        };
        words.extend([first, second].iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()));
    }
}

/// What stands between two separators.
#[derive(Default)]
struct Segment<'w> {
    index: usize,
    changes: Vec<Change<'w>>,
    /// Made before the shell starts that all of the script runs in.
    outer: Vec<Change<'w>>,
    /// Names after `export` without a value.
    exported: Vec<&'w str>,
    /// `set -a`.
    exports_all: bool,
    /// Changed in a way that is not read.
    unread: Vec<&'w str>,
    /// The program and what follows.
    rest: Vec<&'w str>,
    program: Option<&'w str>,
    /// Whether the program does more than prepare.
    matters: bool,
    before: Option<&'w str>,
    after: Option<&'w str>,
    /// The blocks around it, the outermost first.
    blocks: Vec<usize>,
}

/// Whether a segment is sure to run, in the shell of the program, before it.
fn is_certain(segments: &[Segment<'_>], segment: &Segment<'_>, program: Option<&Segment<'_>>) -> bool {
    let around = program.map_or(&[][..], |program| &program.blocks);
    if !around.starts_with(&segment.blocks) || matches!(segment.after, Some("|" | "&")) {
        return false;
    }
    // With the program in the same list both run or neither.
    let to_program = || {
        let end = program.map_or(segments.len(), |p| p.index);
        let between = segments.get(segment.index..end).unwrap_or_default();
        !between.is_empty() && between.iter().all(|s| s.after == Some("&&"))
    };
    let mut at = segment.index;
    let mut sure = true;
    loop {
        match segments.get(at).and_then(|s| s.before) {
            Some("&&") => {
                at -= 1;
                sure &= segments.get(at).is_some_and(|s| s.program.is_none_or(|p| SUCCEED.contains(&base(p))));
            }
            Some("||" | "|") => return false,
            _ => return sure || to_program(),
        }
    }
}

/// Programs that are taken to succeed.
const SUCCEED: [&str; 11] = [".", ":", "cd", "echo", "mkdir", "printf", "sleep", "source", "true", "ulimit", "umask"];

/// Programs that only prepare for another, beside those of [`SUCCEED`].
const PREPARE: [&str; 14] =
    ["[", "[[", "cat", "chmod", "cp", "exit", "false", "grep", "ls", "rm", "tail", "test", "trap", "wait"];

/// The blocks that are open, each with a number of its own.
#[derive(Default)]
struct Blocks {
    open: Vec<usize>,
    subshells: Vec<usize>,
    made: usize,
}

impl Blocks {
    fn open(&mut self) {
        self.made += 1;
        self.open.push(self.made);
    }
}

fn segments(words: &[String]) -> Vec<Segment<'_>> {
    let mut all: Vec<Segment<'_>> = Vec::new();
    let mut blocks = Blocks::default();
    let mut before = None;
    let mut skip_to: Option<&str> = None;
    for part in words.split_inclusive(|word| is_separator(word)) {
        let (part, after) = match part.split_last() {
            Some((last, rest)) if is_separator(last) => (rest, Some(last.as_str())),
            _ => (part, None),
        };
        if let Some(end) = skip_to {
            skip_to = (part.first().map(String::as_str) != Some(end)).then_some(end);
            continue;
        }
        let mut segment = Segment { index: all.len(), before, after, ..Segment::default() };
        let words: Vec<&str> = part.iter().map(String::as_str).collect();
        segment.read(&words, &mut blocks);
        // The text of a here-document is none of the script.
        let here = words.iter().enumerate().find(|(_, w)| w.starts_with("<<") && !w.starts_with("<<<"));
        if let Some((at, word)) = here {
            let end = word.trim_start_matches(['<', '-']);
            skip_to = if end.is_empty() { words.get(at + 1).copied() } else { Some(end) };
        }
        before = after;
        all.push(segment);
    }
    all
}

impl<'w> Segment<'w> {
    fn read(&mut self, words: &[&'w str], blocks: &mut Blocks) {
        let mut at = 0;
        // Keywords, patterns of `case`, the names of functions and the brackets of groups.
        while let Some(word) = words.get(at) {
            match *word {
                "then" | "do" | "{" | "(" => blocks.open(),
                "case" => {
                    blocks.open();
                    at += if words.get(at + 2) == Some(&"in") { 2 } else { 0 };
                }
                "else" | "elif" => {
                    blocks.open.pop();
                    blocks.open();
                }
                "fi" | "done" | "esac" | "}" | ")" => {
                    blocks.open.pop();
                }
                "if" | "while" | "until" | "!" | "function" => {}
                word if self.index == 0 && is_shell(word) && next_is_flag(words, at) => {
                    at += words.iter().skip(at + 1).take_while(|word| word.starts_with('-')).count();
                }
                word if word.ends_with(')') && (word.ends_with("()") || !word.contains('(')) => {}
                _ => break,
            }
            at += 1;
        }
        let subshell = words.get(at).is_some_and(|word| word.starts_with('(') && !word.starts_with("(("));
        if subshell {
            blocks.open();
            blocks.subshells.push(blocks.made);
        }
        self.blocks = blocks.open.clone();
        self.head(words, at, subshell);
        let ends = words.get(at..).and_then(<[&str]>::last).is_some_and(|word| word.ends_with(')'));
        if ends && blocks.open.last().is_some_and(|last| blocks.subshells.contains(last)) {
            blocks.open.pop();
        }
    }

    fn head(&mut self, words: &[&'w str], mut at: usize, subshell: bool) {
        let mut by_env = false;
        while let Some(&raw) = words.get(at) {
            let word = if subshell { raw.trim_start_matches('(') } else { raw };
            let rest = words.get(at + 1..).unwrap_or_default();
            match base(word) {
                _ if assigned(word).is_some() => self.changes.push(Change::Set(word, false)),
                _ if appended(word).is_some() => self.unread.extend(appended(word)),
                "export" | "declare" | "typeset" | "readonly" | "local" | "unset" | "set" | "read" | "eval" => {
                    return self.builtin(word, rest);
                }
                "env" => {
                    at += self.env(rest);
                    by_env = true;
                }
                "exec" | "nohup" | "command" | "setsid" | "time" | "tini" | "dumb-init" | "catatonit" => {
                    at += rest.iter().take_while(|word| word.starts_with('-')).count();
                    if !matches!(word, "command" | "time") {
                        self.rest.push(word);
                    }
                }
                shell if is_shell(shell) && next_is_flag(words, at) => {
                    at += rest.iter().take_while(|word| word.starts_with('-')).count();
                    // Where such a shell ends inside of a script is not seen.
                    match self.index {
                        0 => self.outer.append(&mut self.changes),
                        _ => self.unread.extend(self.changes.drain(..).filter_map(|change| change.name())),
                    }
                }
                _ => return self.run(words, at),
            }
            at += 1;
        }
        self.rest.clear();
        // `env` alone prints.
        if by_env {
            self.changes.clear();
        }
    }

    fn builtin(&mut self, word: &'w str, rest: &[&'w str]) {
        let flags: String = rest.iter().filter(|word| word.starts_with('-')).copied().collect();
        let names = rest.iter().filter(|word| !word.starts_with('-')).copied();
        let exports = word == "export" && !flags.contains('n') || word != "export" && flags.contains('x');
        match word {
            "set" => {
                self.exports_all = flags.contains('a') || rest.contains(&"allexport") && flags.contains('o');
            }
            "read" | "eval" => {
                let name = |word: &'w str| assigned(word).or_else(|| is_name(word).then_some(word));
                self.unread.extend(names.filter_map(name));
            }
            "unset" => self.changes.extend(names.filter(|name| is_name(name)).map(Change::Unset)),
            _ => {
                for name in names {
                    match assigned(name) {
                        Some(_) => self.changes.push(Change::Set(name, exports)),
                        None if exports => self.exported.push(name),
                        None if word == "export" => self.changes.push(Change::Unset(name)),
                        None => self.unread.extend(appended(name)),
                    }
                }
            }
        }
    }

    /// The options of `env`; how many words they are.
    fn env(&mut self, words: &[&'w str]) -> usize {
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            let name = match word {
                "-" | "-i" | "--ignore-environment" => {
                    self.changes.push(Change::Clear);
                    None
                }
                "-u" | "--unset" => {
                    at += 1;
                    words.get(at).copied()
                }
                "-C" | "--chdir" => {
                    at += 1;
                    None
                }
                _ if !word.starts_with('-') => break,
                _ => word.strip_prefix("--unset=").or_else(|| word.strip_prefix("-u")),
            };
            self.changes.extend(name.map(Change::Unset));
            at += 1;
        }
        at
    }

    fn run(&mut self, words: &[&'w str], at: usize) {
        let program = words.get(at).copied().unwrap_or_default();
        // Another program may start a shell of its own: what that script does is read as a script.
        let shell = words.iter().enumerate().skip(at + 1).find(|(i, word)| {
            is_shell(word) && words.get(i + 1).is_some_and(|next| next.starts_with('-') && next.ends_with('c'))
        });
        if let Some((script, _)) = shell {
            return self.head(words, script, false);
        }
        self.rest.extend(words.iter().skip(at).copied());
        self.program = Some(program);
        self.matters = !SUCCEED.contains(&base(program)) && !PREPARE.contains(&base(program));
        let ray = words.iter().skip(at).position(|word| base(word) == "ray").unwrap_or_default();
        self.unread.extend(words.iter().skip(at + 1).take(ray).filter_map(|word| assigned(word)));
    }
}

fn is_shell(word: &str) -> bool {
    matches!(base(word), "bash" | "sh" | "dash" | "zsh" | "ash")
}

fn next_is_flag(words: &[&str], at: usize) -> bool {
    words.get(at + 1).is_some_and(|word| word.starts_with('-'))
}

/// The name in `NAME=value`.
fn assigned(word: &str) -> Option<&str> {
    word.split_once('=').map(|(name, _)| name).filter(|name| is_name(name))
}

/// The name in `NAME+=value`.
fn appended(word: &str) -> Option<&str> {
    word.split_once("+=").map(|(name, _)| name).filter(|name| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::super::redact::kept_words;

    fn read(script: &str) -> (String, String) {
        let (words, unread) = kept_words(&["bash".to_owned(), "-c".into(), script.into()]);
        (words.join(" "), unread.join(" "))
    }

    fn certain(script: &str) -> String {
        let (words, unread) = read(script);
        assert_eq!(unread, "", "{script}");
        words
    }

    #[test]
    fn what_holds_for_ray_is_kept_in_one_form() {
        for (script, kept) in [
            ("env -u RAY_USE_TLS ray start", "unset RAY_USE_TLS ; ray start"),
            (
                "env --unset=RAY_USE_TLS -uRAY_ADDRESS exec ray start",
                "unset RAY_USE_TLS ; unset RAY_ADDRESS ; exec ray start",
            ),
            ("exec env RAY_USE_TLS=0 ray start", "export RAY_USE_TLS=0 ; exec ray start"),
            ("RAY_USE_TLS=0 ray start", "export RAY_USE_TLS=0 ; ray start"),
            ("env -i PATH=/bin RAY_USE_TLS=1 ray start", "env -i ; export RAY_USE_TLS=1 ; ray start"),
            ("RAY_USE_TLS=1; export RAY_USE_TLS; ray start", "export RAY_USE_TLS=1 ; ray start"),
            ("set -a; RAY_USE_TLS=1; ray start", "export RAY_USE_TLS=1 ; ray start"),
            ("RAY_USE_TLS=1; ray start", "RAY_USE_TLS=1 ; ray start"),
            (
                "declare -x RAY_USE_TLS=1; export -n RAY_ADDRESS; ray start",
                "export RAY_USE_TLS=1 ; unset RAY_ADDRESS ; ray start",
            ),
            ("cd /x 2>&1 && export RAY_USE_TLS=1; ray start", "export RAY_USE_TLS=1 ; ray start"),
            ("test -f /x && export RAY_USE_TLS=1 && ray start", "export RAY_USE_TLS=1 && ray start"),
            ("unset RAY_USE_TLS || true; while true; do ray start; done", "unset RAY_USE_TLS || ray start"),
        ] {
            assert_eq!(certain(script), kept, "{script}");
        }
    }

    #[test]
    fn what_holds_for_another_program_is_gone() {
        for script in [
            "RAY_USE_TLS=0 python check.py; ray start",
            "env -u RAY_USE_TLS python check.py && ray start",
            "ray start; export RAY_USE_TLS=0; python app.py",
            "env RAY_USE_TLS=0; ray start",
            "cat <<EOF > /x\nRAY_USE_TLS=0\nEOF\nray start",
            "make RAY_USE_TLS=0; ray start",
        ] {
            let words = certain(script);
            assert!(!words.contains("RAY_USE_TLS") && words.contains("ray start"), "{script}: {words}");
        }
    }

    #[test]
    fn a_change_that_may_not_happen_is_not_read() {
        for script in [
            "if [ -f /x ]; then export RAY_USE_TLS=1; fi; ray start",
            "[ -f /x ] && export RAY_USE_TLS=1; ray start",
            "ray --version || unset RAY_USE_TLS; ray start",
            "case $X in a) export RAY_USE_TLS=1;; esac; ray start",
            "for x in a b; do RAY_USE_TLS=$x; done; ray start",
            "f() { export RAY_USE_TLS=1; }; f; ray start",
            "(export RAY_USE_TLS=1); ray start",
            "export RAY_USE_TLS=1 | cat; ray start",
            "eval export RAY_USE_TLS=1; ray start",
            "read RAY_USE_TLS < /x; ray start",
            "sudo -E RAY_USE_TLS=0 ray start",
        ] {
            let (words, unread) = read(script);
            assert_eq!(unread, "RAY_USE_TLS", "{script}");
            assert!(!words.contains("RAY_USE_TLS"), "{script}: {words}");
        }
        let (words, unread) = read("if [ -f /x ]; then export RAY_USE_TLS=1; ray start; fi");
        assert_eq!((words.as_str(), unread.as_str()), ("export RAY_USE_TLS=1 ; ray start", ""), "one block for both");
    }

    #[test]
    fn a_shell_around_the_script_hands_on_what_it_got() {
        let words = ["env", "-u", "RAY_USE_TLS", "sh", "-c", "cd /x; exec ray start"].map(String::from);
        assert_eq!(kept_words(&words).0.join(" "), "unset RAY_USE_TLS ; exec ray start");
        let words = ["tini", "--", "bash", "-lc", "export RAY_USE_TLS=1; ray start"].map(String::from);
        assert_eq!(kept_words(&words).0.join(" "), "export RAY_USE_TLS=1 ; ray start");
    }
}
