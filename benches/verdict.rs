//! How long verdicts take, beside rustls-webpki and `openssl verify` on the same files: `cargo bench --bench verdict`.
//!
//! Prints the tables of `docs/benchmarks.md`. All keys and certificates are made when it starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "verdict/made.rs"]
mod made;
#[path = "verdict/others.rs"]
mod others;

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use raytls::grpc::certificate::Certificate;
use raytls::grpc::names::covers;
use raytls::grpc::pem;
use raytls::grpc::profile::Profile;
use raytls::grpc::verdict::{Case, Key, Role, Verdict, load_identity, load_trust, peer};

use made::{Files, Kind};

fn main() {
    println!("| case | raytls | rustls-webpki | `openssl verify` | raytls / webpki | raytls / openssl |");
    println!("|---|---|---|---|---|---|");
    for (title, count) in [("one name against 1 name", 1), ("one name against 20 names", 20)] {
        names(title, count);
    }
    for (title, kind) in [("P-256", Kind::P256), ("RSA-2048", Kind::Rsa2048), ("RSA-4096", Kind::Rsa4096)] {
        row(&format!("leaf, intermediate, root: {title}"), &made::chain(kind));
    }
    row("150 CAs, different names", &made::bundle(150));
    row("150 CAs, one name, no key ids in the leaf", &made::namesakes(150));
    row("3,600 IP names", &made::ips(3_600));
    row("10,000 DNS names", &made::dns(10_000));

    println!("\n| growth | n | raytls at n | at 2n | at 4n | 4n to n |");
    println!("|---|---|---|---|---|---|");
    growth("CAs, different names", 150, made::bundle);
    growth("CAs, one name, no key ids in the leaf", 125, made::namesakes);
    growth("IP names", 3_600, made::ips);
    growth("DNS names", 2_500, made::dns);
    growth("extensions of no meaning", 1_000, made::extensions);
    growth("presented certificates of no use", 25, made::strangers);
}

/// Only the name rules, on a certificate that is read.
fn names(title: &str, count: usize) {
    let files = made::dns(count);
    let leaf = Certificate::parse(&files.leaf).unwrap();
    let core = profile();
    assert!(covers(&leaf, &files.host, core));
    let ours = median(|| assert!(covers(black_box(&leaf), black_box(&files.host), core)));
    let webpki = others::webpki_names(&files);
    println!("| {title} | {} | {} | - | {} | - |", text(ours), text(webpki), ratio(ours, webpki));
}

fn row(title: &str, files: &Files) {
    let ours = ours(files);
    let (webpki, webpki_says) = others::webpki(files);
    let openssl = others::openssl(files);
    let refuses = |accepts: bool| if accepts { "" } else { " (refuses)" };
    println!(
        "| {title} | {} | {}{} | {} | {} | {} |",
        text(ours),
        text(webpki),
        refuses(webpki_says),
        openssl.map_or("-".into(), |(time, says)| format!("{}{}", text(time), refuses(says))),
        ratio(ours, webpki),
        openssl.map_or("-".into(), |(time, _)| ratio(ours, time)),
    );
}

fn growth(title: &str, n: usize, make: fn(usize) -> Files) {
    let [one, two, four] = [n, 2 * n, 4 * n].map(|count| ours(&make(count)));
    println!("| {title} | {n} | {} | {} | {} | {} |", text(one), text(two), text(four), ratio(four, one));
}

/// Both files read, loaded and judged, in the server's role and by the core's rules.
fn ours(files: &Files) -> Duration {
    let key = Certificate::parse(&files.leaf).unwrap().key.spki_sha256;
    let verdict = || {
        let profile = profile();
        let presented =
            load_identity(&pem::read(files.chain.as_bytes()), false, Key::Usable(Some(&key)), Role::Server, profile);
        let presented = presented.certificates().unwrap();
        let trust = load_trust(&pem::read(files.trust.as_bytes()), false, profile).certificates().unwrap();
        let now = Timestamp::from_second(made::NOW).unwrap();
        peer(Case { presented: &presented, trust: &trust, name: Some(&files.host), role: Role::Server, now, profile })
    };
    assert_eq!(verdict(), Verdict::Accept, "{}", files.host);
    median(|| drop(black_box(verdict())))
}

/// The order of a trust file costs more with the core.
fn profile() -> Profile {
    Profile::core()
}

/// Of 21 samples of at least 3 ms each.
pub(crate) fn median(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    work();
    let once = began.elapsed().max(Duration::from_nanos(20));
    let times = (Duration::from_millis(3).as_nanos() / once.as_nanos()).clamp(1, 100_000) as u32;
    let mut samples = (0..21)
        .map(|_| {
            let began = Instant::now();
            (0..times).for_each(|_| work());
            began.elapsed() / times
        })
        .collect::<Vec<_>>();
    samples.sort();
    samples[samples.len() / 2]
}

/// Three digits.
fn text(time: Duration) -> String {
    match time.as_secs_f64() * 1e6 {
        micros if micros < 1.0 => format!("{:.0} ns", micros * 1e3),
        micros if micros < 100.0 => format!("{micros:.1} µs"),
        micros if micros < 1e3 => format!("{micros:.0} µs"),
        micros => format!("{:.2} ms", micros / 1e3),
    }
}

fn ratio(ours: Duration, other: Duration) -> String {
    format!("{:.2}", ours.as_secs_f64() / other.as_secs_f64())
}
