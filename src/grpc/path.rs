//! The path from a leaf to the trust file: gRPC builds exactly one, and never goes back.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::certificate::Certificate;
use super::profile::{Profile, StoreOrder};

/// The one path that gRPC builds.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// Leaf first.
    pub certificates: Vec<&'a Certificate>,
    /// How many of them, from the leaf, are not from the trust file.
    pub untrusted: usize,
    /// Why the path does not end in the trust file, if it does not.
    pub broken: Option<Broken>,
}

/// How a path misses the trust file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A leaf signed by itself that is not in the trust file.
    SelfSignedLeaf,
    /// The presented chain ends in a CA signed by itself that is not in the trust file.
    SelfSignedTop,
    /// Nobody known issued the last certificate.
    NoIssuer,
}

/// Builds the path. `Err` is one clause on why it cannot be known which one gRPC builds.
///
/// # Errors
/// When several trusted certificates fit as an issuer and the order in which gRPC holds them is not known.
pub fn build<'a>(
    presented: &'a [Certificate],
    trust: &'a [Certificate],
    profile: Profile,
) -> Result<Option<Path<'a>>, String> {
    let Some((leaf, rest)) = presented.split_first() else { return Ok(None) };
    let store = Store::new(trust, profile);
    let mut rest = rest.iter().collect::<Vec<_>>();
    let mut certificates = vec![leaf];
    let mut last = leaf;
    while !is_self_signed(last) && store.issuer_of(last)?.is_none() && certificates.len() < DEPTH {
        let Some(next) = rest.iter().position(|candidate| may_issue(candidate, last)) else { break };
        last = rest.remove(next);
        certificates.push(last);
    }

    let mut untrusted = certificates.len();
    let mut self_signed_top = None;
    if is_self_signed(last) {
        if certificates.len() == 1 {
            return Ok(Some(match store.issuer_of(leaf)? {
                Some(trusted) if trusted == leaf => Path { certificates: vec![trusted], untrusted: 0, broken: None },
                _ => Path { certificates, untrusted, broken: Some(Broken::SelfSignedLeaf) },
            }));
        }
        self_signed_top = certificates.pop();
        untrusted -= 1;
        last = certificates.last().copied().unwrap_or(leaf);
    }
    // Trusted certificates that issued each other go round until the path is as long as one may be, which is no error.
    let mut is_circle = false;
    while !is_self_signed(last) && certificates.len() < LONGEST {
        let Some(next) = store.issuer_of(last)? else { break };
        is_circle |= certificates.iter().skip(untrusted).any(|before| std::ptr::eq(*before, next));
        last = next;
        certificates.push(last);
    }
    if certificates.len() >= DEPTH && !is_circle {
        return Err(format!("the path is {DEPTH} certificates long or longer"));
    }
    if untrusted == certificates.len() {
        // A presented leaf that is itself in the trust file needs no issuer.
        if store.holds(leaf) {
            return Ok(Some(Path { certificates, untrusted: 0, broken: None }));
        }
        let broken = match self_signed_top {
            Some(top) if may_issue(top, last) => {
                certificates.push(top);
                untrusted += 1;
                Broken::SelfSignedTop
            }
            _ => Broken::NoIssuer,
        };
        return Ok(Some(Path { certificates, untrusted, broken: Some(broken) }));
    }
    Ok(Some(Path { certificates, untrusted, broken: None }))
}

/// Whether `issuer` is a candidate for having issued `certificate`: by names, key ids and keyUsage. Dates, basicConstraints
/// and the signature play no part.
pub fn may_issue(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.subject_canonical == certificate.issuer_canonical
        && issuer.malformed.is_empty()
        && certificate.malformed.is_empty()
        && authority_fits(issuer, certificate)
        && issuer.key_usage.is_none_or(|usage| usage.cert_sign)
}

/// Whether gRPC takes a certificate for signed by itself; the signature is not looked at.
pub fn is_self_signed(certificate: &Certificate) -> bool {
    is_self_issued(certificate)
        && authority_fits(certificate, certificate)
        && certificate.key_usage.is_none_or(|usage| usage.cert_sign)
}

/// Whether issuer and subject are one name.
pub(super) fn is_self_issued(certificate: &Certificate) -> bool {
    certificate.subject_canonical == certificate.issuer_canonical
}

/// Longer paths are near gRPC's limit of 100, where its transport fails before its rules do.
const DEPTH: usize = 90;

/// A leaf and BoringSSL's limit of 100 above it.
const LONGEST: usize = 101;

/// Trusted certificates up to which Python's gRPC keeps those of equal name in the order of the file.
const STABLE: usize = 16;

fn authority_fits(issuer: &Certificate, certificate: &Certificate) -> bool {
    let key_id = match (&certificate.authority_key_id, &issuer.subject_key_id) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => true,
    };
    key_id
        && certificate.authority_serial.as_ref().is_none_or(|serial| *serial == issuer.serial)
        && certificate.authority_issuer.as_ref().is_none_or(|name| *name == issuer.issuer_canonical)
}

/// Trusted certificates up to which the core's order is worked out; it takes a sort per certificate.
const SORTED: usize = 512;

/// The trust file, as gRPC looks for issuers in it.
struct Store<'a> {
    trust: &'a [Certificate],
    profile: Profile,
    /// See [`heap_order`]; worked out when it decides.
    heap_order: OnceCell<Vec<&'a Certificate>>,
}

impl<'a> Store<'a> {
    fn new(trust: &'a [Certificate], profile: Profile) -> Self {
        Self { trust, profile, heap_order: OnceCell::new() }
    }

    fn issuer_of(&self, certificate: &Certificate) -> Result<Option<&'a Certificate>, String> {
        let fits = |candidate: &&Certificate| may_issue(candidate, certificate);
        let mut fitting = self.trust.iter().filter(fits);
        let first = fitting.next();
        // All that fit have one name, so that the order of other names does not matter.
        if fitting.all(|other| Some(other) == first) {
            return Ok(first);
        }
        match self.profile.store_order {
            StoreOrder::File if self.has_few() => Ok(first),
            StoreOrder::HeapSort if self.trust.len() <= SORTED => {
                let order = self.heap_order.get_or_init(|| heap_order(self.trust));
                Ok(order.iter().copied().find(fits))
            }
            _ => Err(format!(
                "several of the {} trusted certificates fit as {}, and gRPC's order of them is not certain",
                self.trust.len(),
                certificate.issuer
            )),
        }
    }

    /// Whether there are at most [`STABLE`] different ones.
    fn has_few(&self) -> bool {
        let mut different = Vec::new();
        for certificate in self.trust {
            if !different.contains(&certificate) {
                different.push(certificate);
            }
            if different.len() > STABLE {
                return false;
            }
        }
        true
    }

    fn holds(&self, certificate: &Certificate) -> bool {
        self.trust.contains(certificate)
    }
}

/// The trust file, without repetitions, as the core holds it: sorted by length and bytes of the canonical subject before every
/// insertion, with a heap sort, which leaves equal names in an order of its own.
fn heap_order(trust: &[Certificate]) -> Vec<&Certificate> {
    let subjects = trust.iter().map(sort_key).collect::<BTreeSet<_>>();
    let ranks = subjects.into_iter().zip(0u32..).collect::<BTreeMap<_, _>>();
    let mut held: Vec<(u32, &Certificate)> = Vec::new();
    for certificate in trust {
        let rank = ranks.get(&sort_key(certificate)).copied().unwrap_or_default();
        // Equal names change places at every sort, and gRPC does not sort again when one was held already.
        if !held.iter().any(|(other, held)| *other == rank && *held == certificate) {
            heap_sort(&mut held);
            held.push((rank, certificate));
        }
    }
    heap_sort(&mut held);
    held.into_iter().map(|(_, certificate)| certificate).collect()
}

fn sort_key(certificate: &Certificate) -> (usize, &[u8]) {
    (certificate.subject_canonical.len(), &certificate.subject_canonical)
}

/// By the first of each pair.
fn heap_sort<T>(held: &mut [(u32, T)]) {
    for root in (0..held.len() / 2).rev() {
        sift_down(held, root, held.len());
    }
    for end in (1..held.len()).rev() {
        held.swap(0, end);
        sift_down(held, 0, end);
    }
}

/// Lets the element at `root` sink in the heap of the first `end` elements.
fn sift_down<T>(held: &mut [(u32, T)], mut root: usize, end: usize) {
    loop {
        let mut largest = root;
        for child in [2 * root + 1, 2 * root + 2] {
            if child < end
                && let (Some((greatest, _)), Some((other, _))) = (held.get(largest), held.get(child))
                && greatest < other
            {
                largest = child;
            }
        }
        if largest == root {
            return;
        }
        held.swap(root, largest);
        root = largest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// CAs without key ids, each by subject and issuer; all have one key.
    fn cas(names: &[(&str, &str)]) -> Vec<Certificate> {
        let key = KeyPair::generate().unwrap();
        let named = |name: &str| {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let made = names.iter().enumerate().map(|(number, (subject, issuer))| {
            let issuer = Issuer::new(named(issuer), &key);
            let mut params = named(subject);
            params.serial_number = Some((number as u64 + 1).into());
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let made = Certificate::parse(params.signed_by(&key, &issuer).unwrap().der()).unwrap();
            Certificate { subject_key_id: None, authority_key_id: None, ..made }
        });
        made.collect()
    }

    fn serials<'a>(certificates: impl IntoIterator<Item = &'a &'a Certificate>) -> Vec<String> {
        certificates.into_iter().map(|certificate| certificate.serial.clone()).collect()
    }

    #[test]
    fn a_certificate_that_is_trusted_twice_does_not_change_the_order() {
        let once = cas(&[("CA", "CA"); 4]);
        for place in 1..=once.len() {
            let mut twice = once.clone();
            twice.insert(place, once[place - 1].clone());
            let [once, twice] = [&once, &twice].map(|trust| serials(&heap_order(trust)));
            assert_eq!(twice, once, "the {place}th twice");
        }
    }

    #[test]
    fn trusted_certificates_that_issued_each_other_are_a_path() {
        let all = cas(&[("leaf", "A"), ("A", "B"), ("B", "A")]);
        let path = build(&all[..1], &all[1..], Profile::core()).unwrap().unwrap();
        assert_eq!((path.certificates.len(), path.untrusted, path.broken), (101, 1, None));
        assert_eq!(serials(&path.certificates[..4]), ["01", "02", "03", "02"]);
    }

    /// What [`heap_order`] stands for, as gRPC does it: on the names themselves.
    fn as_grpc_does(trust: &[Certificate]) -> Vec<&Certificate> {
        let mut held: Vec<&Certificate> = Vec::new();
        for certificate in trust {
            if !held.contains(&certificate) {
                sort(&mut held);
                held.push(certificate);
            }
        }
        sort(&mut held);
        held
    }

    fn sort(held: &mut [&Certificate]) {
        for root in (0..held.len() / 2).rev() {
            sink(held, root, held.len());
        }
        for end in (1..held.len()).rev() {
            held.swap(0, end);
            sink(held, 0, end);
        }
    }

    fn sink(held: &mut [&Certificate], root: usize, end: usize) {
        let less = |a: &Certificate, b: &Certificate| {
            let [a, b] = [a, b].map(|certificate| &certificate.subject_canonical);
            (a.len(), a) < (b.len(), b)
        };
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && less(held[child], held[child + 1]) {
            child += 1;
        }
        if less(held[root], held[child]) {
            held.swap(root, child);
            sink(held, child, end);
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_heap_sort_before_every_insertion(
            trusted in proptest::collection::vec(("[ab]{0,2}", 0u8..20), 0..60),
        ) {
            let [base] = cas(&[("CA", "CA")]).try_into().unwrap();
            let trust = trusted
                .into_iter()
                .map(|(name, serial)| Certificate {
                    subject_canonical: name.into_bytes(),
                    serial: serial.to_string(),
                    ..base.clone()
                })
                .collect::<Vec<_>>();
            let named = |held: Vec<&Certificate>| {
                let facts = held.iter().map(|held| (held.subject_canonical.clone(), held.serial.clone()));
                facts.collect::<Vec<_>>()
            };
            prop_assert_eq!(named(heap_order(&trust)), named(as_grpc_does(&trust)));
        }
    }
}
