//! Properties of whole verdicts.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};

use crate::grpc::certificate::{Certificate, Signed};
use crate::grpc::names::{bare, covers};
use crate::grpc::pem::{self, Reading};
use crate::grpc::verdict::{Case, Key, Role, Verdict, load_identity, load_trust, peer};
use crate::{pem as text, profiles};

/// Two files, a name, and the rest as options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// `[role, key, time, what is judged]`, see [`check`].
    pub options: [u8; 4],
    /// What is presented.
    pub chain: Vec<Piece>,
    /// What is trusted.
    pub trust: Vec<Piece>,
    /// What is dialled.
    pub name: String,
}

/// A part of a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A block of these bytes.
    Der(Vec<u8>),
    /// Text as it is.
    Text(Vec<u8>),
}

impl Situation {
    /// Reads sections: a kind, the length in two octets (low first), the bytes. Kinds: 0 options, 1 and 2 DER and text of
    /// the chain, 3 and 4 of the trust file, 5 the name; others are skipped, and the last may be cut.
    pub fn read(mut bytes: &[u8]) -> Situation {
        let mut situation = Situation::default();
        while let [kind, low, high, rest @ ..] = bytes {
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
            let (content, after) = rest.split_at(length);
            bytes = after;
            match kind {
                0 => situation.options.iter_mut().zip(content).for_each(|(option, byte)| *option = *byte),
                1 => situation.chain.push(Piece::Der(content.to_vec())),
                2 => situation.chain.push(Piece::Text(content.to_vec())),
                3 => situation.trust.push(Piece::Der(content.to_vec())),
                4 => situation.trust.push(Piece::Text(content.to_vec())),
                5 => situation.name = String::from_utf8_lossy(content).into_owned(),
                _ => {}
            }
        }
        situation
    }

    /// Writes what [`Situation::read`] reads.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut section = |kind: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
            bytes.push(kind);
            bytes.extend(length.to_le_bytes());
            bytes.extend(&content[..usize::from(length)]);
        };
        section(0, &self.options);
        section(5, self.name.as_bytes());
        for (pieces, der, text) in [(&self.chain, 1, 2), (&self.trust, 3, 4)] {
            for piece in pieces {
                match piece {
                    Piece::Der(content) => section(der, content),
                    Piece::Text(content) => section(text, content),
                }
            }
        }
        bytes
    }
}

/// Judges the situation by both profiles in the role of `options[0]`, with the key of `options[1]`, at the time of
/// `options[2]`. Signatures are assumed unless `options[3]` is 1: they are slow, and a changed certificate would get no
/// further than its own. With 16 in it no name is dialled.
pub fn check(situation: &Situation) {
    let [role, key, time, what] = situation.options;
    let role = if role % 2 == 0 { Role::Server } else { Role::Client };
    let chain = pem::read(&file(&situation.chain));
    let bundle = file(&situation.trust);
    let mut accepted = Vec::new();
    for profile in profiles() {
        let spki = spki_of_first(&chain);
        let key = match key % 8 {
            0 => Key::Missing,
            5 => Key::Empty,
            1 => Key::Unusable,
            2 => Key::Usable(None),
            3 => Key::Usable(Some("00")),
            _ => Key::Usable(spki.as_deref()),
        };
        let loaded = load_identity(&chain, false, key, role, profile);
        assert_eq!(loaded, load_identity(&chain, false, key, role, profile));
        // A peer of another kind may present what gRPC does not load.
        let mut presented = loaded.certificates().unwrap_or_else(|_| certificates(&chain));
        let Ok(mut trust) = load_trust(&pem::read(&bundle), bundle.is_empty(), profile).certificates() else {
            continue;
        };
        if what & 15 != 1 {
            assume(&mut presented, &mut trust);
        }
        let case = Case {
            presented: &presented,
            trust: &trust,
            name: (what & 16 == 0).then_some(situation.name.as_str()),
            role,
            now: now(time, &presented),
            profile,
        };
        if judged(case) == Verdict::Accept {
            accepted.push(profile);
        }
    }
}

/// The verdict, after what must hold of it.
fn judged(case: Case<'_>) -> Verdict {
    let verdict = peer(case);
    assert_eq!(verdict, peer(case), "two verdicts on one case");
    let of = |other: Case<'_>| peer(Case { now: case.now, profile: case.profile, ..other });
    assert_ne!(of(Case { trust: &[], ..case }), Verdict::Accept, "accepted with nothing trusted");
    assert_ne!(of(Case { presented: &[], ..case }), Verdict::Accept, "accepted with nothing presented");
    if case.role == Role::Client && case.name.is_some() {
        assert_eq!(of(Case { name: None, ..case }), verdict, "the name matters for a client");
    }
    if let Some(leaf) = case.presented.first() {
        if verdict == Verdict::Accept {
            assert!(leaf.not_before <= case.now && case.now < leaf.not_after, "accepted out of its dates");
            assert!(
                leaf.unknown_critical.is_empty() || case.trust.contains(leaf),
                "accepted with an unknown extension"
            );
            if let (Role::Server, Some(name)) = (case.role, case.name) {
                assert!(covers(leaf, bare(name), case.profile), "accepted under a name it does not have");
            }
        }
        let is_related = |certificate: &Certificate| certificate.issuer_canonical == UNRELATED.subject_canonical;
        if !case.presented.iter().chain(case.trust).any(is_related) {
            let mut presented = case.presented.to_vec();
            presented.insert(1, UNRELATED.clone());
            presented.push(UNRELATED.clone());
            assert_eq!(of(Case { presented: &presented, ..case }), verdict, "an unrelated certificate matters");
        }
    }
    verdict
}

/// Lets every certificate be signed by the first that carries its issuer's name.
fn assume(presented: &mut [Certificate], trust: &mut [Certificate]) {
    let known = trust.iter().chain(presented.iter()).cloned().collect::<Vec<_>>();
    for certificate in presented.iter_mut().chain(trust) {
        let issuer = known.iter().find(|issuer| issuer.subject_canonical == certificate.issuer_canonical);
        if let Some(issuer) = issuer {
            certificate.signature = Signed::Assumed { issuer_spki_sha256: issuer.key.spki_sha256.clone() };
        }
    }
}

/// A day in 2026, or one of the moments at which the leaf's dates turn.
fn now(time: u8, presented: &[Certificate]) -> Timestamp {
    const SOME_DAY: i64 = 1_795_500_000;
    let some_day = Timestamp::from_second(SOME_DAY).unwrap_or(Timestamp::UNIX_EPOCH);
    let Some(leaf) = presented.first() else { return some_day };
    let second = SignedDuration::from_secs(1);
    let before = |moment: Timestamp| moment.checked_sub(second).unwrap_or(Timestamp::MIN);
    match time % 16 {
        0 => leaf.not_before,
        1 => before(leaf.not_before),
        2 => leaf.not_after,
        3 => before(leaf.not_after),
        4 => Timestamp::MIN,
        5 => Timestamp::MAX,
        _ => some_day,
    }
}

fn file(pieces: &[Piece]) -> Vec<u8> {
    let mut file = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Der(der) => file.extend(text::text("CERTIFICATE", der, "\n").into_bytes()),
            Piece::Text(text) => file.extend(text),
        }
    }
    file
}

fn certificates(reading: &Reading) -> Vec<Certificate> {
    reading.blocks.iter().map_while(|block| Certificate::parse(&block.to_der().ok()?).ok()).collect()
}

fn spki_of_first(reading: &Reading) -> Option<String> {
    certificates(reading).first().map(|leaf| leaf.key.spki_sha256.clone())
}

/// A CA that has nothing to do with the rest.
static UNRELATED: LazyLock<Certificate> = LazyLock::new(|| {
    let der = include_bytes!("../seeds/certificate/base-leaf-root-ca-0");
    let certificate = Certificate::parse(der).unwrap();
    let name = b"unrelated".to_vec();
    Certificate { subject_canonical: name.clone(), issuer_canonical: name, ..certificate }
});
