//! The rules of the house, as in docs/architecture.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use raytls::checks::CHECKS;

/// Rooms that touch nothing: no clock, no environment, no files, no sockets.
const PURE: [&str; 7] = ["evidence", "ray", "grpc", "judge", "checks", "diagnose", "report"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a folder of the package whose name ends so, sorted, relative to the package.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The code of a file without its comments and its tests.
fn code(path: &Path) -> String {
    if path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing") {
        return String::new();
    }
    let text = read(path);
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room(name: &str) -> Vec<PathBuf> {
    let mut all = files(&format!("src/{name}"), ".rs");
    all.push(format!("src/{name}.rs").into());
    all
}

fn offences(files: &[PathBuf], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = code(file);
        found.extend(words.iter().filter(|w| code.contains(**w)).map(|w| format!("{}: {w}", file.display())));
    }
    found
}

#[test]
fn pure_rooms_touch_nothing() {
    let words = [
        "tokio",
        "kube::",
        "k8s_openapi",
        "hyper",
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "std::net::Udp",
        "std::process",
        "std::thread",
        "SystemTime",
        "Timestamp::now",
        "Instant::now",
        "Zoned::now",
        "std::io::std",
        "println!",
        "eprintln!",
    ];
    for name in PURE {
        assert_eq!(offences(&room(name), &words), [""; 0], "the room {name} is pure");
    }
    assert_eq!(
        offences(&["src/probe/plan.rs".into(), "src/probe/inside.rs".into()], &words),
        [""; 0],
        "the plans of the probe are pure"
    );
}

#[test]
fn grpc_imports_nothing_of_ours() {
    let other = |line: &str| line.contains("crate::") && !line.contains("crate::grpc");
    for file in room("grpc") {
        let code = code(&file);
        let bad: Vec<&str> = code.lines().filter(|l| other(l)).collect();
        assert_eq!(bad, [""; 0], "{}", file.display());
    }
}

#[test]
fn arrows_go_down_only() {
    let rules: [(&str, &[&str]); 6] = [
        (
            "evidence",
            &["crate::collect", "crate::ray", "crate::judge", "crate::checks", "crate::report", "crate::commands"],
        ),
        ("ray", &["crate::collect", "crate::judge", "crate::checks", "crate::report", "crate::commands"]),
        ("judge", &["crate::collect", "crate::checks", "crate::report", "crate::commands"]),
        ("checks", &["crate::collect", "crate::report", "crate::commands", "crate::demo"]),
        ("diagnose", &["crate::collect", "crate::report", "crate::commands", "crate::demo"]),
        ("report", &["crate::collect", "crate::commands", "crate::demo", "crate::cli"]),
    ];
    for (name, words) in rules {
        assert_eq!(offences(&room(name), words), [""; 0], "the room {name}");
    }
}

#[test]
fn every_file_of_a_check_is_in_the_table() {
    let mut declared = 0;
    for file in files("src/checks", ".rs").iter().filter(|f| f.components().count() == 4) {
        let text = read(file);
        let Some(at) = text.find("code: \"") else { continue };
        let code = text[at + 7..].split('"').next().unwrap_or_default();
        declared += 1;
        assert!(CHECKS.iter().any(|c| c.code == code), "{}: {code} is not in CHECKS", file.display());
    }
    assert!(declared > 0, "no check was found in src/checks");
}

#[test]
fn codes_are_unique_and_for_ever() {
    let codes: BTreeSet<&str> = CHECKS.iter().map(|c| c.code).collect();
    let names: BTreeSet<&str> = CHECKS.iter().map(|c| c.name).collect();
    assert_eq!(codes.len(), CHECKS.len(), "a code is used twice");
    assert_eq!(names.len(), CHECKS.len(), "a name is used twice");
    let mut now: Vec<String> = CHECKS.iter().map(|c| format!("{} {}", c.code, c.name)).collect();
    now.sort();
    let known = read(Path::new("tests/codes.txt"));
    let known: Vec<&str> = known.lines().collect();
    assert_eq!(now, known, "tests/codes.txt holds every code and name, sorted; add new ones, never change or drop one");
}

#[test]
fn every_check_is_documented() {
    for check in CHECKS {
        let code = check.code;
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(check.name.chars().all(kebab) && check.name.len() > 4, "{code}: {} is not in kebab-case", check.name);
        let (group, number) = code.split_at(code.len() - 2);
        assert!(matches!(group.len(), 2 | 3) && group.chars().all(|c| c.is_ascii_uppercase()), "{code}");
        assert!(number.chars().all(|c| c.is_ascii_digit()), "{code}");
        assert!(check.help.trim().len() > 120, "{code}: its help says too little");
        assert!(check.help.lines().all(|l| l.len() <= 400), "{code}: a line of its help is longer than a paragraph");
    }
}

#[test]
fn files_are_short() {
    for file in ["src", "tests"].iter().flat_map(|f| files(f, ".rs")) {
        let lines = read(&file).lines().count();
        assert!(lines <= 520, "{} has {lines} lines: split it", file.display());
    }
}

#[test]
fn nothing_needs_the_machine_it_was_written_on() {
    let Ok(listed) = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output() else { return };
    let folders = ["home", "root", "work", "Users"].map(|f| format!("/{f}/"));
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|n| !n.is_empty()) {
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        for (at, line) in text.lines().enumerate() {
            // A user of a container image (/home/ray) is no machine of ours.
            let line = line.replace("/home/ray", "");
            assert!(!folders.iter().any(|f| line.contains(f.as_str())), "{name}:{}: an absolute path: {line}", at + 1);
        }
    }
}

#[test]
fn the_page_of_checks_is_current() {
    let printed = Command::new(env!("CARGO_BIN_EXE_raytls")).args(["explain", "--all"]).output().unwrap();
    assert!(printed.status.success());
    let same = String::from_utf8(printed.stdout).unwrap() == read(Path::new("docs/checks.md"));
    assert!(same, "docs/checks.md is old; run: cargo run -- explain --all > docs/checks.md");
}

/// The page is written by runs of the matrix on a real cluster; this holds it to the table of rows.
#[test]
fn the_page_of_faults_has_the_rows_of_the_matrix() {
    let mut rows = BTreeSet::new();
    for file in files("tests/e2e/rows", ".rs") {
        let names = read(&file);
        let names = names.split("        name: \"").skip(1).filter_map(|rest| rest.split('"').next());
        for name in names {
            assert!(rows.insert(name.to_owned()), "{name} is a row twice");
        }
    }
    assert!(rows.len() > 40, "{rows:?}");
    let page = read(Path::new("docs/faults.md"));
    let told: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let told: BTreeSet<String> = told.into_iter().filter(|name| *name != "row").map(str::to_owned).collect();
    assert_eq!(told, rows, "docs/faults.md is old; tests/e2e/main.rs says how a run writes it");
}

#[test]
fn every_command_of_the_readme_exists() {
    let readme = read(Path::new("README.md"));
    let mut seen = BTreeSet::new();
    for line in readme.lines() {
        for at in line.match_indices("raytls ").map(|(at, word)| at + word.len()) {
            let starts = line[..at - 7].is_empty() || line[..at - 7].ends_with("| ");
            let word = line[at..].split_whitespace().next().unwrap_or_default();
            if starts && !word.is_empty() {
                seen.insert(word.to_owned());
            }
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
    for command in seen {
        let status = Command::new(env!("CARGO_BIN_EXE_raytls")).args([&command, "--help"]).output().unwrap().status;
        assert!(status.success(), "README.md speaks of `raytls {command}`");
    }
}
