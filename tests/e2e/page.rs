//! docs/faults.md, written by a run of all rows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::judge::Said;
use crate::row::Row;
use crate::rows;
use crate::scene;

const INTRODUCTION: &str = "\
# Faults on real Ray, and what they look like

<!-- Written by `RAYTLS_E2E=all RAYTLS_E2E_BLESS=1 cargo test --features e2e --test e2e -- --nocapture`. -->

Seen with Ray 2.60.0 on Kubernetes 1.34, KubeRay 1.4.2 and cert-manager 1.21. `tests/e2e` makes each row anew in a namespace
of its own, waits for the lines of the third column, and asks `raytls doctor` for the cause; it must name the causes of the
fourth column and no others, without and with `--inside`. The last column has the connections that were seen to work and to
fail, through the API server's port-forward and, with `--inside`, from the pods themselves; what was seen is what was predicted,
but for the faults that are exactly that difference. `raytls demo --list` names the faults that need no cluster.
";

/// What a row that passed has shown.
pub(crate) struct Done {
    /// The lines of Ray and Kubernetes, with where they were seen.
    pub(crate) seen: Vec<(String, String)>,
    /// The doctor without `--inside`.
    pub(crate) outside: Said,
    /// The doctor with `--inside`, where the rights allow it.
    pub(crate) inside: Option<Said>,
}

const HEADER: &str = "\
| row | fault, and how it is made | what Ray and Kubernetes show | causes | seen |
|---|---|---|---|---|";

impl Done {
    /// The row of the table.
    fn line(&self, row: &Row) -> String {
        let told =
            |(place, line): &(String, String)| format!("{place}: `{}`", line.replace('|', "\\|").replace('`', "'"));
        let seen: Vec<String> = self.seen.iter().map(told).collect();
        format!(
            "| {} | {}: {} | {} | {} | {} |\n",
            row.name,
            row.what,
            row.made,
            seen.join("<br>"),
            causes(&self.outside),
            self.observed()
        )
    }

    fn observed(&self) -> String {
        let inside = self.inside.as_ref().map_or("not asked".to_owned(), observed);
        format!("{}; inside: {inside}", observed(&self.outside))
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", causes(&self.outside), self.observed())
    }
}

/// Writes `faults.md` where the reports go, and to docs/ when it is asked for. A row without a result keeps the line that
/// it has in docs/.
pub(crate) fn write(done: &BTreeMap<&str, Result<Done, String>>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let old = std::fs::read_to_string(&page).unwrap_or_default();
    let mut text = INTRODUCTION.to_owned();
    for (_, title, rows) in rows::GROUPS {
        text += &format!("\n## {title}\n\n{HEADER}\n");
        for row in rows.iter() {
            let begin = format!("| {} | ", row.name);
            match done.get(row.name) {
                Some(Ok(done)) => text += &done.line(row),
                _ => text.extend(old.lines().find(|line| line.starts_with(&begin)).map(|line| format!("{line}\n"))),
            }
        }
    }
    std::fs::write(scene::directory().join("faults.md"), &text).unwrap();
    if std::env::var_os("RAYTLS_E2E_BLESS").is_some() {
        std::fs::write(page, &text).unwrap();
    }
}

fn causes(said: &Said) -> String {
    match said.causes.is_empty() {
        true => format!("none, {}", said.verdict),
        false => said.causes.join("<br>"),
    }
}

fn observed(said: &Said) -> String {
    format!("{} work, {} fail", said.accepted, said.rejected)
}

/// A line of a log without its time and process, and without what else differs from run to run.
pub(crate) fn plain(line: &str) -> String {
    let line = without_colours(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    // `[2026-11-24 14:05:30,123 E 41 41] rpc_client.h:153: text`, `E1124 14:05:30.1 41 file.cc:1886] text`,
    // `2026-11-24 14:05:30,123 INFO scripts.py:1085 -- text`.
    let source = |word: &&str| [".cc:", ".h:", ".py:"].iter().any(|end| word.contains(end));
    let from = words.iter().take(8).position(source).unwrap_or_default();
    let word =
        |word: &&str| match word.chars().filter(char::is_ascii_hexdigit).count() >= 24 && !word.contains(['/', ':']) {
            true => "ID".to_owned(),
            false => without_address(word),
        };
    let text = words[from..].iter().map(word).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// `POD_IP` for an IPv4 address that is not loopback.
fn without_address(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(rest.len(), |n| start + n);
        let number = rest[start..end].trim_end_matches('.');
        out += &rest[..start];
        out += match number.parse::<std::net::Ipv4Addr>() {
            Ok(ip) if !ip.is_loopback() && !ip.is_unspecified() => "POD_IP",
            _ => number,
        };
        rest = &rest[start + number.len()..];
    }
    out + rest
}

fn without_colours(line: &str) -> String {
    let mut out = String::new();
    let mut parts = line.split("\u{1b}[");
    out += parts.next().unwrap_or_default();
    for part in parts {
        out += part.split_once('m').map_or(part, |(_, text)| text);
    }
    out
}
