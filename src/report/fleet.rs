//! The reports of several Kubernetes clusters as one.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::table::{self, Look};
use super::{API_VERSION, Report, Verdict, clean, json, short};

/// Reports of several contexts, in the order in which these were asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `ReportList`.
    pub kind: &'static str,
    /// The time everything was judged at, UTC.
    pub taken_at: Timestamp,
    /// Exit code of the program: that of the worst report. 4 beats 1 beats 2 beats 3 beats 0.
    pub exit_code: u8,
    /// Whether any of the reports is incomplete.
    pub incomplete: bool,
    /// The worst verdict.
    pub verdict: Verdict,
    /// One report per context.
    pub items: Vec<Item>,
}

/// One Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// Context of the kubeconfig.
    pub context: String,
    /// Its report. A cluster that could not be asked has one too, with the reason under `notJudged`.
    pub report: Report,
}

impl Fleet {
    /// The fleet of these reports, judged at `now`.
    pub fn new(items: Vec<Item>, now: Timestamp) -> Self {
        let worst = |code: &u8| [4, 1, 2, 3, 0].iter().position(|c| c == code);
        let grave = |verdict: &Verdict| match verdict {
            Verdict::Broken => 0,
            Verdict::Unknown => 1,
            Verdict::AtRisk => 2,
            Verdict::Healthy => 3,
        };
        let reports = || items.iter().map(|item| &item.report);
        Fleet {
            api_version: API_VERSION,
            kind: "ReportList",
            taken_at: now,
            exit_code: reports().map(|report| report.exit_code).min_by_key(worst).unwrap_or(3),
            incomplete: reports().any(|report| report.incomplete),
            verdict: reports().map(|report| report.verdict).min_by_key(grave).unwrap_or(Verdict::Unknown),
            items,
        }
    }

    /// Every report under the name of its context, after one line about all.
    pub fn table(&self, look: Look) -> String {
        let mut text = format!("{}\n", self.line());
        for item in &self.items {
            let _ = write!(text, "\n== {}\n{}", clean(&item.context), table::render(&item.report, look));
        }
        text
    }

    /// As [`short::render`], each line after its context; the last line is about all.
    pub fn short(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            for line in short::render(&item.report).lines() {
                let _ = writeln!(text, "{}: {line}", clean(&item.context));
            }
        }
        let _ = writeln!(text, "{}", self.line());
        text
    }

    /// Indented JSON with a line end.
    pub fn json(&self) -> String {
        json::render(self)
    }

    fn line(&self) -> String {
        let count = |verdict: Verdict| self.items.iter().filter(|item| item.report.verdict == verdict).count();
        let counts = [Verdict::Broken, Verdict::AtRisk, Verdict::Unknown, Verdict::Healthy]
            .map(|verdict| (count(verdict), table::word(verdict)))
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"));
        let of = if self.items.len() == 1 { "context" } else { "contexts" };
        format!("{}: {} {of}: {}", table::word(self.verdict), self.items.len(), counts.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{now, options, scene};
    use super::*;

    fn item(context: &str, code: u8, verdict: Verdict) -> Item {
        let report = Report { exit_code: code, verdict, ..scene().report(&options()) };
        Item { context: context.into(), report }
    }

    #[test]
    fn the_worst_report_is_the_exit_code_in_every_order() {
        let code = |codes: &[u8]| {
            let items = codes.iter().map(|code| item("a", *code, Verdict::Unknown)).collect();
            Fleet::new(items, now()).exit_code
        };
        assert_eq!(
            [code(&[0, 0]), code(&[0, 3]), code(&[3, 2]), code(&[1, 3]), code(&[2, 1]), code(&[1, 4])],
            [0, 3, 2, 1, 1, 4]
        );
        assert_eq!(code(&[]), 3, "nothing was looked at");
    }

    #[test]
    fn each_format_names_every_context() {
        let fleet = Fleet::new(vec![item("prod", 1, Verdict::Broken), item("stage", 0, Verdict::Healthy)], now());
        let first = "broken: 2 contexts: 1 broken, 1 healthy";
        let table = fleet.table(Look { width: 100, color: false });
        assert!(table.starts_with(first) && table.contains("\n== prod\n") && table.contains("\n== stage\n"), "{table}");
        let short = fleet.short();
        assert_eq!(short.lines().last(), Some(first));
        assert!(short.lines().rev().skip(1).all(|l| l.starts_with("prod: ") || l.starts_with("stage: ")), "{short}");
        let json: serde_json::Value = serde_json::from_str(&fleet.json()).unwrap();
        assert_eq!((json["kind"].as_str(), json["verdict"].as_str()), (Some("ReportList"), Some("broken")));
        assert_eq!(json["items"][1]["context"], "stage");
        assert_eq!(json["items"][0]["report"]["kind"], "Report");
    }
}
