//! The smallest set of edits after which every connection works that any edit can make work.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::checks::{Finding, Severity};
use crate::evidence::Evidence;
use crate::judge::{Judged, Verdict, matrix};
use crate::ray::{Address, Before, Model, Port};

use super::edit::{self, Edit};
use super::remedy;

/// How many what-ifs are tried before the search for pairs and triples gives way to elimination.
const WHAT_IFS: usize = 400;

/// A finding whose edits make connections work.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Index in the list of findings.
    pub finding: usize,
    /// Indices of the connections that work after its edits.
    pub mends: Vec<usize>,
    /// Whether they only work once other causes are mended too.
    pub together: bool,
    /// What does not work because of it, one sentence for people.
    pub impact: String,
    /// How to mend it.
    pub remedy: Remedy,
}

/// Steps that mend a cause, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// The steps.
    pub steps: Vec<RemedyStep>,
}

/// One step, with real names in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemedyStep {
    /// What to do, one sentence.
    pub text: String,
    /// A shell command that does it, ready to paste.
    pub command: Option<String>,
    /// What to change in a manifest, as YAML or a unified diff.
    pub patch: Option<String>,
}

/// The causes, the one that mends most first.
///
/// A cause is computed: its edits are applied to the model and every connection is judged again. Errors that no
/// connection shows (a refused object, traffic in clear) come last, as causes that mend nothing seen.
pub fn causes(
    model: &Model,
    evidence: &Evidence,
    now: Timestamp,
    matrix: &[Judged],
    findings: &[Finding],
) -> Vec<Cause> {
    let search = Search::new(model, evidence, now, matrix, findings);
    let chosen = search.smallest();
    let mut causes: Vec<Cause> = chosen.iter().map(|&finding| search.cause(finding, &chosen)).collect();
    causes.sort_by(|a, b| b.mends.len().cmp(&a.mends.len()).then(search.rank(a.finding).cmp(&search.rank(b.finding))));
    let alone = (0..findings.len()).filter(|&at| search.stands_alone(at, &causes));
    let alone: Vec<Cause> = alone.map(|finding| search.cause(finding, &[])).collect();
    causes.extend(alone);
    causes
}

struct Search<'a> {
    model: &'a Model,
    evidence: &'a Evidence,
    now: Timestamp,
    findings: &'a [Finding],
    /// Connections that fail.
    failing: BTreeSet<usize>,
    /// Those of them that Ray needs: they decide what a cause is.
    broken: BTreeSet<usize>,
    /// Findings that can be causes, the likelier first.
    candidates: Vec<usize>,
    before: Before,
    judge: matrix::Judge<'a>,
}

impl<'a> Search<'a> {
    fn new(
        model: &'a Model,
        evidence: &'a Evidence,
        now: Timestamp,
        judged: &'a [Judged],
        findings: &'a [Finding],
    ) -> Self {
        let fails = |at: &usize| matches!(judged[*at].effective(), Verdict::Reject { .. });
        let failing: BTreeSet<usize> = (0..judged.len()).filter(fails).collect();
        let needed = |at: &usize| model.connections.get(*at).is_some_and(|c| c.needed);
        let before = Before {
            stuck: matrix::stuck(model, judged),
            explained: judged.iter().map(|j| matches!(j.predicted(), Verdict::Reject { .. })).collect(),
            astray: model.connections.iter().map(|c| c.misdirected.is_some()).collect(),
        };
        let mut search = Search {
            model,
            evidence,
            now,
            findings,
            broken: failing.iter().copied().filter(needed).collect(),
            failing,
            candidates: (0..findings.len()).filter(|&at| !findings[at].edits.is_empty()).collect(),
            before,
            judge: matrix::Judge::new(evidence, model, now),
        };
        let mut candidates = std::mem::take(&mut search.candidates);
        candidates.sort_by_key(|&at| search.rank(at));
        search.candidates = candidates;
        search
    }

    /// Findings whose edits together mend all that can be mended, as few as possible.
    fn smallest(&self) -> Vec<usize> {
        if self.broken.is_empty() || self.candidates.is_empty() {
            return Vec::new();
        }
        let singles: Vec<BTreeSet<usize>> = self.candidates.iter().map(|&at| self.mended(&[at])).collect();
        let mut goal = self.mended(&self.candidates);
        goal.extend(singles.iter().flatten());
        if goal.is_empty() {
            return Vec::new();
        }
        if let Some(at) = singles.iter().position(|mended| mended.is_superset(&goal)) {
            return vec![self.candidates[at]];
        }
        self.few(&goal).unwrap_or_else(|| self.eliminated(&goal))
    }

    /// The first pair or triple that reaches the goal.
    fn few(&self, goal: &BTreeSet<usize>) -> Option<Vec<usize>> {
        let count = self.candidates.len();
        let mut left = WHAT_IFS / self.model.connections.len().max(20) * 20;
        for size in 2..=3 {
            for set in combinations(count, size) {
                left = left.checked_sub(1)?;
                let set: Vec<usize> = set.into_iter().map(|at| self.candidates[at]).collect();
                if self.mended(&set).is_superset(goal) {
                    return Some(set);
                }
            }
        }
        None
    }

    /// All candidates, less those that are not needed, the unlikelier tried first. No smaller part of the result will do.
    fn eliminated(&self, goal: &BTreeSet<usize>) -> Vec<usize> {
        let mut set = self.candidates.clone();
        for &candidate in self.candidates.iter().rev() {
            let without: Vec<usize> = set.iter().copied().filter(|&at| at != candidate).collect();
            if self.mended(&without).is_superset(goal) {
                set = without;
            }
        }
        set
    }

    /// The needed connections that no longer fail after the edits of these findings.
    fn mended(&self, set: &[usize]) -> BTreeSet<usize> {
        self.working(set).intersection(&self.broken).copied().collect()
    }

    /// All connections that no longer fail after the edits of these findings.
    fn working(&self, set: &[usize]) -> BTreeSet<usize> {
        let edits: Vec<&Edit> = set.iter().flat_map(|&at| &self.findings[at].edits).collect();
        let mut edited = edit::apply(self.evidence, self.model, self.now, &edits);
        edited.before = Some(self.before.clone());
        self.judge.working(&edited, &self.failing)
    }

    /// What a cause mends: alone, or, where it needs others of the set, what is lost without it.
    fn cause(&self, finding: usize, set: &[usize]) -> Cause {
        let mut mends = self.working(&[finding]);
        let together = mends.is_disjoint(&self.broken) && !set.is_empty();
        if together {
            let without: Vec<usize> = set.iter().copied().filter(|&at| at != finding).collect();
            mends = self.working(set).difference(&self.working(&without)).copied().collect();
        }
        let mends: Vec<usize> = mends.into_iter().collect();
        Cause {
            finding,
            impact: self.impact(&mends, &self.findings[finding]),
            remedy: remedy::of(self.model, self.evidence, &self.findings[finding].edits),
            mends,
            together,
        }
    }

    fn impact(&self, mends: &[usize], finding: &Finding) -> String {
        // Best shown by a connection that fails for this reason itself, and not because a process did not start.
        let shown = mends.iter().find(|&&at| self.before.explained[at]).or(mends.first());
        let Some(connection) = shown.map(|&at| &self.model.connections[at]) else {
            return match finding.severity {
                Severity::Error => "no judged connection shows it, but it stands by itself".into(),
                Severity::Warning | Severity::Info => String::new(),
            };
        };
        let failing: usize = mends.iter().map(|&at| self.model.connections[at].count).sum();
        let all: usize = self.model.connections.iter().map(|c| c.count).sum();
        let noun = if all == 1 { "connection" } else { "connections" };
        let verb = if failing == 1 { "fails" } else { "fail" };
        let dialer = &self.model.parties[connection.dialer].id;
        let target = &self.model.parties[connection.target].id;
        let more = match failing - connection.count {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        let times = if connection.count > 1 { format!(", {} times", connection.count) } else { String::new() };
        let at = match (&connection.address, connection.port) {
            (Address::Unnamed, Port::Any) => String::new(),
            (address, Port::Any) => format!(" at {address}"),
            (address, port) => format!(" at {address}:{port}"),
        };
        format!("{failing} of {all} {noun} {verb}: {dialer} to {target}{at} ({}){times}{more}", connection.why)
    }

    /// An error that can be mended, breaks no connection, and is no part of a cause already named.
    fn stands_alone(&self, at: usize, causes: &[Cause]) -> bool {
        let finding = &self.findings[at];
        finding.severity == Severity::Error
            && finding.breaks.is_empty()
            && !finding.edits.is_empty()
            && !causes.iter().any(|c| c.finding == at || self.findings[c.finding].subject == finding.subject)
    }

    /// Which of two equal explanations comes first: the surer, the graver, then the one nearer to the root.
    fn rank(&self, at: usize) -> (usize, usize, usize, usize) {
        let finding = &self.findings[at];
        let group =
            ["DOC", "CM", "SEC", "MNT", "ENV", "KBR", "CLI", "WIR", "KEY", "CRT", "ROT", "CHN", "NAM", "LIV", "PRM"];
        let group = group.iter().position(|g| finding.code.starts_with(g)).unwrap_or(group.len());
        (finding.severity as usize, finding.confidence as usize, group, at)
    }
}

/// Index sets of this size out of `count`, in lexical order.
fn combinations(count: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let with_last = |last: usize| {
        combinations(last, size - 1).into_iter().map(move |mut set| {
            set.push(last);
            set
        })
    };
    let mut all: Vec<Vec<usize>> = (0..count).flat_map(with_last).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_complete_and_ordered() {
        assert_eq!(combinations(4, 2), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert!(combinations(1, 2).is_empty());
    }
}
