//! The report for people, top to bottom: verdict, causes, the matrix where something is red, other findings, what was not
//! judged, what passed.

mod answers;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use jiff::Timestamp;

use self::text::{Paper, list, plural};
use super::words::{NODE_PORTS, clean_lines};
use super::{Cause, Connection, Finding, Judgement, Place, RayCluster, Report, Verdict, Word, clean};

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns.
    pub width: u16,
    /// Whether to use ANSI colours.
    pub color: bool,
}

/// Findings of one code that are shown each; the rest is counted.
const SHOWN: usize = 8;
/// Facts of one cause that are shown each.
const FACTS: usize = 12;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// The whole report.
pub fn render(report: &Report, look: Look) -> String {
    let mut paper = Paper::new(look);
    paper.line("", verdict_style(report.verdict), &verdict_line(report));
    if !report.source.is_empty() {
        paper.para("", "", DIM, &format!("{}, at {}", clean(&report.source), seconds(report.taken_at)));
    }
    if let Some(verification) = &report.verification {
        answers::answers(&mut paper, verification);
    }
    for ladder in &report.ladders {
        paper.gap();
        paper.line("", BOLD, &clean(&ladder.target));
        for (name, ok, seen) in &ladder.rungs {
            let (mark, style) = if *ok { ("ok  ", GREEN) } else { ("FAIL", RED) };
            paper.para(&format!("  {mark} {:<12} ", clean(name)), mark, style, &clean(seen));
        }
    }
    clusters(&mut paper, report);
    for (number, cause) in report.causes.iter().enumerate() {
        write_cause(&mut paper, number + 1, cause, report);
    }
    if report.verification.is_none() {
        matrix(&mut paper, report);
    }
    findings(&mut paper, report);
    not_judged(&mut paper, report);
    inside(&mut paper, report);
    if report.verification.is_none() || !report.passed.is_empty() {
        paper.gap();
        paper.para("", "", DIM, &format!("{} passed", plural(report.passed.len(), "check")));
    }
    paper.finish()
}

/// What is broken, and how many connections of how many.
pub fn verdict_line(report: &Report) -> String {
    let totals = report.totals();
    let mut line = match &report.verification {
        Some(verification) => {
            let mut errors: Vec<&str> =
                report.findings.iter().filter(|f| f.severity == "error").map(|f| f.code).collect();
            errors.dedup();
            format!("{}: {}", word(report.verdict), verification.sentence(report.verdict, &errors))
        }
        None => connections_line(report),
    };
    if totals.open > 0 && report.verdict != Verdict::Unknown && report.verification.is_none() {
        let _ = write!(line, ", {} not judged", totals.open);
    }
    if let Some(outage) = &report.time_to_outage {
        let _ = write!(line, "; next outage {} ({})", seconds(outage.at), outage.because);
    }
    if report.incomplete {
        line.push_str(" (incomplete: cut short by the deadline or an interruption)");
    }
    line
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AtRisk => "at risk",
        Verdict::Broken => "broken",
        Verdict::Healthy => "healthy",
        Verdict::Unknown => "unknown",
    }
}

fn connections_line(report: &Report) -> String {
    let totals = report.totals();
    let judged = totals.all - totals.open;
    match report.verdict {
        Verdict::Broken if totals.failing > 0 => {
            format!("broken: {} of {} {}", totals.failing, plural(totals.all, "connection"), fail(totals.failing))
        }
        Verdict::Broken => {
            let errors = report.findings.iter().filter(|f| f.severity == "error").count();
            let seen = match judged {
                0 => "no connection was judged".into(),
                1 => "the one judged connection works".into(),
                _ => format!("all {judged} judged connections work"),
            };
            format!("broken: {}, {seen}", plural(errors, "error"))
        }
        Verdict::AtRisk if totals.failing > 0 => {
            let (all, fail) = (plural(totals.all, "connection"), fail(totals.failing));
            format!("at risk: {} of {all} {fail} that Ray can do without", totals.failing)
        }
        Verdict::AtRisk | Verdict::Healthy => {
            let verb = if judged == 1 { "works" } else { "work" };
            format!("{}: {} {verb}", word(report.verdict), plural(judged, "judged connection"))
        }
        Verdict::Unknown if totals.all == 0 => "unknown: no Ray connection was found to judge".into(),
        Verdict::Unknown => format!("unknown: none of {} could be judged", plural(totals.all, "connection")),
    }
}

fn fail(count: usize) -> &'static str {
    if count == 1 { "fails" } else { "fail" }
}

/// Nobody reads fractions of a second.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Healthy => GREEN,
        Verdict::AtRisk | Verdict::Unknown => YELLOW,
        Verdict::Broken => RED,
    }
}

fn write_cause(paper: &mut Paper, number: usize, cause: &Cause, report: &Report) {
    paper.gap();
    let title = format!("Cause {number}: {} {}", cause.code, cause.name);
    paper.line("", BOLD, &format!("{title}  {}", Place(&cause.subject)));
    paper.para("  ", "", Style::new(), &clean(&cause.message));
    if !cause.impact.is_empty() {
        paper.para("  Impact: ", "Impact:", BOLD, &clean(&cause.impact));
    }
    let facts = report.findings.get(cause.finding).map(|f| f.facts.as_slice()).unwrap_or_default();
    if !facts.is_empty() {
        paper.line("  ", BOLD, "Proof:");
        for fact in facts.iter().take(FACTS) {
            let from = if fact.origin.is_empty() { String::new() } else { format!(" ({})", clean(&fact.origin)) };
            paper.para("    ", "", Style::new(), &format!("{}: {}{from}", clean(&fact.what), clean(&fact.value)));
        }
        if facts.len() > FACTS {
            paper.line("    ", DIM, &format!("and {} more (-o json)", facts.len() - FACTS));
        }
    }
    if cause.remedy.steps.is_empty() {
        return;
    }
    paper.line("  ", BOLD, &remedy_line(report, cause));
    for (index, step) in cause.remedy.steps.iter().enumerate() {
        paper.para(&format!("    {}. ", index + 1), "", Style::new(), &clean(&step.text));
        if let (Some(_), Some(_)) = (&step.command, &step.patch) {
            paper.line("       ", DIM, "in the cluster:");
        }
        block(paper, step.command.as_deref());
        if step.patch.is_some() {
            paper.line(
                "       ",
                DIM,
                if step.command.is_some() { "and in the manifest:" } else { "in the manifest:" },
            );
        }
        block(paper, step.patch.as_deref());
    }
}

/// Lines to paste, which are never wrapped.
fn block(paper: &mut Paper, text: Option<&str>) {
    for line in clean_lines(text.unwrap_or_default()) {
        paper.line("         ", CYAN, &line);
    }
}

/// What the remedy mends, counted as in the verdict.
fn remedy_line(report: &Report, cause: &Cause) -> String {
    let mends: BTreeSet<&str> = cause.mends.iter().map(String::as_str).collect();
    let mended = report.connections.iter().filter(|c| mends.contains(c.id.as_str())).map(|c| c.count).sum::<usize>();
    let failing = report.totals().failing;
    let those = if failing == 1 { "connection that fails" } else { "connections that fail" };
    let how = if cause.together { "together with the other causes' remedies, " } else { "" };
    match mended {
        0 => "Remedy:".into(),
        _ if mended == failing && failing == 1 => format!("Remedy ({how}mends the {those}):"),
        _ if mended == failing => format!("Remedy ({how}mends all {failing} {those}):"),
        _ => format!("Remedy ({how}mends {mended} of the {failing} {those}):"),
    }
}

/// One line per Ray cluster, where there are several; those that fail first.
fn clusters(paper: &mut Paper, report: &Report) {
    if report.ray_clusters.len() < 2 {
        return;
    }
    paper.gap();
    paper.line("", BOLD, "Ray clusters");
    let mut sorted: Vec<&RayCluster> = report.ray_clusters.iter().collect();
    sorted.sort_by_key(|c| (c.failing == 0, c.not_judged == 0));
    for cluster in sorted {
        let counts = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        let (word, style) = match (cluster.failing, cluster.not_judged) {
            (0, 0) => ("ok", GREEN),
            (0, _) => ("?", YELLOW),
            _ => ("FAIL", RED),
        };
        let text = format!(
            "{}: {}{}{}{}",
            clean(&cluster.name),
            plural(cluster.connections, "connection"),
            counts(cluster.failing, fail(cluster.failing)),
            counts(cluster.not_judged, "not judged"),
            if cluster.causes.is_empty() { String::new() } else { format!("; {}", cluster.causes.join(", ")) },
        );
        paper.para(&format!("  {word:<4} "), word, style, &text);
    }
}

/// The connections of the Ray clusters in which one fails.
fn matrix(paper: &mut Paper, report: &Report) {
    let red: BTreeSet<&str> = report.ray_clusters.iter().filter(|c| c.failing > 0).map(|c| c.name.as_str()).collect();
    let rows: Vec<&Connection> = report.connections.iter().filter(|c| red.contains(c.ray_cluster.as_str())).collect();
    if rows.is_empty() {
        return;
    }
    paper.gap();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_width(paper.look.width);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if paper.look.color {
        table.enforce_styling();
    }
    // Both gRPCs mostly say the same; then one column is enough, and names get the room.
    let differ = rows.iter().any(|c| said(&c.predicted.core) != said(&c.predicted.python));
    let predicted: &[&str] = if differ { &["CORE", "PYTHON"] } else { &["PREDICTED"] };
    table.set_header(["DIALER", "TARGET", "ADDRESS", "TIMES"].iter().chain(predicted).chain(&["OBSERVED"]));
    let shared = shared_namespace(report);
    let party = |id: &str| Cell::new(clean(shared.and_then(|ns| id.strip_prefix(ns)).unwrap_or(id)));
    for (c, as_many) in folded(&rows) {
        let observed = c.observed.as_ref().map_or_else(|| Cell::new("-"), |seen| observed(seen, c.vantage.is_some()));
        let mut row = match as_many {
            None => vec![party(&c.dialer), party(&c.target), Cell::new(clean(&host_and_port(c))), Cell::new(c.count)],
            Some(Folded { rows, count }) => {
                vec![Cell::new(format!("and {rows} more")), Cell::new(""), Cell::new(""), Cell::new(count)]
            }
        };
        row.push(judgement(&c.predicted.core));
        if differ {
            row.push(judgement(&c.predicted.python));
        }
        row.push(observed);
        table.add_row(row);
    }
    // Names may wrap, verdicts not.
    for column in table.column_iter_mut().skip(3) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for line in table.lines() {
        paper.raw(line.trim_end());
    }
    let by = &report.judged_by;
    let legend = if differ {
        format!("core: {}; python: {}; a refusal says who refuses: why", by.core, by.python)
    } else {
        format!("predicted by {} of the core and {}, which agree; a refusal says who: why", by.core, by.python)
    };
    paper.para("  ", "", DIM, &legend);
    if rows.iter().any(|c| c.port_text == NODE_PORTS) {
        let same = "stand for a node's node manager, object manager, dashboard agent and workers: equal parties, files and names";
        paper.para("  ", "", DIM, &format!("{NODE_PORTS} {same}"));
    }
    unexplained(paper, report);
}

/// Rows that a line stands for.
struct Folded {
    rows: usize,
    /// Single connections.
    count: usize,
}

/// The most rows of one Ray cluster with one answer; of more the first few are shown.
const EQUAL: usize = 24;
const FIRST: usize = 8;

/// The rows that are shown, and after those of which there are too many one that counts the others.
fn folded<'r>(rows: &[&'r Connection]) -> Vec<(&'r Connection, Option<Folded>)> {
    type Answer<'r> = (&'r str, [(Word, Option<&'static str>, &'static str); 2], Option<&'static str>, bool);
    let answer = |c: &'r Connection| -> Answer<'r> {
        let said = |j: &Judgement| (j.verdict, j.by, j.short);
        let [core, python] = [&c.predicted.core, &c.predicted.python].map(said);
        (c.ray_cluster.as_str(), [core, python], c.observed.as_ref().map(|j| j.short), c.vantage.is_some())
    };
    let mut all: BTreeMap<Answer<'r>, Vec<usize>> = BTreeMap::new();
    for (at, c) in rows.iter().enumerate() {
        all.entry(answer(c)).or_default().push(at);
    }
    let mut shown: Vec<(usize, Option<Folded>)> = Vec::new();
    for of in all.values() {
        let (first, others) = of.split_at(if of.len() > EQUAL { FIRST } else { of.len() });
        shown.extend(first.iter().map(|at| (*at, None)));
        if let Some(at) = others.first() {
            let count = others.iter().map(|at| rows[*at].count).sum();
            shown.push((*at, Some(Folded { rows: others.len(), count })));
        }
    }
    shown.sort_by_key(|(at, _)| *at);
    shown.into_iter().map(|(at, folded)| (rows[at], folded)).collect()
}

/// The full reasons of connections that no cause mends; the others are told by their cause.
fn unexplained(paper: &mut Paper, report: &Report) {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mends: BTreeSet<&str> = report.causes.iter().flat_map(|cause| &cause.mends).map(String::as_str).collect();
    let explained = |c: &Connection| mends.contains(c.id.as_str());
    for c in report.connections.iter().filter(|c| c.effective.verdict == Word::Reject && !explained(c)) {
        let reason = c.effective.reason.clone().unwrap_or_default();
        let by = c.effective.by.map_or_else(String::new, |by| format!("refused by the {by}: "));
        reasons.entry(format!("{by}{reason}")).or_default().push(&c.id);
    }
    for (reason, ids) in &reasons {
        paper.para("  ", "", Style::new(), &format!("{}: {}", list(ids), clean(reason)));
    }
}

/// `namespace/`, when every party of the report is in one: it need not be in every cell.
fn shared_namespace(report: &Report) -> Option<&str> {
    let mut parties = report.connections.iter().flat_map(|c| [c.dialer.as_str(), c.target.as_str()]);
    let first = parties.next()?;
    let namespace = &first[..=first.find('/')?];
    parties.all(|p| p.starts_with(namespace)).then_some(namespace)
}

fn host_and_port(c: &Connection) -> String {
    match c.port {
        Some(port) if c.address.contains(':') && !c.address.contains(' ') => format!("[{}]:{port}", c.address),
        Some(port) if !c.address.contains(' ') => format!("{}:{port}", c.address),
        _ => format!("{}, {}", c.address, c.port_text),
    }
}

fn judgement(judgement: &Judgement) -> Cell {
    Cell::new(said(judgement)).fg(color(judgement))
}

/// With a mark when it is what a pod saw that dialled.
fn observed(judgement: &Judgement, inside: bool) -> Cell {
    let mark = if inside { " (inside)" } else { "" };
    Cell::new(format!("{}{mark}", said(judgement))).fg(color(judgement))
}

fn color(judgement: &Judgement) -> Color {
    match judgement.verdict {
        Word::Accept => Color::Green,
        Word::CannotTell => Color::Yellow,
        Word::Reject => Color::Red,
    }
}

fn said(judgement: &Judgement) -> String {
    match judgement.verdict {
        Word::Accept => "ok".into(),
        Word::CannotTell => "?".into(),
        Word::Reject => format!("{}: {}", judgement.by.unwrap_or("no"), judgement.short),
    }
}

/// Findings that are not told by a cause already, by code; those that follow from a cause are named in one line.
fn findings(paper: &mut Paper, report: &Report) {
    let roots: Vec<usize> = report.causes.iter().map(|c| c.finding).collect();
    let rest = || report.findings.iter().enumerate().filter(|(i, _)| !roots.contains(i)).map(|(_, f)| f);
    let follow: Vec<&str> = rest().filter(|f| f.cause.is_some()).map(|f| f.code).collect();
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in rest().filter(|f| f.cause.is_none()) {
        match groups.iter_mut().find(|g| g.iter().any(|f| f.code == finding.code && f.severity == finding.severity)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    if groups.is_empty() && follow.is_empty() {
        return;
    }
    paper.gap();
    paper.line("", BOLD, if report.causes.is_empty() { "Findings" } else { "Other findings" });
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let style = match first.severity {
            "error" => RED,
            "warning" => YELLOW,
            _ => CYAN,
        };
        paper.line("  ", style, &format!("{} {} {}", first.severity, first.code, first.name));
        for finding in group.iter().take(SHOWN) {
            let times = if finding.count > 1 { format!(" ({} times)", finding.count) } else { String::new() };
            paper.para(
                "    ",
                "",
                Style::new(),
                &format!("{}: {}{times}", Place(&finding.subject), clean(&finding.message)),
            );
        }
        if group.len() > SHOWN {
            paper.line("    ", DIM, &format!("and {} more (-o short)", group.len() - SHOWN));
        }
    }
    if !follow.is_empty() {
        let mut codes = follow.clone();
        codes.sort_unstable();
        codes.dedup();
        let what = plural(follow.len(), "finding");
        let verb = if follow.len() == 1 { "follows" } else { "follow" };
        paper.para("  ", "", DIM, &format!("{what} {verb} from the causes above (-o short): {}", codes.join(", ")));
    }
}

fn inside(paper: &mut Paper, report: &Report) {
    let Some(inside) = &report.inside else { return };
    let (pods, rows) = (inside.of, report.connections.len());
    let text = format!(
        "Asked from inside: {} of {}; what they dialled decides {} of {} of the matrix",
        inside.pods,
        plural(pods, "pod"),
        inside.connections,
        plural(rows, "row"),
    );
    paper.gap();
    paper.para("", "", DIM, &text);
}

fn not_judged(paper: &mut Paper, report: &Report) {
    if report.not_judged.is_empty() {
        return;
    }
    paper.gap();
    paper.line("", BOLD, "Not judged");
    let mut groups: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for n in &report.not_judged {
        groups.entry((&n.why, n.needs.as_deref())).or_default().push(&n.what);
    }
    for ((why, needs), what) in groups {
        paper.para("  ", "", Style::new(), &format!("{}: {}", list(&what), clean(why)));
        if let Some(needs) = needs {
            paper.para("    would show it: ", "", DIM, &clean(needs));
        }
    }
}
