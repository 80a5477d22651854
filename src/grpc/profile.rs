//! The gRPCs of a Ray cluster, and by which rules each generation of gRPC judges.
//!
//! The rules that changed are in [`CHANGES`], one line each. For a new gRPC see `docs/grpc-verdicts.md`.

use std::fmt;
use std::str::FromStr;

/// One gRPC, as a set of switches for the rules of this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which gRPC of a Ray process it is.
    pub stack: Stack,
    /// Its version.
    pub version: Version,
    /// How its rules are known.
    pub basis: Basis,
    /// How it holds trusted certificates of one name.
    pub store_order: StoreOrder,
    /// Before the core's name rule it asks the one of gRPC's TLS credentials.
    pub tls_name_rule: bool,
    /// Which types of values it reads in names and in names of other kinds.
    pub value_types: ValueTypes,
    /// Dates have to be dates; before, malformed ones were read and refused on a path, and the 31st of every month counted.
    pub strict_times: bool,
    /// It looks at policies.
    pub judges_policies: bool,
    /// After the blank line behind BEGIN, blank lines and lines of any width are read in PEM.
    pub loose_pem: bool,
    /// The leaf's nsCertType has to allow the role.
    pub netscape_type: bool,
    /// An excluded DNS constraint also hits a wildcard name that could stand for it.
    pub wildcard_exclusion: bool,
    /// A dot at the end of a DNS name or constraint does not count when they are compared.
    pub constraint_dot: bool,
    /// An excluded e-mail constraint is compared with the addresses in the subject without regard to case.
    pub email_case: bool,
    /// It loads a leaf with a P-224 key; no peer accepts it all the same.
    pub loads_p224: bool,
    /// An IP name that is not 4 or 16 octets long, or a first common name that is no text, ends the process of whoever serves
    /// with it or verifies it.
    pub aborts_on_bad_ip: bool,
    /// Refusals carry BoringSSL's reason: `CERTIFICATE_VERIFY_FAILED: certificate has expired`.
    pub prints_reason: bool,
    /// Servers name the CAs that they trust to their clients.
    pub sends_ca_names: bool,
    /// A trust file without a byte loads, and nothing is trusted. Ray's core never hands an empty one to gRPC.
    pub loads_empty_trust: bool,
}

/// The two gRPCs of a Ray process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stack {
    /// The one linked into Ray's C++ core.
    Core,
    /// The grpcio package of Ray's Python processes.
    Python,
}

/// How a store holds trusted certificates whose subjects are equal; the first that fits is the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOrder {
    /// In the order of the file. Above some number of certificates the sort is not a stable one.
    File,
    /// As a heap sort before every insertion leaves them.
    HeapSort,
}

/// Which types of values a gRPC reads where the standard allows many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueTypes {
    /// In names only those of a list; elsewhere any.
    Listed,
    /// Any.
    Any,
    /// Any; but types that are made of others have to be constructed, and no part of a name may be empty.
    Strict,
}

/// A version of gRPC or Ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

/// How it is known by which rules a gRPC judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A package of that minor version was run against the situations that tell generations apart.
    Measured,
    /// It lies between two measured versions, and no package of it was published.
    Between,
    /// It is older or newer than every measured version, and judged as the nearest one.
    Outside,
    /// It is what the newest Ray holds of which that is known; the Ray that was asked for is newer.
    Supposed,
}

/// The Ray that is judged where nothing names another.
pub const RAY: &str = "2.60";

/// Both gRPCs of a Ray cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profiles {
    /// The C++ core's.
    pub core: Profile,
    /// Python's.
    pub python: Profile,
}

impl Profile {
    /// The C++ core of Ray [`RAY`].
    pub fn core() -> Profile {
        Profile::of(Stack::Core, CORE)
    }

    /// The grpcio package that comes with Ray 2.60.
    pub fn python() -> Profile {
        Profile::of(Stack::Python, PYTHON)
    }

    /// The C++ core of a Ray version, `2.60` or `2.60.0`.
    ///
    /// # Errors
    /// One sentence, when the text is no version, or it is not known which gRPC that Ray holds.
    pub fn core_of_ray(version: &str) -> Result<Profile, String> {
        let wanted = version.parse()?;
        let oldest = RAYS.first().map_or(wanted, |ray| ray.since);
        match RAYS.iter().rev().find(|ray| ray.since <= wanted) {
            Some(ray) => {
                let known = Profile::of(Stack::Core, ray.grpc);
                let basis = if wanted > NEWEST { Basis::Supposed } else { known.basis };
                Ok(Profile { basis, ..known })
            }
            None => Err(format!("which gRPC Ray {wanted} holds is not known; {oldest} is the oldest that is")),
        }
    }

    /// A grpcio package, `1.85.1`.
    ///
    /// # Errors
    /// One sentence, when the text is no version.
    pub fn of_grpcio(version: &str) -> Result<Profile, String> {
        version.parse().map(|version| Profile::of(Stack::Python, version))
    }

    /// Whether it judges as another one does.
    pub fn has_rules_of(&self, other: &Profile) -> bool {
        *self == Profile { version: self.version, basis: self.basis, ..*other }
    }

    /// One gRPC of a version.
    pub fn of(stack: Stack, version: Version) -> Profile {
        let has = |switch: Switch| {
            CHANGES.iter().rev().find(|change| change.switch == switch && change.first <= version).map(|c| c.now)
        };
        let on = |switch| has(switch).unwrap_or(false);
        Profile {
            stack,
            version,
            basis: basis(version),
            store_order: if on(Switch::HeapSort) { StoreOrder::HeapSort } else { StoreOrder::File },
            tls_name_rule: stack == Stack::Python && on(Switch::TlsNameRule),
            value_types: match (on(Switch::StrictValues), on(Switch::AnyValueType)) {
                (true, _) => ValueTypes::Strict,
                (false, true) => ValueTypes::Any,
                (false, false) => ValueTypes::Listed,
            },
            strict_times: on(Switch::StrictTimes),
            judges_policies: on(Switch::JudgesPolicies),
            loose_pem: on(Switch::LoosePem),
            netscape_type: has(Switch::NetscapeType).unwrap_or(true),
            wildcard_exclusion: on(Switch::WildcardExclusion),
            constraint_dot: on(Switch::ConstraintDot),
            email_case: on(Switch::EmailCase),
            loads_p224: has(Switch::LoadsP224).unwrap_or(true),
            aborts_on_bad_ip: has(Switch::AbortsOnBadIp).unwrap_or(true),
            prints_reason: on(Switch::PrintsReason),
            sends_ca_names: has(Switch::SendsCaNames).unwrap_or(true),
            loads_empty_trust: stack == Stack::Core || on(Switch::LoadsEmptyTrust),
        }
    }
}

impl Default for Profiles {
    /// Those of Ray 2.60.
    fn default() -> Self {
        Profiles { core: Profile::core(), python: Profile::python() }
    }
}

/// Dotted numbers, of which those left out are 0; what follows a third number (`rc1`, `.post1`) is not looked at.
impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no version: it must be like 2.60 or 1.85.1");
        let mut parts = [0; 3];
        for (at, part) in text.splitn(3, '.').enumerate() {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (digits, rest) = part.split_at(end);
            if digits.is_empty() || !rest.is_empty() && at < 2 {
                return Err(wrong());
            }
            parts[at] = digits.parse().map_err(|_| wrong())?;
        }
        Ok(Version(parts[0], parts[1], parts[2]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// `grpcio 1.85.1 (measured)`.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.stack {
            Stack::Core => "gRPC",
            Stack::Python => "grpcio",
        };
        write!(f, "{name} {} ({})", self.version, self.basis)
    }
}

/// One clause.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Basis::Measured => "measured",
            Basis::Between => "between two measured versions",
            Basis::Supposed => "supposed: which gRPC this Ray holds is not known, so that of Ray 2.60 judges",
            Basis::Outside => "not measured: judged as the nearest version that was",
        })
    }
}

const CORE: Version = Version(1, 58, 0);
const PYTHON: Version = Version(1, 85, 1);

/// A rule that one gRPC has and another has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    AbortsOnBadIp,
    AnyValueType,
    ConstraintDot,
    EmailCase,
    HeapSort,
    JudgesPolicies,
    LoadsEmptyTrust,
    LoadsP224,
    LoosePem,
    NetscapeType,
    PrintsReason,
    SendsCaNames,
    StrictTimes,
    StrictValues,
    TlsNameRule,
    WildcardExclusion,
}

/// When a rule changed: what it is from `first` on. `last` is the last version that was seen without the change; between the
/// two no version was published as a package, or they are neighbours.
struct Change {
    switch: Switch,
    now: bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "the record of what was measured; a test reads it"))]
    last: Version,
    first: Version,
}

/// Every change that was found, oldest first. All were measured with the grpcio packages named here.
const CHANGES: [Change; 17] = [
    Change { switch: Switch::StrictTimes, now: true, last: Version(1, 53, 2), first: Version(1, 54, 3) },
    Change { switch: Switch::JudgesPolicies, now: true, last: Version(1, 54, 3), first: Version(1, 55, 3) },
    // The store was sorted by qsort before; BoringSSL of 2023-06.
    Change { switch: Switch::HeapSort, now: true, last: Version(1, 56, 2), first: Version(1, 57, 0) },
    // BoringSSL of 2024-01.
    Change { switch: Switch::NetscapeType, now: false, last: Version(1, 61, 3), first: Version(1, 62, 3) },
    Change { switch: Switch::PrintsReason, now: true, last: Version(1, 68, 1), first: Version(1, 69, 0) },
    Change { switch: Switch::AnyValueType, now: true, last: Version(1, 72, 2), first: Version(1, 73, 1) },
    Change { switch: Switch::SendsCaNames, now: false, last: Version(1, 74, 0), first: Version(1, 75, 1) },
    // `ssl_channel_credentials` makes TLS credentials with a verifier of host names.
    Change { switch: Switch::TlsNameRule, now: true, last: Version(1, 76, 0), first: Version(1, 78, 0) },
    Change { switch: Switch::AbortsOnBadIp, now: false, last: Version(1, 81, 2), first: Version(1, 82, 0) },
    Change { switch: Switch::LoadsEmptyTrust, now: true, last: Version(1, 83, 0), first: Version(1, 84, 0) },
    // BoringSSL of 2026: `std::sort` instead of the heap sort, and new name constraints.
    Change { switch: Switch::HeapSort, now: false, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::WildcardExclusion, now: true, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::ConstraintDot, now: true, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::EmailCase, now: true, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::StrictValues, now: true, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::LoosePem, now: true, last: Version(1, 84, 2), first: Version(1, 85, 0) },
    Change { switch: Switch::LoadsP224, now: false, last: Version(1, 84, 2), first: Version(1, 85, 0) },
];

/// Minor versions of gRPC 1 of which a package was run: 1.77 and 1.79 never were one.
const MEASURED: [u16; 35] = [
    49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 78,
    80, 81, 82, 83, 84, 85,
];

/// A Ray version and the gRPC in its C++ core.
struct Ray {
    since: Version,
    grpc: Version,
}

/// Oldest first. Read from the published wheels of 2.4.0 to 2.60.0: `_raylet.so` holds the version of gRPC's own core, 24.0.0
/// in gRPC 1.46, 28.0.0 in 1.50, 34.0.0 in 1.57 and 35.0.0 in 1.58. The core of 2.60 was measured too.
const RAYS: [Ray; 4] = [
    Ray { since: Version(2, 4, 0), grpc: Version(1, 46, 0) },
    Ray { since: Version(2, 7, 0), grpc: Version(1, 50, 0) },
    Ray { since: Version(2, 9, 0), grpc: Version(1, 57, 0) },
    Ray { since: Version(2, 55, 0), grpc: CORE },
];

/// The newest of those wheels, with any patch release.
const NEWEST: Version = Version(2, 60, u16::MAX);

fn basis(version: Version) -> Basis {
    let Version(major, minor, _) = version;
    let (oldest, newest) = (MEASURED[0], MEASURED[MEASURED.len() - 1]);
    if major != 1 || !(oldest..=newest).contains(&minor) {
        Basis::Outside
    } else if MEASURED.contains(&minor) {
        Basis::Measured
    } else {
        Basis::Between
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: &str) -> Profile {
        Profile::of_grpcio(version).unwrap()
    }

    #[test]
    fn versions_are_dotted_numbers() {
        assert_eq!("2.60".parse(), Ok(Version(2, 60, 0)));
        assert_eq!("1.85.1".parse(), Ok(Version(1, 85, 1)));
        assert_eq!("1.86.0rc1".parse(), Ok(Version(1, 86, 0)));
        assert_eq!("2".parse(), Ok(Version(2, 0, 0)));
        for text in ["", "latest", "1.", "1.x", "1.8x.1", "-1.2", "1.99999999", " 1.2", "v1.2"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_change_lies_between_its_two_versions() {
        for change in &CHANGES {
            assert!(change.last < change.first, "{}", change.first);
            let of = |version| format!("{:?}", Profile { version: CORE, ..Profile::of(Stack::Python, version) });
            assert_ne!(of(change.last), of(change.first), "nothing changes at {}", change.first);
        }
        assert!(CHANGES.is_sorted_by_key(|change| change.first));
    }

    #[test]
    fn the_two_of_ray_2_60_differ_where_it_was_measured() {
        let (core, python) = (Profile::core(), Profile::python());
        assert_eq!((core.store_order, python.store_order), (StoreOrder::HeapSort, StoreOrder::File));
        assert!(core.netscape_type && !python.netscape_type);
        assert!(!core.tls_name_rule && python.tls_name_rule);
        assert!(!core.prints_reason && python.prints_reason);
        assert!(core.aborts_on_bad_ip && !python.aborts_on_bad_ip);
        assert!(core.loads_empty_trust && python.loads_empty_trust);
        assert_eq!((core.basis, python.basis), (Basis::Measured, Basis::Measured));
    }

    #[test]
    fn a_generation_between_them_has_rules_of_both() {
        let django = python("1.76.0");
        assert_eq!(django.store_order, StoreOrder::HeapSort);
        assert!(!django.tls_name_rule && !django.netscape_type && !django.sends_ca_names && django.prints_reason);
        assert!(!django.loads_empty_trust && python("1.84.0").loads_empty_trust);
        assert_eq!(python("1.56.2").store_order, StoreOrder::File);
        assert!(!Profile::of(Stack::Core, Version(1, 85, 1)).tls_name_rule, "the core has no such credentials");
    }

    #[test]
    fn what_was_not_measured_is_marked() {
        assert_eq!(python("1.77.0").basis, Basis::Between);
        assert_eq!(python("1.85.2").basis, Basis::Measured);
        assert_eq!(python("1.99.0").basis, Basis::Outside);
        assert_eq!(python("1.48.2").basis, Basis::Outside);
        assert_eq!(python("2.0.0").basis, Basis::Outside);
    }

    #[test]
    fn ray_versions_lead_to_the_grpc_of_their_core() {
        let grpc = |ray| Profile::core_of_ray(ray).map(|profile| profile.version);
        assert_eq!(grpc("2.60"), Ok(Version(1, 58, 0)));
        assert_eq!(grpc("2.54.0"), Ok(Version(1, 57, 0)));
        assert_eq!(grpc("2.8.1"), Ok(Version(1, 50, 0)));
        let basis = |ray| Profile::core_of_ray(ray).map(|profile| profile.basis);
        assert_eq!(basis("2.60.1"), Ok(Basis::Measured));
        assert_eq!((basis("2.61"), grpc("3.0")), (Ok(Basis::Supposed), Ok(Version(1, 58, 0))));
        assert!(grpc("1.13.0").unwrap_err().contains("2.4.0"));
        assert!(grpc("nightly").unwrap_err().contains("no version"));
    }
}
