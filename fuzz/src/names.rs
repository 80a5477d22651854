//! Properties of `grpc::names`: which hosts a list of names covers.
//!
//! The input is text: the host in the first line, then one name per line, `D:` dNSName, `E:` e-mail, `U:` URI, `I:`
//! iPAddress in hex, `O:` another kind, `C:` the common name. A name cannot hold a line feed, which no rule knows.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use crate::grpc::certificate::{Certificate, Name};
use crate::grpc::names::{bare, covers, ip_text, looks_like_ip};
use crate::profiles;

/// The input as above, in UTF-8; what is not UTF-8 is replaced.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let host = lines.next().unwrap_or_default();
    let mut common_name = None;
    let mut names = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some(("D", name)) => names.push(Name::Dns(name.into())),
            Some(("E", name)) => names.push(Name::Email(name.into())),
            Some(("U", name)) => names.push(Name::Uri(name.into())),
            Some(("I", name)) => names.push(Name::Ip(hex(name))),
            Some(("O", _)) => names.push(Name::Other),
            Some(("C", name)) => common_name = Some(name.to_string()),
            _ => {}
        }
    }
    let names = (!names.is_empty()).then_some(names);
    let leaf = Certificate { names, common_name, ..LEAF.clone() };
    both(&leaf, host);
    for profile in profiles() {
        rules(&leaf, host, profile);
        for name in leaf.names.iter().flatten().take(SHOWN) {
            own(&leaf, name, profile);
        }
    }
    let bracketed = format!("[{host}]");
    assert_eq!(bare(&bracketed), host.split('%').next().filter(|ip| ip.contains(':')).unwrap_or(host));
}

/// Octets of a host that gRPC can ask for.
const LONGEST: usize = 255;

/// Names of which it is asked whether they cover themselves.
const SHOWN: usize = 24;

/// What Python's gRPC takes, the core's does too.
fn both(leaf: &Certificate, host: &str) {
    let [core, python] = profiles().map(|profile| covers(leaf, host, profile));
    assert!(core || !python, "Python covers {host:?}, the core does not");
}

fn rules(leaf: &Certificate, host: &str, profile: crate::grpc::profile::Profile) {
    let covered = covers(leaf, host, profile);
    if let Some(names) = &leaf.names {
        let reversed = Certificate { names: Some(names.iter().rev().cloned().collect()), ..leaf.clone() };
        assert_eq!(covers(&reversed, host, profile), covered, "the order of the names matters");
        let twice = Certificate { names: Some(names.iter().chain(names).cloned().collect()), ..leaf.clone() };
        assert_eq!(covers(&twice, host, profile), covered, "a repeated name matters");
    } else if looks_like_ip(host) && profile == profiles()[0] {
        assert!(!covered, "a common name covers the IP {host}");
    }
    if host.len() >= LONGEST {
        assert!(host.len() == LONGEST || !covered, "a host is covered that gRPC cannot ask for");
        return;
    }
    // Python compares every IP byte by byte, the core only those that it takes for one.
    if looks_like_ip(host) || host.contains(':') && profile != profiles()[0] {
        return;
    }
    for other in [host.to_ascii_uppercase(), host.to_ascii_lowercase()] {
        assert_eq!(covers(leaf, &other, profile), covered, "the case of {host:?} matters");
    }
    if !host.ends_with('.') {
        assert_eq!(covers(leaf, &format!("{host}."), profile), covered, "a trailing dot of {host:?} matters");
    }
    let without = Certificate { common_name: None, ..leaf.clone() };
    let names = leaf.names.as_deref().unwrap_or_default();
    if !names.is_empty() {
        assert_eq!(covers(&without, host, profile), covered, "the common name counts beside alternative names");
    }
}

/// A name of the certificate covers itself.
fn own(leaf: &Certificate, name: &Name, profile: crate::grpc::profile::Profile) {
    match name {
        Name::Dns(name) => {
            let is_plain = (1..=LONGEST).contains(&name.len()) && !name.starts_with('.') && !name.contains(['*', '\0']);
            assert!(!is_plain || covers(leaf, name, profile), "{name:?} does not cover itself");
        }
        Name::Ip(octets) => {
            let Some(host) = ip_text(octets) else { return };
            assert!(covers(leaf, &host, profile), "{host} does not cover itself");
            let back = match octets.len() {
                4 => host.parse::<Ipv4Addr>().expect("an IPv4 address").octets().to_vec(),
                _ => host.parse::<Ipv6Addr>().expect("an IPv6 address").octets().to_vec(),
            };
            assert_eq!(&back, octets, "{host} is another address");
        }
        _ => {}
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect::<Vec<_>>();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Facts that play no part here.
static LEAF: LazyLock<Certificate> = LazyLock::new(|| {
    let leaf = Certificate::parse(include_bytes!("../seeds/certificate/base-leaf-root-chain-0")).unwrap();
    Certificate { der: Vec::new(), subject_canonical: Vec::new(), issuer_canonical: Vec::new(), ..leaf }
});
