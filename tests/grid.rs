//! Fixtures to findings: every case of `fixtures/grid.json` goes from its files through all pure rooms.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use raytls::checks::{Case, Finding, Severity, examine, unexplained};
use raytls::collect::{manifests, snapshot};
use raytls::diagnose::causes::causes;
use raytls::judge::Verdict;
use raytls::judge::matrix::judge;
use raytls::ray::parties::model;
use serde::Deserialize;

/// One row of the grid.
#[derive(Deserialize)]
struct Row {
    /// What the case shows.
    case: String,
    /// Files or folders below `fixtures/`.
    files: Vec<String>,
    /// Objects left out of them, `Secret ns/name`, as a user takes a placeholder out of a render.
    #[serde(default)]
    without: Vec<String>,
    /// The time to judge at.
    now: Timestamp,
    /// Codes of the causes, in order.
    causes: Vec<String>,
    /// Codes of every error finding, sorted, each once.
    errors: Vec<String>,
    /// Codes of the warnings, sorted, each once.
    warnings: Vec<String>,
}

#[test]
fn every_case_of_the_grid() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../fixtures/grid.json")).unwrap();
    assert!(rows.len() >= 8, "the grid has lost cases");
    let wrong: Vec<String> = rows.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[allow(clippy::unwrap_used)] // a fixture that cannot be read is a failing test
fn check(row: &Row) -> Option<String> {
    let files: Vec<PathBuf> = row.files.iter().map(|file| fixtures().join(file)).collect();
    let (mut evidence, _) = manifests::collect(&files, &mut std::io::empty(), row.now).unwrap();
    evidence.secrets.retain(|secret| {
        // A Secret of a later file stands for the one that was taken out.
        let placeholder = secret.data.values().all(|content| content.facts.size == 0);
        !(placeholder && row.without.contains(&secret.object.to_string()))
    });
    let model = model(&evidence);
    let matrix = judge(&evidence, &model, row.now);
    let findings = examine(&Case { evidence: &evidence, model: &model, matrix: &matrix, now: row.now });
    let causes = causes(&model, &evidence, row.now, &matrix, &findings);
    let found: Vec<&str> = causes.iter().map(|c| findings[c.finding].code).collect();
    let (errors, warnings) = (codes(&findings, Severity::Error), codes(&findings, Severity::Warning));
    let lost = unexplained(&model, &matrix, &findings, &causes);
    let right = found == row.causes && errors == row.errors && warnings == row.warnings && lost.is_empty();
    let told = || {
        format!(
            "{}:\n  causes {found:?}\n  errors {errors:?}\n  warnings {warnings:?}\n  unexplained {lost:?}",
            row.case
        )
    };
    (!right).then(told)
}

#[test]
fn every_failure_of_a_snapshot_is_explained() {
    let folder = fixtures().join("snapshots");
    let mut failing = 0;
    #[allow(clippy::disallowed_methods)] // the fixtures are read
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let evidence = snapshot::read(&path, &mut std::io::empty()).unwrap();
        let model = model(&evidence);
        let matrix = judge(&evidence, &model, evidence.taken_at);
        let findings = examine(&Case { evidence: &evidence, model: &model, matrix: &matrix, now: evidence.taken_at });
        let causes = causes(&model, &evidence, evidence.taken_at, &matrix, &findings);
        let lost = unexplained(&model, &matrix, &findings, &causes);
        assert!(lost.is_empty(), "{}: {lost:#?}", path.display());
        failing += matrix.iter().filter(|j| matches!(j.effective(), Verdict::Reject { .. })).count();
    }
    assert!(failing > 0, "no snapshot shows a failure");
}

fn codes(findings: &[Finding], severity: Severity) -> Vec<&'static str> {
    let mut codes: Vec<&str> = findings.iter().filter(|f| f.severity == severity).map(|f| f.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}
