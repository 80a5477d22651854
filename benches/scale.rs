//! How `raytls doctor` grows with the pods of a cluster: `cargo bench --bench scale`.
//!
//! An API server in this process gives 20 RayClusters as KubeRay makes them; the program itself is the child that is
//! measured, so that the server's memory does not count. Prints the tables of `docs/benchmarks.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "scale/made.rs"]
mod made;
#[path = "scale/served.rs"]
mod served;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use made::{CLUSTERS, Fault, Shape};

fn main() {
    // `cargo bench --bench scale -- serve 10000 20 2`: only the API server, to look at it by other means.
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "serve") {
        let number = |index: usize| args[at + index].parse().expect("serve PODS CLUSTERS GROUPS");
        let shape =
            Shape { pods: number(1), clusters: number(2), groups: number(3), fault: Fault::ExpiredCa, strangers: 0 };
        let server = served::start(&shape);
        println!("{}", kubeconfig(&server.url));
        loop {
            std::thread::park();
        }
    }
    println!(
        "| {CLUSTERS} RayClusters with | pods | API calls | wall time | CPU time | peak memory | report | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut first: Vec<(Fault, Ran)> = Vec::new();
    for pods in [10, 1_000, 10_000] {
        for fault in [Fault::None, Fault::ExpiredCa] {
            let ran = measure(&Shape { pods, clusters: CLUSTERS, groups: 2, fault, strangers: 0 });
            row(fault.title(), pods, &ran);
            first.push((fault, ran));
        }
    }
    let strangers = Shape { pods: 1_000, clusters: CLUSTERS, groups: 2, fault: Fault::None, strangers: 9_000 };
    row("good certificates, 9,000 other pods around", 10_000, &measure(&strangers));
    for groups in [75, 150, 300] {
        let shape = Shape { pods: groups + 1, clusters: 1, groups, fault: Fault::ExpiredCa, strangers: 0 };
        row(&format!("an expired CA, all in one of {groups} worker groups"), groups + 1, &measure(&shape));
    }
    println!("\n| growth from 1,000 to 10,000 pods | API calls | CPU time | peak memory | report |");
    println!("|---|---|---|---|---|");
    for fault in [Fault::None, Fault::ExpiredCa] {
        let of: Vec<&Ran> = first.iter().filter(|(f, _)| *f == fault).map(|(_, ran)| ran).collect();
        let [_, small, large] = of.as_slice() else { continue };
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} |",
            fault.title(),
            large.calls as f64 / small.calls as f64,
            large.cpu.as_secs_f64() / small.cpu.as_secs_f64(),
            large.peak as f64 / small.peak as f64,
            large.report as f64 / small.report as f64,
        );
    }
}

/// What one run of the program came to.
struct Ran {
    calls: usize,
    wall: Duration,
    /// What the program itself took, whatever else ran.
    cpu: Duration,
    /// KiB.
    peak: u64,
    /// Bytes of the table that people read.
    report: usize,
    verdict: String,
}

fn row(title: &str, pods: usize, ran: &Ran) {
    println!(
        "| {title} | {pods} | {} | {:.2} s | {:.2} s | {:.0} MB | {} lines | {} |",
        ran.calls,
        ran.wall.as_secs_f64(),
        ran.cpu.as_secs_f64(),
        ran.peak as f64 / 1024.0,
        ran.report,
        ran.verdict
    );
}

/// The median of three runs by time, with the highest peak of them.
fn measure(shape: &Shape) -> Ran {
    let mut runs: Vec<Ran> = (0..3).map(|_| once(shape)).collect();
    runs.sort_by_key(|ran| ran.wall);
    let peak = runs.iter().map(|ran| ran.peak).max().unwrap();
    Ran { peak, ..runs.swap_remove(1) }
}

fn once(shape: &Shape) -> Ran {
    let server = served::start(shape);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kubeconfig");
    std::fs::write(&config, kubeconfig(&server.url)).unwrap();
    let [json, table] = ["report.json", "report.txt"].map(|name| folder.path().join(name));
    let before = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_raytls"))
        .args(["doctor", "-A", "--no-probe", "--timeout", "120s", "--kubeconfig"])
        .arg(&config)
        .arg("-o")
        .arg(format!("json={}", json.display()))
        .arg("-o")
        .arg(format!("table={}", table.display()))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Path::new("/proc").join(child.id().to_string());
    let (mut peak, mut cpu) = (0, Duration::ZERO);
    let code = loop {
        peak = high_water(&process).unwrap_or(0).max(peak);
        cpu = cpu_time(&process).unwrap_or_default().max(cpu);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = before.elapsed();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let codes: Vec<&str> =
        report["findings"].as_array().into_iter().flatten().filter_map(|f| f["code"].as_str()).collect();
    assert_eq!(code.code(), Some(shape.fault.exit_code()), "{codes:?}");
    assert_eq!(report["incomplete"], false);
    Ran {
        calls: server.calls(),
        wall,
        cpu,
        peak,
        report: std::fs::read_to_string(&table).unwrap().lines().count(),
        verdict: report["verdict"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The most memory a process had at one time, KiB; none where the system does not tell (`/proc` of Linux).
fn high_water(process: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(process.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Time of all threads of a process, in steps of 10 ms; none where the system does not tell.
fn cpu_time(process: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    // The fields after the name begin with the third.
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<u64>() * 10))
}

fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: bench\nclusters: [{{name: c, cluster: {{server: \"{url}\"}}}}]\n\
         contexts: [{{name: bench, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: none}}}}]\n"
    )
}
