//! `raytls doctor` against API servers that stall, break off, lie or flood: what is judged, what is told, which exit code.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;
#[path = "common/faulty_api.rs"]
mod faulty_api;

use std::process::Command;
use std::time::Duration;

use common::{Ran, raytls};
use faulty_api::{Asked, PODS, SERVICES, Says, Server, page, pod, watched};
use serde_json::json;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/ray/deployments";
const SECRET: &str = "/api/v1/namespaces/ray/secrets/ray-tls";

#[test]
fn a_good_server_gives_a_healthy_cluster() {
    let seen = Server::start(|_| None).doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.json()["verdict"], "healthy");
    assert_eq!(seen.json()["notJudged"], json!([]));
}

#[test]
fn a_list_that_fails_is_named_and_the_rest_is_judged() {
    let long = "x".repeat(5_000);
    let cases = [
        (Says::status(500, "InternalError"), "the API server answered 500: InternalError", 1),
        (Says::status(403, "Forbidden"), "forbidden: may not list services in namespace ray", 1),
        (Says::status(404, "NotFound"), "does not know it", 1),
        (Says::status(410, "Expired"), "answered 410", 1),
        (Says::status(429, &long), "answered 429: xxx", 3),
        (Says::status(503, "ServiceUnavailable"), "answered 503", 3),
        (Says::body(200, "<html>log in</html>"), "HTML", 1),
        (Says::body(200, r#"{"kind":"ServiceList","items":[{"metadata":{"#), "broken JSON", 1),
        (Says::body(200, r#"{"kind":"ServiceList","items":{}}"#), "no items", 1),
        (Says::body(200, r#"{"kind":"Status","items":null}"#), "it answered 200 with a Status and no object", 1),
        (Says::body(200, r#"{"kind":"Status","items":[],"message":"etcd"}"#), "a Status and no object: etcd", 1),
        (page("Pod", &[], ""), "a PodList, not a ServiceList", 1),
        (Says::body(200, "[]"), "broken JSON", 1),
        (Says::Reset, "the connection failed", 2),
        (Says::Close, "the connection failed", 2),
    ];
    for (says, why, times) in cases {
        let named = format!("{says:?}").chars().take(80).collect::<String>();
        let server = Server::start(move |asked| (asked.path == SERVICES).then(|| says.clone()));
        let seen = server.doctor(&[]);
        assert_eq!(seen.code, 0, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        let gaps = seen.gaps();
        assert_eq!(gaps.len(), 1, "{named}: {gaps:?}");
        assert!(
            gaps[0].starts_with("Service objects of namespace ray: ") && gaps[0].contains(why),
            "{named}: {gaps:?}"
        );
        assert!(gaps[0].len() < 500, "{named}");
        assert_eq!(server.times(SERVICES), times, "{named}");
    }
}

#[test]
fn objects_of_another_namespace_or_kind_are_no_evidence() {
    let service = |namespace: &str| json!({"metadata": {"name": "mine-head-svc", "namespace": namespace}, "spec": {}});
    let server = Server::start(move |asked| (asked.path == SERVICES).then(|| page("Service", &[service("other")], "")));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    let gaps = seen.gaps();
    assert!(gaps.len() == 1 && gaps[0].contains("has an item of namespace other: it is left out"), "{gaps:?}");
    let answers = [
        json!({"kind": "Status", "status": "Failure", "message": "no"}),
        json!({"kind": "ConfigMap", "metadata": {"name": "ray-tls", "namespace": "ray"}, "data": {}}),
    ];
    for answer in answers {
        let named = answer.to_string();
        let server = Server::start_tls(move |asked| (asked.path == SECRET).then(|| Says::json(&answer)));
        let seen = server.doctor(&[]);
        assert!(seen.gaps().iter().any(|gap| gap.starts_with("Secret ray/ray-tls: ")), "{named}: {:?}", seen.gaps());
        assert!(!seen.stdout.contains("SEC0"), "{named}: it is not called missing or empty");
    }
}

#[test]
fn what_stalls_is_left_at_the_deadline() {
    let halves = [
        Says::Stall(String::new()),
        Says::Stall("HTTP/1.1 200 OK\r\nconte".into()),
        Says::Stall("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"kind\":\"ServiceList\",\"items\":[".into()),
        Says::Drip,
    ];
    for says in halves {
        let named = format!("{says:?}");
        let server = Server::start(move |asked| (asked.path == SERVICES).then(|| says.clone()));
        let seen = server.doctor(&["--timeout", "2s"]);
        assert_eq!(seen.code, 3, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.json()["incomplete"], true, "{named}");
        assert_eq!(seen.gaps(), ["Service objects of namespace ray: no answer in time"], "{named}");
        assert_eq!(server.times(SERVICES), 1, "{named}");
    }
}

#[test]
fn a_server_that_stalls_from_the_start_ends_with_the_deadline() {
    let server = Server::start(|_| Some(Says::Stall(String::new())));
    let seen = server.doctor(&["--timeout", "1s"]);
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert!(seen.stderr.contains("did not answer within 1 s"), "{}", seen.stderr);
}

#[test]
fn a_connection_that_is_reset_once_is_no_gap() {
    for says in [Says::Reset, Says::Close, Says::status(429, "TooManyRequests"), Says::later("1")] {
        let named = format!("{says:?}");
        let server = Server::start(move |asked| (asked.path == PODS && asked.nth == 0).then(|| says.clone()));
        let seen = server.doctor(&["-v"]);
        assert_eq!(seen.code, 0, "{named}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.gaps(), [""; 0], "{named}");
        assert_eq!(server.times(PODS), 2, "{named}");
        assert!(seen.stderr.contains("asked_again=1"), "{named}: {}", seen.stderr);
    }
}

#[test]
fn a_server_that_asks_for_more_time_than_there_is_is_not_waited_for() {
    let server = Server::start(|asked| (asked.path == SERVICES).then(|| Says::later("3600")));
    let seen = server.doctor(&["--timeout", "100s"]);
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert!(seen.gaps()[0].contains("429"), "{:?}", seen.gaps());
    assert_eq!(server.times(SERVICES), 1);
}

#[test]
fn an_expired_page_begins_the_list_anew_without_loss_or_double() {
    let pages = |asked: &Asked, expires: usize| {
        let (head, worker) = (pod("head"), pod("worker"));
        match (asked.path.as_str(), asked.next.as_str()) {
            (PODS, "") => Some(page("Pod", &[head], "second")),
            (PODS, "second") if asked.nth < expires => Some(Says::status(410, "Expired")),
            (PODS, "second") => Some(page("Pod", &[worker], "")),
            _ => None,
        }
    };
    let server = Server::start(move |asked| pages(asked, 1));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
    assert_eq!(server.times(PODS), 4);

    // One that always expires: what came is kept, and said to be a part.
    let server = Server::start(move |asked| pages(asked, usize::MAX));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 3, "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.json()["incomplete"], true);
    assert!(seen.gaps().iter().any(|gap| gap.contains("only the first part of the list came") && gap.contains("410")));
    assert_eq!(server.times(PODS), 4);
    assert!(seen.stdout.contains("ray/mine:head"), "{}", seen.stdout);
}

#[test]
fn pages_in_a_circle_end() {
    let server = Server::start(|asked| (asked.path == SERVICES).then(|| page("Service", &[], "again")));
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert!(seen.gaps()[0].contains("in a circle"), "{:?}", seen.gaps());
    assert_eq!(server.times(SERVICES), 2);
}

#[test]
fn items_of_other_kinds_are_left_out_and_named() {
    let strange = [
        json!({"kind": "Secret", "metadata": {"name": "s", "namespace": "ray"}, "data": {"tls.key": "U0VTQU1F"}}),
        json!(7),
        json!({"kind": 7, "metadata": {}}),
    ];
    for item in strange {
        let items = [pod("head"), item.clone(), pod("worker")];
        let seen = Server::start(move |asked| (asked.path == PODS).then(|| page("Pod", &items, ""))).doctor(&[]);
        assert_eq!(seen.code, 0, "{item}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert!(seen.gaps()[0].starts_with("Pod objects of namespace ray: the API server's list has an item that"));
        assert!(!seen.stdout.contains("U0VTQU1F"), "{}", seen.stdout);
    }
}

#[test]
fn items_that_are_null_are_none() {
    let empty = Says::body(200, r#"{"kind":"DeploymentList","metadata":{},"items":null}"#);
    let seen = Server::start(move |asked| (asked.path == DEPLOYMENTS).then(|| empty.clone())).doctor(&[]);
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let server = Server::start(|asked| match (asked.path.as_str(), asked.limit) {
        (PODS, 500) => Some(Says::Flood),
        (PODS, limit) => {
            assert!(limit < 500);
            None
        }
        _ => None,
    });
    let seen = server.doctor(&[]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.gaps(), [""; 0]);
}

#[test]
fn a_flood_is_cut_off_in_little_memory() {
    let server = Server::start(|asked| (asked.path == SERVICES).then_some(Says::Flood));
    let child = server.child(&["--no-probe"]).spawn().unwrap();
    let (seen, peak) = watched(child);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert!(seen.gaps()[0].contains("larger than 16 MiB"), "{:?}", seen.gaps());
    assert!(peak < 160 << 10, "{peak} KiB");
}

#[test]
fn a_secret_that_stalls_is_not_missing_and_an_interrupt_keeps_the_rest() {
    let stall = |asked: &Asked| (asked.path == SECRET).then(|| Says::Stall(String::new()));
    let seen = Server::start_tls(stall).doctor(&["--timeout", "2s"]);
    assert_eq!(seen.code, 3, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert_eq!(seen.json()["incomplete"], true);
    assert!(seen.gaps().contains(&"Secret ray/ray-tls: no answer in time".to_owned()), "{:?}", seen.gaps());
    for signal in ["-INT", "-TERM"] {
        let server = Server::start_tls(stall);
        let child = server.child(&["--no-probe", "--timeout", "100s"]).spawn().unwrap();
        // Every list has been read when a Secret is asked for.
        server.until_asked(SECRET);
        assert!(Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap().success());
        let seen = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(seen.code, 3, "{signal}: {}{}", seen.stdout, seen.stderr);
        seen.whole();
        assert_eq!(seen.json()["incomplete"], true);
        let told = "Secret ray/ray-tls: interrupted before it was there".to_owned();
        assert!(seen.gaps().contains(&told), "{signal}: {:?}", seen.gaps());
        assert!(seen.stderr.contains("interrupted"), "{}", seen.stderr);
    }
}

#[test]
fn an_interrupt_before_anything_was_told_ends_it() {
    let server = Server::start(|asked| (asked.path == "/version").then(|| Says::Stall(String::new())));
    let child = server.child(&["--no-probe", "--timeout", "100s"]).spawn().unwrap();
    server.until_asked("/version");
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let seen = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(seen.code, 3, "{}", seen.stderr);
    assert_eq!(seen.json()["incomplete"], true);
    assert_eq!(seen.json()["connections"], json!([]));
}

#[test]
fn a_pod_that_is_gone_when_its_port_is_dialled_is_no_good_one() {
    let server = Server::start_tls(|asked| {
        asked.path.ends_with("/portforward").then(|| Says::status(404, "pods \"head\" not found"))
    });
    let seen = Ran::of(&mut server.child(&[]));
    assert!(seen.code == 3 || seen.code == 1, "{}{}", seen.stdout, seen.stderr);
    seen.whole();
    assert!(!seen.stdout.contains("\"verdict\":\"accept\""), "{}", seen.stdout);
}

/// The plugin and what it starts end with the wait for them.
#[cfg(target_os = "linux")]
#[test]
fn a_credential_plugin_that_hangs_does_not_outlive_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("echo $$ > {0}; sleep 300 & echo $! >> {0}; wait", pids.display());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script], "interactiveMode": "Never",
        }}}],
    });
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    for interrupts in [false, true] {
        let _ = std::fs::remove_file(&pids);
        let timeout = if interrupts { "100s" } else { "2s" };
        let mut command =
            raytls(&["doctor", "--no-probe", "--timeout", timeout, "--kubeconfig", path.to_str().unwrap()]);
        let child = command.env("PATH", "/usr/bin:/bin").spawn().unwrap();
        let started = || std::fs::read_to_string(&pids).unwrap_or_default();
        if interrupts {
            while started().lines().count() < 2 {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
        }
        let seen = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(seen.code, 3, "{}", seen.stderr);
        assert_eq!(started().lines().count(), 2, "{}", seen.stderr);
        for pid in started().lines() {
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let ended = || state().is_empty() || state().contains(") Z ");
            // The system may take a moment to end what was killed.
            for _ in 0..500 {
                if ended() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(ended(), "{interrupts}: {}", state());
        }
    }
}
