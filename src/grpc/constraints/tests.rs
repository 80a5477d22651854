use rcgen::{CertificateParams, KeyPair};

use super::*;

fn certificate(subject: &str, issuer: &str) -> Certificate {
    let params = CertificateParams::new(Vec::<String>::new()).unwrap();
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Certificate {
        subject_canonical: subject.into(),
        issuer_canonical: issuer.into(),
        constrained: Constrained { attributes: 1, ..Constrained::default() },
        names: None,
        ..Certificate::parse(&der).unwrap()
    }
}

fn leaf(names: Vec<Name>) -> Certificate {
    Certificate { names: Some(names), ..certificate("o=ray,cn=leaf", "o=ray,cn=ca") }
}

fn subtree(base: Base) -> Subtree {
    Subtree { base, is_bounded: false }
}

fn words(leaf: &Certificate, permitted: Vec<Base>, excluded: Vec<Base>, profile: Profile) -> Option<&'static str> {
    let list = |bases: Vec<Base>| bases.into_iter().map(subtree).collect();
    let ca = Certificate {
        constraints: Some(Constraints { permitted: list(permitted), excluded: list(excluded) }),
        ..certificate("o=ray,cn=ca", "o=ray,cn=ca")
    };
    match check(&[leaf, &ca], profile) {
        Ok(None) => None,
        Ok(Some(_)) => Some("unknown"),
        Err(violation) => violation.words,
    }
}

fn permitted(name: Name, base: Base) -> Option<&'static str> {
    let leaf = leaf(vec![name]);
    let core = words(&leaf, vec![base.clone()], vec![], Profile::core());
    assert_eq!(core, words(&leaf, vec![base], vec![], Profile::python()));
    core
}

#[test]
fn dns_names_lie_in_a_domain_or_below_a_leading_dot() {
    let ask = |name: &str, base: &str| permitted(Name::Dns(name.into()), Base::Dns(base.into()));
    for (name, base) in [
        ("node1.ray.local", "ray.local"),
        ("ray.local", "RAY.local"),
        ("node1.ray.local", ".ray.local"),
        ("anything", ""),
        ("*.ray.local", "ray.local"),
    ] {
        assert_eq!(ask(name, base), None, "{name} {base}");
    }
    for (name, base) in
        [("xray.local", "ray.local"), ("ray.local", ".ray.local"), ("local", "ray.local"), ("other", "ray.local")]
    {
        assert_eq!(ask(name, base), Some(PERMITTED), "{name} {base}");
    }
}

#[test]
fn an_excluded_host_hits_a_wildcard_in_python_only() {
    let leaf = leaf(vec![Name::Dns("*.ray.local".into())]);
    let base = || vec![Base::Dns("node1.ray.local".into())];
    assert_eq!(words(&leaf, vec![], base(), Profile::core()), None);
    assert_eq!(words(&leaf, vec![], base(), Profile::python()), Some(EXCLUDED));
}

#[test]
fn a_dot_at_the_end_counts_in_the_core_only() {
    let leaf = leaf(vec![Name::Dns("ray.local.".into())]);
    let base = || vec![Base::Dns("ray.local".into())];
    assert_eq!(words(&leaf, base(), vec![], Profile::core()), Some(PERMITTED));
    assert_eq!(words(&leaf, base(), vec![], Profile::python()), None);
}

#[test]
fn e_mail_addresses_and_uris() {
    let email = |name: &str, base: &str| permitted(Name::Email(name.into()), Base::Email(base.into()));
    assert_eq!(email("ops@Ray.local", "ray.local"), None);
    assert_eq!(email("ops@a.ray.local", "ray.local"), Some(PERMITTED));
    assert_eq!(email("ops@a.ray.local", ".ray.local"), None);
    assert_eq!(email("ops@ray.local", "ops@ray.local"), None);
    assert_eq!(email("Ops@ray.local", "ops@ray.local"), Some(PERMITTED));
    assert_eq!(email("ops", "ray.local"), Some(SYNTAX));
    assert_eq!(email("a@b@ray.local", "ray.local"), Some("unknown"));
    let uri = |name: &str, base: &str| permitted(Name::Uri(name.into()), Base::Uri(base.into()));
    assert_eq!(uri("spiffe://ray.local/node", "RAY.local"), None);
    assert_eq!(uri("https://a.ray.local:8/x", ".ray.local"), None);
    assert_eq!(uri("https://a.ray.local", "ray.local"), Some(PERMITTED));
    assert_eq!(uri("urn:ray", "ray.local"), Some(SYNTAX));
}

/// As measured: in 1.85 a lone dot is no name of everything, and URIs are taken apart.
#[test]
fn dots_and_uris_of_2026() {
    let ask = |name: Name, base: Base| {
        [Profile::core(), Profile::python()].map(|of| words(&leaf(vec![name.clone()]), vec![base.clone()], vec![], of))
    };
    let dns = |name: &str, base: &str| ask(Name::Dns(name.into()), Base::Dns(base.into()));
    assert_eq!(dns("ray.local.", "."), [None, Some(PERMITTED)]);
    assert_eq!(dns("", "."), [Some(PERMITTED), None]);
    assert_eq!(dns(".", ".."), [Some(PERMITTED); 2]);
    let uri = |name: &str| ask(Name::Uri(name.into()), Base::Uri("ray.local".into()));
    for name in ["https://ray.local?x:1", "https://ray.local#x", "https://ray.local./"] {
        assert_eq!(uri(name), [Some(PERMITTED), None], "{name}");
    }
    assert_eq!(uri("https://a@ray.local/"), [Some(PERMITTED), Some("unknown")]);
    assert_eq!(uri("https://ray.local:8?x"), [None; 2]);
}

#[test]
fn directory_names_match_by_their_beginning() {
    let leaf = leaf(vec![]);
    assert_eq!(words(&leaf, vec![Base::Directory(b"o=ray".into())], vec![], Profile::core()), None);
    assert_eq!(words(&leaf, vec![Base::Directory(b"o=other".into())], vec![], Profile::core()), Some(PERMITTED));
    assert_eq!(words(&leaf, vec![], vec![Base::Directory(b"o=ray".into())], Profile::core()), Some(EXCLUDED));
}

#[test]
fn an_ip_constraint_refuses_any_ip_name_and_no_other() {
    assert_eq!(permitted(Name::Ip(vec![10, 0, 0, 1]), Base::Unsupported(0x87)), Some(KIND));
    assert_eq!(permitted(Name::Dns("head".into()), Base::Unsupported(0x87)), None);
}

#[test]
fn a_bound_is_refused_where_its_kind_occurs() {
    let bounded = Subtree { base: Base::Dns(String::new()), is_bounded: true };
    let ca = Certificate {
        constraints: Some(Constraints { permitted: vec![bounded], excluded: vec![] }),
        ..certificate("ca", "root")
    };
    let named = leaf(vec![Name::Dns("head".into())]);
    assert_eq!(check(&[&named, &ca], Profile::core()).err().and_then(|found| found.words), Some(BOUNDED));
    assert!(check(&[&leaf(vec![]), &ca], Profile::core()).is_ok());
}

#[test]
fn a_leaf_without_alternative_names_may_not_be_called_like_a_host() {
    let called = |name: &str| Certificate {
        constrained: Constrained { attributes: 1, common_names: vec![Some(name.into())], ..Constrained::default() },
        ..certificate("o=ray", "ca")
    };
    for name in ["node1.ray.local", "head", "*.ray.local", "a_b:c."] {
        assert!(words(&called(name), vec![], vec![], Profile::core()).is_some(), "{name}");
    }
    for name in ["Ray Head", "", "-head", "a..b", "*"] {
        assert_eq!(words(&called(name), vec![], vec![], Profile::core()), None, "{name}");
    }
}

#[test]
fn constraints_of_roots_count_and_cas_between_are_judged_too() {
    let root = Certificate {
        constraints: Some(Constraints { permitted: vec![subtree(Base::Dns("ray.local".into()))], excluded: vec![] }),
        ..certificate("root", "root")
    };
    let outside = || Some(vec![Name::Dns("other".into())]);
    let leaf = leaf(vec![Name::Dns("a.ray.local".into())]);
    let between = Certificate { names: outside(), ..certificate("ca", "root") };
    assert!(check(&[&leaf, &between, &root], Profile::core()).is_err());
    let self_issued = Certificate { names: outside(), ..certificate("ca", "ca") };
    assert!(check(&[&leaf, &self_issued, &root], Profile::core()).is_ok());
}

#[test]
fn too_many_names_are_refused() {
    let leaf = leaf(vec![Name::Dns("head".into()); 1100]);
    let bases = vec![Base::Dns(String::new()); 1000];
    let ca = Certificate {
        constraints: Some(Constraints { permitted: bases.into_iter().map(subtree).collect(), excluded: vec![] }),
        ..certificate("ca", "root")
    };
    assert!(check(&[&leaf, &ca], Profile::core()).is_err());
}

#[test]
fn the_extension_is_read() {
    let dns = der::wrap(SEQUENCE, &der::wrap(0x82, b"ray.local"));
    let ip = der::wrap(SEQUENCE, &[der::wrap(0x87, &[10, 0, 0, 0, 255, 0, 0, 0]), vec![0x80, 1, 0]].concat());
    let value = der::wrap(SEQUENCE, &[der::wrap(0xa0, &dns), der::wrap(0xa1, &ip)].concat());
    let read = super::read(&value, &mut Notes::new(Profile::core())).unwrap();
    assert_eq!(read.permitted, [subtree(Base::Dns("ray.local".into()))]);
    assert_eq!(read.excluded, [Subtree { base: Base::Unsupported(0x87), is_bounded: true }]);
    assert!(super::read(&value[1..], &mut Notes::new(Profile::core())).is_err());
}
