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

/// Reads the words of a command, each separator a word of its own. `texts` are the quoted parts of it, which are among the
/// words too: whether another program reads them as a script is not known.
pub(crate) fn effective(words: &[String], texts: &[String]) -> Effective {
    let segments = segments(words);
    let starts = |s: &&Segment| {
        let speaks = s.program.is_some_and(|program| SPEAK.contains(&base(program)));
        !speaks && s.rest.windows(2).any(|two| base(two[0]) == "ray" && two[1] == "start")
    };
    let program = segments.iter().find(starts).or_else(|| segments.iter().rev().find(|s| s.matters));
    // With no program at all everything is done for what comes later.
    let target = program.map_or(usize::MAX, |s| s.index);
    let mut all_exported = false;
    let mut exported_by_all = BTreeSet::new();
    let mut exported_later = BTreeSet::new();
    let mut found = Effective::default();
    let apart = texts.iter().filter(|text| text.contains(char::is_whitespace) && !text.contains("ray start"));
    found.unread.extend(apart.flat_map(|text| changed_in(text)));
    // A function's body does not run where it stands, and of several starts each may have settings of its own.
    let defines = segments.iter().any(|segment| segment.defines);
    let several = segments.iter().filter(starts).count() > 1;
    let elsewhere = segments.iter().filter(|segment| defines || several && segment.index >= target);
    let names = elsewhere.flat_map(|segment| &segment.changes).filter_map(Change::name);
    found.unread.extend(names.map(str::to_owned));
    for segment in segments.iter().filter(|s| s.index <= target) {
        let certain = segment.index == target || is_certain(&segments, segment, program);
        all_exported = segment.exports_all.filter(|_| certain).unwrap_or(all_exported);
        if all_exported {
            exported_by_all.insert(segment.index);
        }
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
        let changes = segment
            .changes
            .iter()
            .filter(|_| stays)
            .map(|change| (change, own || exported_by_all.contains(&segment.index)));
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
    /// `set -a`, `set +a`.
    exports_all: Option<bool>,
    /// Whether a function begins in it.
    defines: bool,
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

/// Programs whose arguments are text.
const SPEAK: [&str; 5] = ["echo", "grep", "pgrep", "pkill", "printf"];

/// What a file or a command may set that is not read.
const ANY: [&str; 5] = ["RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT", "RAY_ADDRESS"];

/// Files that are sourced for the prompt and the path.
const HARMLESS: [&str; 4] = ["activate", "bashrc", "conda", "profile"];

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
    let mut begun = false;
    for part in words.split_inclusive(|word| is_separator(word)) {
        let (part, after) = match part.split_last() {
            Some((last, rest)) if is_separator(last) => (rest, Some(last.as_str())),
            _ => (part, None),
        };
        if let Some(end) = skip_to {
            if begun {
                skip_to = (part.first().map(String::as_str) != Some(end)).then_some(end);
                begun = skip_to.is_some();
                continue;
            }
            // The text begins on the next line.
            begun = after == Some(";");
        }
        let mut segment = Segment { index: all.len(), before, after, ..Segment::default() };
        let words: Vec<&str> = part.iter().map(String::as_str).collect();
        segment.read(&words, &mut blocks);
        // The text of a here-document is none of the script.
        let here = words.iter().enumerate().find(|(_, w)| w.starts_with("<<") && !w.starts_with("<<<"));
        if let Some((at, word)) = here {
            let end = word.trim_start_matches(['<', '-']);
            skip_to = if end.is_empty() { words.get(at + 1).copied() } else { Some(end) };
            begun = after == Some(";");
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
                "(" => {
                    blocks.open();
                    blocks.subshells.push(blocks.made);
                }
                "then" | "do" | "{" => blocks.open(),
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
                "function" => self.defines = true,
                "if" | "while" | "until" | "!" => {}
                word if self.index == 0 && is_shell(word) && next_is_flag(words, at) => {
                    at += words.iter().skip(at + 1).take_while(|word| word.starts_with('-')).count();
                }
                word if word.ends_with(')') && (word.ends_with("()") || !word.contains('(')) => {
                    self.defines |= word.ends_with("()");
                }
                _ => break,
            }
            at += 1;
        }
        let opening = words.get(at).filter(|word| !word.starts_with("(("));
        let opening = opening.map_or(0, |word| word.len() - word.trim_start_matches('(').len());
        for _ in 0..opening {
            blocks.open();
            blocks.subshells.push(blocks.made);
        }
        let subshell = opening > 0;
        self.blocks = blocks.open.clone();
        self.head(words, at, subshell);
        let last = words.get(at..).and_then(<[&str]>::last).map_or("", |word| word.trim_start_matches('('));
        let (opened, closed) = (last.matches('(').count(), last.matches(')').count());
        for _ in opened..closed {
            if last.ends_with(')') && blocks.open.last().is_some_and(|last| blocks.subshells.contains(last)) {
                blocks.open.pop();
            }
        }
    }

    fn head(&mut self, words: &[&'w str], mut at: usize, subshell: bool) {
        let mut by_env = false;
        self.unread.extend(words.iter().flat_map(|word| defaulted(word)));
        while let Some(&raw) = words.get(at) {
            let word = if subshell { raw.trim_start_matches('(') } else { raw };
            let word = word.strip_prefix('\\').unwrap_or(word);
            let rest = words.get(at + 1..).unwrap_or_default();
            match base(word) {
                _ if assigned(word).is_some() => self.changes.push(Change::Set(word, false)),
                _ if appended(word).is_some() => self.unread.extend(appended(word)),
                "export" | "declare" | "typeset" | "readonly" | "local" | "unset" | "set" | "read" | "eval" => {
                    return self.builtin(word, rest);
                }
                "." | "source" if !rest.first().is_some_and(|file| HARMLESS.iter().any(|part| file.contains(part))) => {
                    self.unread.extend(ANY);
                    return self.run(words, at);
                }
                "env" => {
                    at += self.env(rest);
                    // What a command prints.
                    let computed = rest.iter().take_while(|word| base(word) != "ray").any(|word| is_computed(word));
                    self.unread.extend(computed.then_some(ANY).into_iter().flatten());
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
        let hidden = match word {
            "eval" => !rest.iter().any(|word| assigned(word).is_some()),
            _ => rest.iter().any(|word| is_computed(word)),
        };
        self.unread.extend(hidden.then_some(ANY).into_iter().flatten());
        let names = rest.iter().filter(|word| !word.starts_with('-')).copied();
        let exports = word == "export" && !flags.contains('n') || word != "export" && flags.contains('x');
        match word {
            "set" => {
                let off = rest.iter().any(|word| word.starts_with('+') && word.contains(['a', 'o']));
                let on = flags.contains('a') || rest.contains(&"allexport") && flags.contains('o');
                self.exports_all = if on { Some(true) } else { off.then_some(false) };
            }
            "read" | "eval" => {
                let name = |word: &'w str| assigned(word).or_else(|| is_name(word).then_some(word));
                self.unread.extend(names.filter_map(name));
            }
            "unset" if flags.contains('f') => {}
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
        let mut wrapped = words.iter().skip(at + 1).take(ray);
        self.unread.extend(wrapped.clone().filter_map(|word| assigned(word)));
        let by_env = wrapped.any(|word| base(word) == "env");
        self.unread.extend(by_env.then_some(ANY).into_iter().flatten());
        if base(program) == "printf" && words.get(at + 1) == Some(&"-v") {
            self.unread.extend(words.get(at + 2).copied());
        }
    }
}

fn is_shell(word: &str) -> bool {
    matches!(base(word), "bash" | "sh" | "dash" | "zsh" | "ash")
}

fn next_is_flag(words: &[&str], at: usize) -> bool {
    words.get(at + 1).is_some_and(|word| word.starts_with('-'))
}

/// Whether a word is what a command prints, or what a variable holds: `$(cat`, `` `cat` ``, `$ALL`.
fn is_computed(word: &str) -> bool {
    word.starts_with(['$', '`'])
}

/// The name in `${NAME:=value}`, which is set where it was not.
fn defaulted(word: &str) -> Option<&str> {
    let (name, _) = word.split_once("${")?.1.split_once('=')?;
    let name = name.strip_suffix(':').unwrap_or(name);
    is_name(name).then_some(name)
}

/// The names that a text would change as a script.
fn changed_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || ";&|()".contains(c)).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let unset = |at: usize| matches!(words.get(at.wrapping_sub(1)), Some(&("unset" | "-u")));
    let name = |(at, word): (usize, &&str)| match assigned(word) {
        // To print a variable changes nothing.
        Some(name) if *word == format!("{name}=${name}") => None,
        Some(name) => Some(name.to_owned()),
        None => (is_name(word) && unset(at)).then(|| (*word).to_owned()),
    };
    words.iter().enumerate().filter_map(name).collect()
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
mod tests;
