//! Rules of gRPC that hold for any name and any order of certificates.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use raytls::grpc::certificate::{Certificate, Name};
use raytls::grpc::names::{covers, ip_text, looks_like_ip};
use raytls::grpc::path::{self, Broken};
use raytls::grpc::profile::Profile;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

fn both() -> [Profile; 2] {
    [Profile::core(), Profile::python()]
}

fn leaf(names: Vec<Name>, common_name: Option<&str>) -> Certificate {
    let names = (!names.is_empty()).then_some(names);
    Certificate { names, common_name: common_name.map(Into::into), ..CHAIN.leaf.clone() }
}

fn dns(name: &str) -> Certificate {
    leaf(vec![Name::Dns(name.into())], None)
}

/// Labels of which none makes a name look like an IP.
fn labels(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-zA-Z_][a-zA-Z0-9_-]{0,6}", count)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_covers_itself_in_any_case_and_with_one_trailing_dot(labels in labels(1..=4), dots in any::<[bool; 2]>()) {
        let name = labels.join(".");
        let [entry, host] = dots.map(|dot| if dot { format!("{name}.") } else { name.clone() });
        for profile in both() {
            for host in [host.clone(), host.to_ascii_uppercase(), host.to_ascii_lowercase()] {
                prop_assert!(covers(&dns(&entry), &host, profile), "{entry} {host} {profile:?}");
            }
            for host in [format!("{name}.."), format!(".{name}"), format!("x{name}"), format!("{name}.x")] {
                prop_assert!(!covers(&dns(&entry), &host, profile), "{entry} {host} {profile:?}");
            }
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_in_front_of_two(labels in labels(1..=4), first in "[a-z0-9_-]{1,5}", dots in any::<[bool; 2]>()) {
        let rest = labels.join(".");
        let [entry, host] = [("*", dots[0]), (&*first, dots[1])]
            .map(|(label, dot)| format!("{label}.{rest}{}", if dot { "." } else { "" }));
        for profile in both() {
            let covered = covers(&dns(&entry), &host, profile);
            prop_assert_eq!(covered, labels.len() >= 2, "{} {} {:?}", entry, host, profile);
            // The core lets the wildcard stand for nothing, too.
            prop_assert_eq!(covers(&dns(&entry), &format!(".{rest}"), profile), covered && !profile.tls_name_rule);
            for host in [rest.clone(), format!("a.{host}")] {
                prop_assert!(!covers(&dns(&entry), &host, profile), "{entry} {host} {profile:?}");
            }
            for entry in [format!("x*.{rest}"), format!("*x.{rest}"), format!("a.*.{rest}"), format!("*{rest}")] {
                prop_assert!(!covers(&dns(&entry), &host, profile), "{entry} {host} {profile:?}");
            }
        }
    }

    #[test]
    fn an_ip_name_covers_the_spelling_of_inet_ntop_only_but_for_case_where_the_core_sees_no_ip(octets in any::<[u16; 8]>(), zeros in any::<[bool; 8]>()) {
        let mut segments = octets;
        segments.iter_mut().zip(zeros).filter(|(_, zero)| *zero).for_each(|(segment, _)| *segment = 0);
        let ip = Ipv6Addr::from(segments);
        let certificate = leaf(vec![Name::Ip(ip.octets().to_vec())], None);
        let text = ip_text(&ip.octets()).unwrap();
        let long = segments.map(|segment| format!("{segment:x}")).join(":");
        for profile in both() {
            prop_assert!(covers(&certificate, &text, profile), "{text} {profile:?}");
            for other in [text.to_ascii_uppercase(), long.clone(), format!("0{text}")] {
                let is_folded = !profile.tls_name_rule && !looks_like_ip(&other);
                let covered = other == text || is_folded && other.eq_ignore_ascii_case(&text);
                prop_assert_eq!(covers(&certificate, &other, profile), covered, "{} {:?}", other, profile);
            }
        }
    }

    #[test]
    fn an_ipv4_name_covers_its_address(octets in any::<[u8; 4]>(), other in any::<[u8; 4]>()) {
        let [host, wrong] = [octets, other].map(|octets| Ipv4Addr::from(octets).to_string());
        let certificate = leaf(vec![Name::Ip(octets.to_vec())], None);
        for profile in both() {
            prop_assert!(covers(&certificate, &host, profile));
            prop_assert_eq!(covers(&certificate, &wrong, profile), wrong == host);
            let padded = format!("0{host}");
            prop_assert!(!covers(&certificate, &padded, profile));
        }
    }

    #[test]
    fn an_ip_as_a_dns_name_is_taken_and_as_another_kind_by_the_core_only(octets in any::<[u8; 4]>()) {
        let host = Ipv4Addr::from(octets).to_string();
        for profile in both() {
            prop_assert!(covers(&dns(&host), &host, profile));
            let wildcard = dns(&format!("*.{}", host.split_once('.').unwrap().1));
            prop_assert!(!covers(&wildcard, &host, profile), "a wildcard covers an IP");
            for name in [Name::Uri(host.clone()), Name::Email(host.clone())] {
                prop_assert_eq!(covers(&leaf(vec![name], None), &host, profile), !profile.tls_name_rule);
            }
        }
    }

    #[test]
    fn the_common_name_counts_only_without_names(host in "[a-z]{1,6}(\\.[a-z]{1,4}){0,2}", octets in any::<[u8; 4]>()) {
        for profile in both() {
            prop_assert!(covers(&leaf(Vec::new(), Some(&host)), &host, profile));
            let beside = [Name::Dns("other.name".into()), Name::Ip(octets.to_vec()), Name::Uri("ray://a".into())];
            for name in beside {
                prop_assert!(!covers(&leaf(vec![name], Some(&host)), &host, profile), "{profile:?}");
            }
        }
        let ip = Ipv4Addr::from(octets).to_string();
        prop_assert!(!covers(&leaf(Vec::new(), Some(&ip)), &ip, Profile::core()));
    }

    #[test]
    fn the_core_compares_what_python_cuts_at_a_nul(host in "[a-z]{1,6}\\.ray", tail in "[a-z.]{0,4}") {
        let certificate = dns(&format!("{host}\0{tail}"));
        for profile in both() {
            prop_assert!(!covers(&certificate, &host, profile), "a name cut at a NUL passes both of Python's checks");
        }
    }

    #[test]
    fn neither_order_nor_repetition_of_names_matters(
        names in proptest::collection::vec("(\\*\\.)?[ab]\\.[ab](\\.[ab])?\\.?", 1..5),
        host in "[ab]\\.[ab](\\.[ab])?\\.?",
    ) {
        let names = names.into_iter().map(Name::Dns).collect::<Vec<_>>();
        for profile in both() {
            let covered = covers(&leaf(names.clone(), None), &host, profile);
            let other = names.iter().rev().chain(&names).cloned().collect();
            prop_assert_eq!(covers(&leaf(other, None), &host, profile), covered);
            let one = names.iter().any(|name| covers(&leaf(vec![name.clone()], None), &host, profile));
            prop_assert_eq!(one, covered, "a list covers what one of its names does");
        }
    }

    #[test]
    fn neither_order_nor_repetition_nor_strangers_in_a_chain_matter(
        order in Just([0, 1, 2]).prop_shuffle(),
        strangers in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..5),
        repeated in subsequence(vec![0usize, 1, 2], 0..=3),
    ) {
        let mut rest = order.map(|at| CHAIN.between[at].clone()).to_vec();
        rest.extend(repeated.into_iter().map(|at| CHAIN.between[at].clone()));
        for (what, place) in strangers {
            rest.insert(place.index(rest.len() + 1), what.get(&CHAIN.strangers).clone());
        }
        rest.insert(0, CHAIN.leaf.clone());
        for profile in both() {
            let path = path::build(&rest, std::slice::from_ref(&CHAIN.root), profile).unwrap().unwrap();
            prop_assert_eq!(subjects(&path.certificates), ["leaf", "ca 2", "ca 1", "ca 0", "root"]);
            prop_assert_eq!((path.untrusted, path.broken), (4, None));
            // A presented CA that is trusted ends the path there.
            let path = path::build(&rest, &CHAIN.between[1..2], profile).unwrap().unwrap();
            prop_assert_eq!(subjects(&path.certificates), ["leaf", "ca 2", "ca 1"]);
            let path = path::build(&rest, &CHAIN.strangers, profile).unwrap().unwrap();
            prop_assert_eq!(path.broken, Some(Broken::NoIssuer));
        }
    }

    #[test]
    fn the_order_of_a_trust_file_of_different_names_does_not_matter(order in Just([0, 1, 2, 3]).prop_shuffle()) {
        let trust = order.map(|at| match at {
            3 => CHAIN.root.clone(),
            at => CHAIN.strangers[at].clone(),
        });
        let mut presented = vec![CHAIN.leaf.clone()];
        presented.extend(CHAIN.between.iter().cloned());
        for profile in both() {
            let path = path::build(&presented, &trust, profile).unwrap().unwrap();
            prop_assert_eq!(subjects(&path.certificates), ["leaf", "ca 2", "ca 1", "ca 0", "root"]);
            prop_assert_eq!((path.untrusted, path.broken), (4, None));
        }
    }
}

fn subjects<'a>(certificates: &[&'a Certificate]) -> Vec<&'a str> {
    certificates.iter().map(|certificate| certificate.common_name.as_deref().unwrap()).collect()
}

/// root → ca 0 → ca 1 → ca 2 → leaf, and CAs that have nothing to do with them.
struct Chain {
    leaf: Certificate,
    between: Vec<Certificate>,
    root: Certificate,
    strangers: Vec<Certificate>,
}

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let made = |name: &str, is_ca: bool| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        (params, KeyPair::generate().unwrap())
    };
    let read = |certificate: &rcgen::Certificate| Certificate::parse(certificate.der()).unwrap();
    let alone = |name: &str| {
        let (params, key) = made(name, true);
        read(&params.self_signed(&key).unwrap())
    };
    let (params, key) = made("root", true);
    let root = read(&params.self_signed(&key).unwrap());
    let mut issuer = Issuer::new(params, key);
    let mut between = Vec::new();
    for at in 0..3 {
        let (params, key) = made(&format!("ca {at}"), true);
        between.push(read(&params.signed_by(&key, &issuer).unwrap()));
        issuer = Issuer::new(params, key);
    }
    let (params, key) = made("leaf", false);
    let leaf = read(&params.signed_by(&key, &issuer).unwrap());
    Chain { leaf, between, root, strangers: ["stranger", "other ca", "ca 3"].map(alone).to_vec() }
});
