//! Every fault of the demo, through the real doctor: API server, ports, diagnosis, report.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use raytls::demo;
use serde_json::Value;

#[test]
fn every_fault_gives_its_first_cause() {
    let mut wrong = Vec::new();
    for fault in demo::all() {
        let output = Command::new(env!("CARGO_BIN_EXE_raytls"))
            .args(["demo", fault.name, "-o", "json"])
            .env_remove("KUBECONFIG")
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{}: {e}\n{}", fault.name, String::from_utf8_lossy(&output.stderr)));
        let first = report["causes"][0]["code"].as_str();
        let code = output.status.code();
        let errors: Vec<&str> = codes(&report, "error");
        let right = match fault.cause {
            Some(cause) => first == Some(cause) && code == Some(1) && report["verdict"] == "broken",
            // Without the right to read the Secret no connection can be judged: unknown, and not healthy.
            None if fault.name == "forbidden" => first.is_none() && code == Some(3) && report["verdict"] == "unknown",
            None => first.is_none() && code == Some(0) && errors.is_empty() && report["verdict"] == "healthy",
        };
        let lost = unexplained(&report);
        if !lost.is_empty() {
            wrong.push(format!("{}: no error is about {lost:?}", fault.name));
        }
        if !right {
            let (verdict, expected) = (&report["verdict"], fault.cause);
            wrong.push(format!(
                "{}: {verdict}, exit {code:?}, first cause {first:?} for {expected:?}, errors {errors:?}",
                fault.name
            ));
        }
        assert_eq!(report["exitCode"].as_i64(), code.map(i64::from), "{}", fault.name);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_forbidden_is_named_with_the_right_that_would_show_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_raytls")).args(["demo", "forbidden", "-o", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let gaps = report["notJudged"].as_array().unwrap();
    let needs: Vec<&str> = gaps.iter().filter_map(|gap| gap["needs"].as_str()).collect();
    assert!(needs.iter().any(|n| n.contains("secrets") && n.contains("ray-tls-certs")), "{needs:?}");
    assert!(!codes(&report, "error").contains(&"SEC01"), "forbidden is not missing");
}

/// Connections that fail and are in no error, but for CON01, which takes what is left.
fn unexplained(report: &Value) -> Vec<&str> {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let told: Vec<Value> = list(&report["findings"])
        .iter()
        .filter(|f| f["severity"] == "error" && f["code"] != "CON01")
        .flat_map(|f| list(&f["breaks"]))
        .collect();
    let rejects = |verdict: &Value| verdict["verdict"] == "reject";
    let fails = |c: &&Value| match c["observed"]["verdict"].as_str() {
        Some("reject") => true,
        Some("accept") => false,
        _ => rejects(&c["predicted"]["core"]) && rejects(&c["predicted"]["python"]),
    };
    let connections = report["connections"].as_array().unwrap().iter();
    connections.filter(fails).filter(|c| !told.contains(&c["id"])).filter_map(|c| c["id"].as_str()).collect()
}

fn codes<'r>(report: &'r Value, severity: &str) -> Vec<&'r str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().filter(|f| f["severity"] == severity).filter_map(|f| f["code"].as_str()).collect()
}
