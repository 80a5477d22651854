//! What a row's report must say, and must not.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::row::{Expect, Row};
use crate::scene::Scene;

/// What a run of the doctor said, for the page.
pub(crate) struct Said {
    /// The verdict: healthy, at-risk, unknown, broken.
    pub(crate) verdict: &'static str,
    /// The codes and objects of its causes.
    pub(crate) causes: Vec<String>,
    /// Connections that were seen to work.
    pub(crate) accepted: usize,
    /// Connections that were seen to fail.
    pub(crate) rejected: usize,
}

/// Runs the doctor with these further flags and compares what it says with what the row expects.
pub(crate) fn doctor(scene: &Scene, row: &Row, keep: &str, flags: &[&str]) -> Result<Said, String> {
    let args: Vec<&str> =
        ["doctor", "-n", &scene.namespace, "-o", "json", "--timeout", "90s"].iter().chain(flags).copied().collect();
    let output = scene.raytls(keep, &args);
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|why| format!("no JSON report ({why}): {}", String::from_utf8_lossy(&output.stderr)))?;
    let mut wrong = Vec::new();
    let exit = output.status.code();
    let (verdict, code) = match row.expect {
        Expect::Healthy => ("healthy", 0),
        Expect::Warned(_) => ("at-risk", 0),
        Expect::Unknown => ("unknown", 3),
        _ => ("broken", 1),
    };
    if report["verdict"] != verdict || exit != Some(code) {
        wrong.push(format!("verdict {} with exit {exit:?}, not {verdict} with {code}", report["verdict"]));
    }
    causes(row, &report, &mut wrong);
    if row.expect.causes().is_empty() {
        let errors = list(&report, "findings").iter().filter(|f| f["severity"] == "error");
        wrong.extend(errors.map(|f| format!("an error on a healthy cluster: {} {}", f["code"], f["message"])));
    }
    if let Expect::Warned(codes) = row.expect {
        let warned: BTreeSet<&str> = list(&report, "findings")
            .iter()
            .filter(|f| f["severity"] == "warning")
            .filter_map(|f| f["code"].as_str())
            .collect();
        if warned != codes.iter().copied().collect() {
            wrong.push(format!("the warnings are {warned:?}, not {codes:?}"));
        }
    }
    agreement(row, &report, &mut wrong);
    if let Some(level) = scene.level() {
        gaps(level, &report, &mut wrong);
    }
    let observed =
        |verdict| list(&report, "connections").iter().filter(|c| c["observed"]["verdict"] == verdict).count();
    match wrong.is_empty() {
        true => Ok(Said {
            verdict,
            causes: list(&report, "causes").iter().map(named).collect(),
            accepted: observed("accept"),
            rejected: observed("reject"),
        }),
        false => Err(wrong.join("\n")),
    }
}

fn named(cause: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let subject = &cause["subject"];
    format!("{} {} {}", text(&cause["code"]), text(&subject["kind"]), text(&subject["name"]))
}

/// Exactly the expected causes, the first one first, each with what it mends and how.
fn causes(row: &Row, report: &Value, wrong: &mut Vec<String>) {
    let found = list(report, "causes");
    let expected = row.expect.causes();
    let fits = |found: &Value, expected: &crate::row::Cause| {
        expected.codes.iter().any(|code| found["code"] == *code) && found["subject"]["name"] == expected.subject
    };
    if let (Some(first), Some(found)) = (expected.first(), found.first())
        && !fits(found, first)
    {
        wrong.push(format!("the first cause is {}, not {} {}", named(found), first.codes.join("/"), first.subject));
    }
    for cause in expected.iter().filter(|e| !found.iter().any(|f| fits(f, e))) {
        wrong.push(format!("not called a cause: {} {}", cause.codes.join("/"), cause.subject));
    }
    for cause in found.iter().filter(|f| !expected.iter().any(|e| fits(f, e))) {
        wrong.push(format!("called a cause: {}: {}", named(cause), cause["message"]));
    }
    for cause in found {
        if list(cause, "mends").is_empty() || list(&cause["remedy"], "steps").is_empty() {
            wrong.push(format!("a cause that mends nothing or has no remedy: {}", named(cause)));
        }
    }
}

/// Each right that the level lacks is named with the rule that gives it, and none that it has.
fn gaps(level: u8, report: &Value, wrong: &mut Vec<String>) {
    let needs: Vec<&str> = list(report, "notJudged").iter().filter_map(|gap| gap["needs"].as_str()).collect();
    for (from, resource) in [(1, "pods"), (2, "secrets"), (3, "pods/portforward")] {
        let quoted = [format!("\"{resource}\""), format!("[{resource}"), format!(" {resource}")];
        let named = needs.iter().any(|need| quoted.iter().any(|word| need.contains(word.as_str())));
        // Without lists no Secret is known that could be wanted.
        let lacks = level < from && (level, from) != (0, 2);
        if named != lacks {
            wrong.push(format!(
                "level {level}: {resource} is {} among what is needed: {needs:?}",
                if named { "" } else { "not" }
            ));
        }
    }
}

/// What was seen of a connection is what was predicted, unless the difference is the fault.
fn agreement(row: &Row, report: &Value, wrong: &mut Vec<String>) {
    let mut differ = Vec::new();
    for connection in list(report, "connections") {
        let observed = connection["observed"]["verdict"].as_str().unwrap_or_default();
        let predicted = predicted(connection);
        if matches!((observed, predicted), ("accept", "reject") | ("reject", "accept")) && !waits(report, connection) {
            differ.push(format!("{}: seen {observed}, predicted {predicted}", connection["id"]));
        }
    }
    match row.expect {
        Expect::Differs(_) if differ.is_empty() => wrong.push("what was seen is what the files predict".into()),
        Expect::Differs(_) => {}
        Expect::Healthy | Expect::Warned(_) | Expect::Unknown | Expect::Causes(_) => wrong.extend(differ),
    }
}

/// Nothing listens, and the doctor says that the port opens when a cause is mended.
fn waits(report: &Value, connection: &Value) -> bool {
    let closed = connection["observed"]["reason"].as_str().is_some_and(|r| r.contains("nothing listens there"));
    let mut causes = list(report, "causes").iter();
    closed && causes.any(|cause| list(cause, "mends").contains(&connection["id"]))
}

/// Only Python's gRPC stands on Ray Client's port; elsewhere either of the two may refuse.
fn predicted(connection: &Value) -> &str {
    let by = |profile: &str| connection["predicted"][profile]["verdict"].as_str().unwrap_or_default();
    let python_only =
        connection["port"] == 10001 || connection["id"].as_str().is_some_and(|id| id.ends_with("session"));
    match (by("core"), by("python")) {
        (_, python) if python_only => python,
        ("reject", _) | (_, "reject") => "reject",
        ("cannot-tell", _) | (_, "cannot-tell") => "cannot-tell",
        _ => "accept",
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
