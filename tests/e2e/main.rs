//! The fault matrix: the doctor against real Ray on a real Kubernetes, each row in a namespace of its own. A row makes a
//! fault, waits until Ray itself shows it, and says what the doctor must call the cause; nothing else may be called one.
//!
//! Behind the feature `e2e`, so that a machine without a cluster does not count the rows as passed. `KUBECONFIG` names a
//! cluster whose nodes have the image `ray.local/ray:2.60.0`, with the controllers of cert-manager and KubeRay; kubectl
//! and openssl are on PATH. `.ci/run` sees to that, and runs a third of the rows.
//!
//! | variable | meaning |
//! |---|---|
//! | `RAYTLS_E2E` | `all`, or parts of the names of rows and groups with a comma between; the third when not set |
//! | `RAYTLS_E2E_AT_ONCE` | how many rows are at work at the same time; 3 when not set |
//! | `RAYTLS_E2E_DIR` | where reports, logs of failed rows and `faults.md` go; `tmp/e2e` of the target directory when not set |
//! | `RAYTLS_E2E_ADDUSER` | the program of the cluster that makes a user without rights and prints the path of its kubeconfig |
//! | `RAYTLS_E2E_BLESS` | `1`: `docs/faults.md` is written; rows that were not run, or failed, keep their line |
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr)]

mod judge;
mod manifest;
mod page;
mod pki;
mod row;
mod rows;
mod scene;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use page::Done;
use row::{Expect, Row};
use scene::Scene;

#[test]
fn the_fault_matrix() {
    let wanted = std::env::var("RAYTLS_E2E").unwrap_or_default();
    let queue: Vec<(&str, &Row)> = rows::all().filter(|(group, row)| is_wanted(&wanted, group, row)).collect();
    assert!(!queue.is_empty(), "RAYTLS_E2E={wanted} names no row");
    // What a row panics with is told with its result.
    std::panic::set_hook(Box::new(|_| {}));
    let at_once = std::env::var("RAYTLS_E2E_AT_ONCE").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let (next, done) = (Mutex::new(queue.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                // The lock must not be held while the row is at work.
                while let Some((group, row)) = { next.lock().unwrap().next() } {
                    let (began, result) = (Instant::now(), attempt(row));
                    let told = result.as_ref().map_or_else(|why| format!("FAILED\n{why}"), Done::to_string);
                    eprintln!("{group} {}, {} s: {told}", row.name, began.elapsed().as_secs());
                    let mut done = done.lock().unwrap();
                    done.insert(row.name, result);
                    page::write(&done);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let failed: Vec<&str> = done.iter().filter(|(_, result)| result.is_err()).map(|(name, _)| *name).collect();
    let _ = std::panic::take_hook();
    assert!(failed.is_empty(), "{} of {} rows failed: {}", failed.len(), done.len(), failed.join(" "));
}

fn is_wanted(wanted: &str, group: &str, row: &Row) -> bool {
    match wanted {
        "" => row.short,
        "all" => true,
        parts => parts.split(',').any(|part| group == part || row.name.contains(part)),
    }
}

/// One row from its namespace to its verdict; a panic is its failure.
fn attempt(row: &Row) -> Result<Done, String> {
    let scene = catch_unwind(|| Scene::new(row.name)).map_err(said)?;
    let result = catch_unwind(AssertUnwindSafe(|| judged(&scene, row))).unwrap_or_else(|panic| Err(said(panic)));
    if result.is_err() {
        scene.save_state();
    }
    result
}

fn judged(scene: &Scene, row: &Row) -> Result<Done, String> {
    (row.make)(scene);
    row.shows.iter().for_each(|symptom| scene.wait(*symptom));
    let outside = judge::doctor(scene, row, "outside", &[]).map_err(|why| format!("without --inside: {why}"))?;
    // Only the highest level of rights has exec.
    let inside = match scene.level() {
        None | Some(3) => {
            Some(judge::doctor(scene, row, "inside", &["--inside"]).map_err(|why| format!("with --inside: {why}"))?)
        }
        Some(_) => None,
    };
    let sees = inside.as_ref().is_none_or(|inside| inside.accepted > 0);
    if row.expect.causes().is_empty() && !matches!(row.expect, Expect::Unknown) && !sees {
        return Err("healthy, but no connection was seen to work from inside".into());
    }
    Ok(Done { seen: scene.seen(), outside, inside })
}

fn said(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "panic".into())
}
