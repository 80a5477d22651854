//! Which dialled names a server certificate covers.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::certificate::{Certificate, Name};
use super::profile::Profile;

/// Whether a server certificate covers a dialled host by the profile's rule. `host` has no port, brackets or zone.
///
/// The core compares the text of every name; gRPC's TLS credentials, which grpcio has from 1.78 on,
/// have a rule of their own, and then the core's is asked too.
pub fn covers(leaf: &Certificate, host: &str, profile: Profile) -> bool {
    host.len() <= LONGEST && (!profile.tls_name_rule || tls(leaf, host)) && core(leaf, host)
}

/// The hosts that [`covers`] does not cover, in their order. Many addresses against many cost no comparison of each pair.
pub fn uncovered<'h>(leaf: &Certificate, hosts: &'h [String], profile: Profile) -> Vec<&'h String> {
    fn address(name: &Name) -> Option<&[u8]> {
        match name {
            Name::Ip(octets) => Some(octets),
            _ => None,
        }
    }
    // To fill it takes as long as a few hosts.
    let known: HashSet<&[u8]> = match hosts.len() {
        0..8 => HashSet::new(),
        _ => leaf.names.iter().flatten().filter_map(address).collect(),
    };
    // Both rules take an iPAddress name for an address that is written as they write it.
    let is_known = |host: &str| !known.is_empty() && ip_octets(host).is_some_and(|ip| known.contains(ip.as_slice()));
    hosts.iter().filter(|host| !is_known(host) && !covers(leaf, host, profile)).collect()
}

/// Octets of a host above which gRPC cannot ask for it, whatever the certificate says: TLS names it to the server.
pub(super) const LONGEST: usize = 255;

/// A dialled host without brackets, as gRPC prints it: `[fe80::1%eth0]` → `fe80::1%eth0`.
pub(super) fn printed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// The host that gRPC looks for of a dialled host without port: `[fe80::1%eth0]` → `fe80::1`.
pub fn bare(host: &str) -> &str {
    let inner = printed(host);
    match inner.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => inner,
    }
}

/// An iPAddress name as `inet_ntop` writes it; none for octets that are no address.
pub fn ip_text(octets: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    let octets = <[u8; 16]>::try_from(octets).ok()?;
    // `inet_ntop` still writes the old IPv4-compatible addresses with dots.
    if let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] = octets
        && (a, b) != (0, 0)
    {
        return Some(format!("::{}", Ipv4Addr::new(a, b, c, d)));
    }
    Some(Ipv6Addr::from(octets).to_string())
}

/// Whether gRPC takes a host for an IP address: `010.0.0.5`, `999.1.1.1` and `1.2.3.4.5` count, `10.0.0.5.` does not. It
/// goes through the characters until a colon, so `2001:db8::a` and `::1` count, `fd00::a` and `12345::` do not.
pub fn looks_like_ip(host: &str) -> bool {
    let (mut dots, mut digits) = (0, 0);
    for octet in host.bytes() {
        match octet {
            b':' => return true,
            b'0'..=b'9' if digits < 4 => digits += 1,
            b'.' if dots < 4 && digits > 0 => (dots, digits) = (dots + 1, 0),
            _ => return false,
        }
    }
    dots >= 3 && digits > 0
}

fn core(leaf: &Certificate, host: &str) -> bool {
    let names = leaf.names.as_deref().unwrap_or_default();
    if looks_like_ip(host) {
        let ip = ip_octets(host);
        return names.iter().any(|name| match name {
            Name::Ip(octets) => ip.as_ref() == Some(octets),
            name => text(name) == host,
        });
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    // An address that does not look like one is compared as a name: `10.0.0.5.`, `FD00::A`.
    let ip = ip_octets(&host.to_ascii_lowercase());
    match names {
        [] => leaf.common_name.as_deref().is_some_and(|name| core_matches(name, host)),
        names => names.iter().any(|name| match name {
            Name::Ip(octets) => ip.as_ref() == Some(octets),
            name => core_matches(text(name), host),
        }),
    }
}

/// The octets that [`ip_text`] writes so.
fn ip_octets(text: &str) -> Option<Vec<u8>> {
    let octets = match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    ip_text(&octets).is_some_and(|written| written == text).then_some(octets)
}

/// The text that the core compares, of a name that is no IP.
fn text(name: &Name) -> &str {
    match name {
        Name::Dns(text) | Name::Email(text) | Name::Uri(text) => text,
        Name::Ip(_) => "",
        Name::Other => "other types of SAN",
    }
}

/// `host` is without a dot at its end.
fn core_matches(entry: &str, host: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    if entry.is_empty() {
        return false;
    }
    if entry.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(parent), Some((_, rest))) = (entry.strip_prefix("*."), host.split_once('.')) else { return false };
    // `rest` must be a domain of at least two labels: nothing matches `*.local`.
    rest.len() > 1
        && rest.find('.').is_some_and(|dot| dot + 1 < rest.len())
        && parent.eq_ignore_ascii_case(rest.strip_suffix('.').unwrap_or(rest))
}

/// The rule of gRPC's TLS credentials.
pub(super) fn tls(leaf: &Certificate, host: &str) -> bool {
    let names = leaf.names.as_deref().unwrap_or_default();
    let mut dns = names
        .iter()
        .filter_map(|name| match name {
            Name::Dns(text) => Some(c_string(text)),
            _ => None,
        })
        .peekable();
    let has_dns = dns.peek().is_some();
    let ip = ip_octets(host);
    dns.any(|name| tls_matches(name, host))
        || ip.is_some_and(|ip| names.iter().any(|name| matches!(name, Name::Ip(octets) if *octets == ip)))
        || !has_dns && leaf.common_name.as_deref().is_some_and(|name| tls_matches(c_string(name), host))
}

/// The TLS credentials get text as C strings.
fn c_string(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

fn tls_matches(entry: &str, host: &str) -> bool {
    if [entry, host].iter().any(|name| name.is_empty() || name.starts_with('.')) {
        return false;
    }
    let [entry, host] = [entry, host].map(|name| name.strip_suffix('.').unwrap_or(name));
    match entry.split_once('*') {
        None => entry.eq_ignore_ascii_case(host),
        Some(("", parent)) if parent.starts_with('.') && !parent.contains('*') => {
            host.len().checked_sub(parent.len()).and_then(|label| host.split_at_checked(label)).is_some_and(
                |(label, rest)| !label.is_empty() && !label.contains('.') && rest.eq_ignore_ascii_case(parent),
            )
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_an_ip() {
        for host in ["10.0.0.5", "010.0.0.5", "999.1.1.1", "1.2.3.4.5", "::1", "2001:db8::a", "1.2:"] {
            assert!(looks_like_ip(host), "{host}");
        }
        for host in [
            "10.0.0.5.",
            "1.2.3",
            "1.2.3.4.5.6",
            "12345.1.1.1",
            "head",
            "",
            "1..2.3",
            "1234567.8.9",
            "fd00::a",
            "a:b",
            "12345::",
        ] {
            assert!(!looks_like_ip(host), "{host}");
        }
    }

    #[test]
    fn brackets_and_zone_go() {
        assert_eq!(bare("[::1]"), "::1");
        assert_eq!(bare("fe80::1%eth0"), "fe80::1");
        assert_eq!(bare("[fe80::1%eth0]"), "fe80::1");
        assert_eq!(bare("head"), "head");
    }

    /// As measured: no IP for gRPC, so case does not matter and the CN counts.
    #[test]
    fn an_ipv6_address_that_begins_with_a_letter_is_a_name() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let leaf = Certificate { common_name: Some("fd00::a".into()), ..Certificate::parse(der.der()).unwrap() };
        let with = |names: &[Name]| Certificate { names: Some(names.to_vec()), ..leaf.clone() };
        let address = with(&[Name::from_text("fd00::a")]);
        assert!(core(&address, "fd00::a") && core(&address, "FD00::A") && core(&leaf, "FD00::A"));
        assert!(core(&with(&[Name::Dns("FD00::A.".into())]), "fd00::a"));
        assert!(!core(&with(&[Name::from_text("2001:db8::a")]), "2001:DB8::A"));
    }

    #[test]
    fn many_hosts_are_judged_as_each_alone() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let names = ["10.0.0.1", "10.0.0.7", "fd00::a", "2001:db8::1", "*.ray.local", "10.0.0.9."].map(Name::from_text);
        let leaf = Certificate { names: Some(names.to_vec()), ..Certificate::parse(der.der()).unwrap() };
        let hosts = [
            "10.0.0.1",
            "10.0.0.01",
            "10.0.0.7.",
            "fd00::a",
            "FD00::A",
            "2001:DB8::1",
            "a.ray.local",
            "10.0.0.9",
            "",
            "x",
        ];
        let hosts = hosts.map(str::to_owned);
        for tls_name_rule in [false, true] {
            let profile = Profile { tls_name_rule, ..Profile::core() };
            let alone: Vec<&String> = hosts.iter().filter(|host| !covers(&leaf, host, profile)).collect();
            assert_eq!(uncovered(&leaf, &hosts, profile), alone);
            assert!(alone.len() > 3 && alone.len() < 9, "{alone:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_inet_ntop_does() {
        let text = |ip: &str| ip_text(&ip.parse::<Ipv6Addr>().unwrap().octets()).unwrap();
        assert_eq!(text("::ffff:10.0.0.5"), "::ffff:10.0.0.5");
        assert_eq!(text("::a00:5"), "::10.0.0.5");
        assert_eq!(text("::5"), "::5");
        assert_eq!(text("FD00::A"), "fd00::a");
        assert_eq!(ip_text(&[1, 2, 3]), None);
    }

    #[test]
    fn wildcards_in_the_core() {
        assert!(core_matches("*.ray.local", "node1.RAY.local"));
        assert!(core_matches("*.ray.local.", "node1.ray.local."));
        for (entry, host) in [
            ("*.ray.local", "a.b.ray.local"),
            ("*.ray.local", "ray.local"),
            ("*.local", "head.local"),
            ("*", "head"),
            ("*.*.local", "node1.ray.local"),
            ("n*.ray.local", "node1.ray.local"),
            ("", ""),
            (".", "."),
        ] {
            assert!(!core_matches(entry, host), "{entry} {host}");
        }
    }

    #[test]
    fn wildcards_in_python() {
        assert!(tls_matches("*.local", "head.local"));
        assert!(tls_matches("Head.", "head"));
        for (entry, host) in
            [("*.ray.local", "a.b.ray.local"), ("*.ray.local", ".ray.local"), ("*.", "head"), ("*", "head")]
        {
            assert!(!tls_matches(entry, host), "{entry} {host}");
        }
    }
}
