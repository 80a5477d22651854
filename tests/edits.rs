//! Hypothetical certificates, edges of dates and the order of trusted certificates.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use raytls::grpc::certificate::{Certificate, Name, Purpose};
use raytls::grpc::profile::Profile;
use raytls::grpc::verdict::{Case, Fault, Role, Verdict, peer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

fn both() -> [Profile; 2] {
    [Profile::core(), Profile::python()]
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2026-11-24T12:00:00Z")
}

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn facts(issuer: &CertifiedIssuer<'static, KeyPair>) -> Certificate {
    // Without a key id nothing but the order tells CAs of one name apart.
    Certificate { subject_key_id: None, ..Certificate::parse(issuer.as_ref().der()).unwrap() }
}

fn leaf(issuer: &CertifiedIssuer<'static, KeyPair>, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let mut params = CertificateParams::new(["ray-head".to_string()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Certificate::parse(params.signed_by(&key, issuer).unwrap().der()).unwrap()
}

fn judge(presented: &Certificate, trust: &[Certificate], name: &str, now: Timestamp, profile: Profile) -> Verdict {
    let presented = std::slice::from_ref(presented);
    peer(Case { presented, trust, name: Some(name), role: Role::Server, now, profile })
}

fn fault(verdict: Verdict) -> Fault {
    match verdict {
        Verdict::Reject(reason) => reason.fault,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn a_certificate_is_good_from_its_first_second_and_not_in_its_last() {
    let root = ca("root");
    let (leaf, trust) = (leaf(&root, |_| ()), [facts(&root)]);
    for profile in both() {
        let at = |moment| judge(&leaf, &trust, "ray-head", time(moment), profile);
        assert_eq!(fault(at("2025-12-31T23:59:59Z")), Fault::NotYetValid);
        assert_eq!(at("2026-01-01T00:00:00Z"), Verdict::Accept);
        assert_eq!(at("2026-12-31T23:59:59Z"), Verdict::Accept);
        assert_eq!(fault(at("2027-01-01T00:00:00Z")), Fault::Expired);
    }
}

#[test]
fn an_expired_ca_is_told_from_an_expired_leaf() {
    let root = ca("root");
    let leaf = leaf(&root, |_| ());
    let expired = Certificate { not_after: time("2026-06-01T00:00:00Z"), ..facts(&root) };
    for profile in both() {
        assert_eq!(fault(judge(&leaf, std::slice::from_ref(&expired), "ray-head", now(), profile)), Fault::CaDates);
        let renewed = [expired.with_dates(now(), &expired.key.spki_sha256)];
        assert_eq!(judge(&leaf, &renewed, "ray-head", now(), profile), Verdict::Accept);
    }
}

#[test]
fn names_that_are_added_are_covered_and_the_rest_stays() {
    let root = ca("root");
    let (leaf, trust) = (leaf(&root, |_| ()), [facts(&root)]);
    let more = leaf.with_names(&["10.0.0.7".into(), "ray-head".into(), "x.ray.svc".into()], &trust[0].key.spki_sha256);
    assert_eq!(
        more.names.as_ref().unwrap(),
        &[Name::Dns("ray-head".into()), Name::Ip(vec![10, 0, 0, 7]), Name::Dns("x.ray.svc".into())]
    );
    assert!(more.is_hypothetical() && more.der.is_empty());
    for profile in both() {
        assert_eq!(fault(judge(&leaf, &trust, "10.0.0.7", now(), profile)), Fault::Name);
        for name in ["10.0.0.7", "ray-head", "x.ray.svc"] {
            assert_eq!(judge(&more, &trust, name, now(), profile), Verdict::Accept);
        }
        assert_eq!(fault(judge(&more, &trust, "10.0.0.8", now(), profile)), Fault::Name);
    }
}

#[test]
fn an_assumed_signature_holds_for_its_key_only() {
    let (root, other) = (ca("root"), ca("other"));
    let leaf = leaf(&root, |_| ());
    let namesake = Certificate { subject_canonical: facts(&root).subject_canonical, ..facts(&other) };
    for profile in both() {
        assert_eq!(fault(judge(&leaf, &[facts(&other)], "ray-head", now(), profile)), Fault::UnknownIssuer);
        assert_eq!(
            fault(judge(&leaf, std::slice::from_ref(&namesake), "ray-head", now(), profile)),
            Fault::BadSignature
        );
        let same = leaf.with_dates(now(), &facts(&root).key.spki_sha256);
        assert_eq!(
            fault(judge(&same, std::slice::from_ref(&namesake), "ray-head", now(), profile)),
            Fault::BadSignature
        );
        let moved = leaf.issued_by(&facts(&other));
        assert_eq!(judge(&moved, &[facts(&other)], "ray-head", now(), profile), Verdict::Accept);
        assert_eq!(fault(judge(&moved, &[facts(&root)], "ray-head", now(), profile)), Fault::UnknownIssuer);
    }
}

#[test]
fn uses_and_keys_are_mended() {
    let root = ca("root");
    let trust = [facts(&root)];
    let spki = &trust[0].key.spki_sha256;
    let client = leaf(&root, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let odd = Certificate {
        key: raytls::grpc::certificate::PublicKey { algorithm: "Ed25519".into(), ..client.key.clone() },
        purposes: None,
        ..client.clone()
    };
    for profile in both() {
        assert_eq!(fault(judge(&client, &trust, "ray-head", now(), profile)), Fault::Purpose);
        let mended = client.with_uses_for_both_roles(spki);
        assert_eq!(mended.purposes, Some(vec![Purpose::ServerAuth, Purpose::ClientAuth]));
        assert_eq!(judge(&mended, &trust, "ray-head", now(), profile), Verdict::Accept);
        assert_eq!(fault(judge(&odd, &trust, "ray-head", now(), profile)), Fault::KeyKind);
        assert_eq!(judge(&odd.with_key_p256(spki), &trust, "ray-head", now(), profile), Verdict::Accept);
    }
}

#[test]
fn of_equal_names_the_core_takes_the_second_and_python_the_first() {
    let roots = ["root", "root", "root"].map(ca);
    let [a, b, c] = [&roots[0], &roots[1], &roots[2]].map(facts);
    let leaf = leaf(&roots[0], |_| ());
    let passes = |trust: &[Certificate], profile| judge(&leaf, trust, "ray-head", now(), profile) == Verdict::Accept;

    assert!(!passes(&[a.clone(), b.clone()], Profile::core()) && passes(&[b.clone(), a.clone()], Profile::core()));
    assert!(passes(&[a.clone(), b.clone()], Profile::python()) && !passes(&[b.clone(), a.clone()], Profile::python()));
    // Of three both take the first.
    for profile in both() {
        assert!(passes(&[a.clone(), b.clone(), c.clone()], profile));
        assert!(!passes(&[b.clone(), a.clone(), c.clone()], profile));
        // One that is there twice counts once.
        assert!(passes(&[a.clone(), a.clone()], profile));
    }
}

#[test]
fn the_order_of_many_equal_names_is_not_guessed() {
    let roots = ["root", "root"].map(ca);
    let [a, b] = [&roots[0], &roots[1]].map(facts);
    let leaf = leaf(&roots[0], |_| ());
    let mut trust = vec![a.clone(), b];
    trust.extend((0..20).map(|at| Certificate { subject_canonical: vec![at], serial: at.to_string(), ..a.clone() }));
    assert!(matches!(judge(&leaf, &trust, "ray-head", now(), Profile::python()), Verdict::CannotTell(_)));
    trust.remove(1);
    assert_eq!(judge(&leaf, &trust, "ray-head", now(), Profile::python()), Verdict::Accept);
}
