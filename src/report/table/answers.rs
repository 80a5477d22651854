//! The answers about files.

use std::collections::BTreeMap;

use anstyle::Style;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};

use super::DIM;
use super::text::{Paper, list};
use crate::report::clean;
use crate::report::verification::{Answer, Verification, Who};

/// Names of the certificate that are shown; the rest is counted.
const SHOWN: usize = 24;

/// One row per question with both answers, and below the reasons in gRPC's own words.
pub(super) fn answers(paper: &mut Paper, verification: &Verification) {
    paper.gap();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_width(paper.look.width);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if paper.look.color {
        table.enforce_styling();
    }
    table.set_header(["QUESTION", "CORE", "PYTHON", "ACCEPTED BY"]);
    let rows = verification.rows();
    let shown = rows.len() - verification.names.len().saturating_sub(SHOWN);
    for (question, who, core, python) in rows.iter().take(shown) {
        let color = match who {
            Who::Both => Color::Green,
            Who::CannotTell => Color::Yellow,
            Who::CoreOnly | Who::PythonOnly | Who::Neither => Color::Red,
        };
        let verb = if question.starts_with("load") { "loads" } else { "ok" };
        table.add_row([
            Cell::new(clean(question)),
            cell(core, verb),
            cell(python, verb),
            Cell::new(who.text()).fg(color),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for line in table.lines() {
        paper.raw(line.trim_end());
    }
    let left = rows.len() - shown + verification.names_left_out;
    if left > 0 {
        paper.line("  ", DIM, &format!("and {left} names more (-o json, or ask for one with --name)"));
    }
    let legend = format!("core: {}; python: {}", verification.core, verification.python);
    paper.para("  ", "", DIM, &legend);
    reasons(paper, &rows[..shown]);
}

fn cell(answer: &Answer, yes: &str) -> Cell {
    match answer.verdict {
        "accept" if answer.ignored.is_some() => Cell::new("in part").fg(Color::Yellow),
        "accept" => Cell::new(yes).fg(Color::Green),
        "reject" => Cell::new("refuses").fg(Color::Red),
        "abort" => Cell::new("aborts").fg(Color::Red),
        _ => Cell::new("?").fg(Color::Yellow),
    }
}

/// Every reason once, with the questions it answers and what each gRPC prints.
fn reasons(paper: &mut Paper, rows: &[(String, Who, &Answer, &Answer)]) {
    let mut told: Vec<(&str, Vec<&str>, BTreeMap<&str, &str>)> = Vec::new();
    for (question, _, core, python) in rows {
        for (answer, by) in [(core, "core"), (python, "python")] {
            let Some(reason) = answer.reason.as_deref().filter(|_| answer.refuses()).or(answer.ignored.as_deref())
            else {
                continue;
            };
            let at = told.iter().position(|(known, ..)| *known == reason).unwrap_or_else(|| {
                told.push((reason, Vec::new(), BTreeMap::new()));
                told.len() - 1
            });
            let Some((_, questions, words)) = told.get_mut(at) else { continue };
            if !questions.contains(&question.as_str()) {
                questions.push(question);
            }
            // What is left out in silence, is; of a refusal the words may not be known.
            let silent = (!answer.refuses()).then_some("nothing");
            if let Some(said) = answer.words.as_deref().or(silent) {
                words.insert(by, said);
            }
        }
    }
    for (reason, questions, words) in told {
        paper.para("  ", "", Style::new(), &format!("{}: {}", list(&questions), clean(reason)));
        // Never wrapped: people search for these words.
        match (words.get("core"), words.get("python")) {
            (Some(core), Some(python)) if core == python => paper.line("    ", DIM, &printed("both print", core)),
            (core, python) => {
                for (who, said) in [("core prints", core), ("python prints", python)] {
                    if let Some(said) = said {
                        paper.line("    ", DIM, &printed(who, said));
                    }
                }
            }
        }
    }
}

fn printed(who: &str, words: &str) -> String {
    format!("{who}: {}", clean(words))
}
