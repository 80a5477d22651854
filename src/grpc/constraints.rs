//! Name constraints: which names the CAs of a path allow below them.

use super::certificate::{Certificate, Name};
use super::der::{self, INTEGER, Reader, SEQUENCE};
use super::extensions;
use super::path;
use super::profile::Profile;
use super::value::Notes;

/// The nameConstraints of a CA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// A name of a kind that occurs here must match one of its kind.
    pub permitted: Vec<Subtree>,
    /// A name must match none of these.
    pub excluded: Vec<Subtree>,
}

/// One constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// What names are compared with.
    pub base: Base,
    /// Whether it has a minimum or a maximum, which gRPC refuses as soon as a name of its kind occurs.
    pub is_bounded: bool,
}

/// What a constraint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// directoryName, in its canonical form.
    Directory(Vec<u8>),
    /// dNSName, `ray.local` or `.ray.local`.
    Dns(String),
    /// rfc822Name, `ray@host`, `host` or `.domain`.
    Email(String),
    /// Another kind, by the tag of the GeneralName; iPAddress is 0x87. gRPC compares none of these.
    Unsupported(u8),
    /// uniformResourceIdentifier: a host or `.domain`.
    Uri(String),
}

/// The names of a certificate that only name constraints look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constrained {
    /// Number of attributes in the subject.
    pub attributes: usize,
    /// Common names of the subject; none for one that is no text.
    pub common_names: Vec<Option<String>>,
    /// E-mail addresses of the subject; none for one that is no IA5String.
    pub emails: Vec<Option<String>>,
    /// directoryName alternatives, in their canonical form.
    pub directories: Vec<Vec<u8>>,
    /// Tags of the alternative names of further kinds.
    pub others: Vec<u8>,
}

/// Why a constraint refuses a certificate.
pub(super) struct Violation<'a> {
    /// The certificate that is refused.
    pub certificate: &'a Certificate,
    /// The CA whose constraints they are.
    pub ca: &'a Certificate,
    /// One clause.
    pub what: String,
    /// BoringSSL's words, where known.
    pub words: Option<&'static str>,
}

/// Judges every certificate of a path (leaf first) by the constraints of all CAs above it, trusted ones included.
/// `Ok(Some)` is one clause on what is not decided.
pub(super) fn check<'a>(path: &[&'a Certificate], profile: Profile) -> Result<Option<String>, Box<Violation<'a>>> {
    let mut unknown = None;
    let mut is_constrained = None;
    let mut budget = COMPARISONS;
    for (at, &certificate) in path.iter().enumerate() {
        if at > 0 && path::is_self_issued(certificate) {
            continue;
        }
        for &ca in path.iter().skip(at + 1) {
            let Some(constraints) = &ca.constraints else { continue };
            is_constrained = Some(ca);
            let violation = |(what, words)| Box::new(Violation { certificate, ca, what, words });
            let names = certificate.constrained.attributes + certificate.names.as_ref().map_or(0, Vec::len);
            let checks = names.saturating_mul(constraints.permitted.len() + constraints.excluded.len());
            if checks > LIMIT {
                return Err(violation(("too many names and constraints to compare".into(), None)));
            }
            let Some(left) = budget.checked_sub(checks) else {
                return Ok(Some("the name constraints of the path take too many comparisons".into()));
            };
            budget = left;
            for name in names_of(certificate) {
                match constraints.allow(name, profile) {
                    Answer::Yes => {}
                    Answer::No(words) => {
                        return Err(violation((format!("{} is {}", name.text(), why(words)), Some(words))));
                    }
                    Answer::Unknown => {
                        unknown = Some(format!("{} below the name constraints of {}", name.text(), ca.subject));
                    }
                }
            }
        }
    }
    let (Some(ca), Some(&leaf)) = (is_constrained, path.first()) else { return Ok(unknown) };
    if leaf.names.is_some() {
        return Ok(unknown);
    }
    for name in &leaf.constrained.common_names {
        match name {
            Some(name) if looks_like_dns(name) => {
                return Err(Box::new(Violation {
                    certificate: leaf,
                    ca,
                    what: format!("it has no subjectAltName, and its CN {name} looks like a DNS name"),
                    words: Some("Issuer has name constraints but leaf has no SANs"),
                }));
            }
            Some(_) => {}
            None => unknown = Some(format!("the CN of {} below name constraints", leaf.subject)),
        }
    }
    Ok(unknown)
}

/// Reads the value of the extension.
pub(super) fn read(value: &[u8], notes: &mut Notes) -> Result<Constraints, String> {
    let mut reader = der::only(value, SEQUENCE, "nameConstraints")?;
    let permitted = subtrees(reader.optional(0xa0, "permittedSubtrees")?.map(|list| list.content), notes)?;
    let excluded = subtrees(reader.optional(0xa1, "excludedSubtrees")?.map(|list| list.content), notes)?;
    reader.end("nameConstraints")?;
    Ok(Constraints { permitted, excluded })
}

/// Names times constraints of one CA above which gRPC refuses.
const LIMIT: usize = 1 << 20;

/// Comparisons for a whole path.
const COMPARISONS: usize = 1 << 22;

const PERMITTED: &str = "permitted subtree violation";
const EXCLUDED: &str = "excluded subtree violation";
const BOUNDED: &str = "name constraints minimum and maximum not supported";
const KIND: &str = "unsupported name constraint type";
const SYNTAX: &str = "unsupported or invalid name syntax";

fn why(words: &str) -> &'static str {
    match words {
        PERMITTED => "not among the names it permits",
        EXCLUDED => "among the names it excludes",
        BOUNDED => "under a constraint with a minimum or maximum, which gRPC does not take",
        KIND => "of a kind whose constraints gRPC does not take, so that even a permitted one is refused",
        _ => "not in a form that gRPC can compare with its constraints",
    }
}

fn subtrees(list: Option<&[u8]>, notes: &mut Notes) -> Result<Vec<Subtree>, String> {
    let mut reader = Reader::new(list.unwrap_or_default());
    let mut subtrees = Vec::new();
    while !reader.is_empty() {
        let mut subtree = Reader::new(reader.expect(SEQUENCE, "a constraint")?.content);
        let base = subtree.any()?;
        let base = extensions::general_names(Reader::new(base.whole), notes)?
            .into_iter()
            .next()
            .ok_or("a constraint without a name")?;
        let minimum = subtree.optional(0x80, "minimum")?;
        let maximum = subtree.optional(0x81, "maximum")?;
        subtree.end("a constraint")?;
        for bound in [minimum, maximum].into_iter().flatten() {
            der::integer(der::Element { tag: INTEGER, ..bound }, "a bound")?;
        }
        subtrees.push(Subtree {
            is_bounded: minimum.is_some() || maximum.is_some(),
            base: match (base.name, base.directory) {
                (Name::Dns(text), _) => Base::Dns(text),
                (Name::Email(text), _) => Base::Email(text),
                (Name::Uri(text), _) => Base::Uri(text),
                (_, Some(canonical)) => Base::Directory(canonical),
                _ => Base::Unsupported(base.tag),
            },
        });
    }
    Ok(subtrees)
}

enum Answer {
    Yes,
    No(&'static str),
    Unknown,
}

#[derive(Clone, Copy)]
enum Subject<'a> {
    Directory(&'a [u8]),
    Dns(&'a str),
    /// An address, and whether it stands in the subject.
    Email(&'a str, bool),
    /// An address in the subject that is no IA5String.
    NoEmail,
    Unsupported(u8),
    Uri(&'a str),
}

impl Subject<'_> {
    fn text(&self) -> String {
        match self {
            Subject::Directory(_) => "its subject or a directory name".into(),
            Subject::Dns(text) => format!("DNS:{}", text.escape_debug()),
            Subject::Email(text, _) => format!("email:{}", text.escape_debug()),
            Subject::NoEmail => "an e-mail address in its subject".into(),
            Subject::Unsupported(0x87) => "an IP name".into(),
            Subject::Unsupported(_) => "a name of another kind".into(),
            Subject::Uri(text) => format!("URI:{}", text.escape_debug()),
        }
    }
}

/// In the order in which gRPC looks at them.
fn names_of(certificate: &Certificate) -> impl Iterator<Item = Subject<'_>> {
    let constrained = &certificate.constrained;
    let subject = (constrained.attributes > 0).then_some(Subject::Directory(&certificate.subject_canonical));
    let emails = constrained.emails.iter().map(|email| match email {
        Some(text) => Subject::Email(text, true),
        None => Subject::NoEmail,
    });
    let alternatives = certificate.names.iter().flatten().filter_map(|name| match name {
        Name::Dns(text) => Some(Subject::Dns(text)),
        Name::Email(text) => Some(Subject::Email(text, false)),
        Name::Ip(_) => Some(Subject::Unsupported(0x87)),
        Name::Other => None,
        Name::Uri(text) => Some(Subject::Uri(text)),
    });
    let directories = constrained.directories.iter().map(|name| Subject::Directory(name));
    let others = constrained.others.iter().map(|tag| Subject::Unsupported(*tag));
    subject.into_iter().chain(emails).chain(alternatives).chain(directories).chain(others)
}

impl Constraints {
    fn allow(&self, name: Subject<'_>, profile: Profile) -> Answer {
        if let Subject::NoEmail = name {
            return Answer::No(SYNTAX);
        }
        let mut permitted = None;
        let mut is_unknown = false;
        for subtree in &self.permitted {
            match subtree.compare(name, profile, false) {
                Compared::OtherKind => continue,
                Compared::Refused(words) if permitted != Some(true) || words == BOUNDED => return Answer::No(words),
                Compared::Match => permitted = Some(true),
                Compared::Unknown if permitted != Some(true) => is_unknown = true,
                Compared::NoMatch | Compared::Refused(_) | Compared::Unknown => _ = permitted.get_or_insert(false),
            }
        }
        if permitted == Some(false) && !is_unknown {
            return Answer::No(PERMITTED);
        }
        for subtree in &self.excluded {
            match subtree.compare(name, profile, true) {
                Compared::OtherKind | Compared::NoMatch => {}
                Compared::Refused(words) => return Answer::No(words),
                Compared::Match => return Answer::No(EXCLUDED),
                Compared::Unknown => is_unknown = true,
            }
        }
        if is_unknown { Answer::Unknown } else { Answer::Yes }
    }
}

enum Compared {
    OtherKind,
    Match,
    NoMatch,
    /// Refused whatever the other constraints say.
    Refused(&'static str),
    Unknown,
}

impl Subtree {
    fn compare(&self, name: Subject<'_>, profile: Profile, is_excluding: bool) -> Compared {
        let compared = match (&self.base, name) {
            (Base::Directory(base), Subject::Directory(name)) => matches(name.starts_with(base)),
            (Base::Dns(base), Subject::Dns(name)) => dns(name, base, profile, is_excluding),
            (Base::Email(base), Subject::Email(name, is_subject)) => {
                email(name, base, is_subject && is_excluding && profile.email_case)
            }
            (Base::Uri(base), Subject::Uri(name)) if profile.constraint_dot => uri_by_parts(name, base),
            (Base::Uri(base), Subject::Uri(name)) => uri(name, base),
            (Base::Unsupported(base), Subject::Unsupported(name)) if *base == name => Compared::Refused(KIND),
            _ => return Compared::OtherKind,
        };
        if self.is_bounded { Compared::Refused(BOUNDED) } else { compared }
    }
}

fn matches(is_match: bool) -> Compared {
    if is_match { Compared::Match } else { Compared::NoMatch }
}

fn dns(name: &str, base: &str, profile: Profile, is_excluding: bool) -> Compared {
    if base.is_empty() {
        return Compared::Match;
    }
    if !profile.constraint_dot {
        return matches(is_in_domain(name, base, profile, is_excluding));
    }
    let [name, base] = [name, base].map(without_dot);
    matches(is_in_domain(name, base, profile, is_excluding))
}

/// Without one dot at its end.
fn without_dot(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

fn is_in_domain(name: &str, base: &str, profile: Profile, is_excluding: bool) -> bool {
    // `*.ray.local` could be the excluded `node1.ray.local`.
    if is_excluding
        && profile.wildcard_exclusion
        && let (Some(parent), Some((_, rest))) = (name.strip_prefix("*."), base.split_once('.'))
        && parent.eq_ignore_ascii_case(rest)
    {
        return true;
    }
    ends_with(name, base) && (base.starts_with('.') || is_whole_label(name, base))
}

/// Whether what `base` leaves of a longer `name` ends in a dot.
fn is_whole_label(name: &str, base: &str) -> bool {
    let before = name.len().checked_sub(base.len() + 1).and_then(|at| name.as_bytes().get(at));
    name.len() == base.len() || before == Some(&b'.')
}

fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|at| name.as_bytes().get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
}

/// What the generations of BoringSSL read differently, unusual characters and misplaced `@`, is not decided.
fn email(name: &str, base: &str, ignores_case: bool) -> Compared {
    let Some((local, host)) = name.split_once('@') else { return Compared::Refused(SYNTAX) };
    let (base_local, base_host) = match base.split_once('@') {
        Some((local, host)) => (Some(local), host),
        None => (None, base),
    };
    let is_local = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte))
    };
    let is_host =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if !is_local(local) || !is_host(host) || !base_local.is_none_or(is_local) || !is_host(base_host) {
        return Compared::Unknown;
    }
    match base_local {
        None if base_host.starts_with('.') => matches(ends_with(host, base_host)),
        None => matches(host.eq_ignore_ascii_case(base_host)),
        Some(_) if !host.eq_ignore_ascii_case(base_host) => Compared::NoMatch,
        Some(base_local) if ignores_case => matches(local.eq_ignore_ascii_case(base_local)),
        Some(base_local) => matches(local == base_local),
    }
}

/// The host is what stands between `://` and the first colon, or else the first slash.
fn uri(name: &str, base: &str) -> Compared {
    let Some(rest) = name.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//")) else {
        return Compared::Refused(SYNTAX);
    };
    let host = match (rest.split_once(':'), rest.split_once('/')) {
        (Some((host, _)), _) | (None, Some((host, _))) => host,
        (None, None) => rest,
    };
    if host.is_empty() {
        return Compared::Refused(SYNTAX);
    }
    if base.starts_with('.') {
        return matches(ends_with(host, base));
    }
    matches(host.eq_ignore_ascii_case(base))
}

/// As the gRPC of 2026 reads it: a query or a fragment ends the host too, and a dot at its end does not count. Users, ports that
/// are no numbers and hosts that are no DNS names are not decided.
fn uri_by_parts(name: &str, base: &str) -> Compared {
    let Some(rest) = name.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//")) else {
        return Compared::Refused(SYNTAX);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if host.is_empty() {
        return Compared::Refused(SYNTAX);
    }
    let host = without_dot(host);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_name = |host: &str| {
        host.split('.').all(is_label) && host.rsplit('.').next().is_some_and(|top| !top.starts_with(char::is_numeric))
    };
    if !is_name(host) || !is_name(base.strip_prefix('.').unwrap_or(base)) || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Compared::Unknown;
    }
    match base.starts_with('.') {
        true => matches(ends_with(host, base)),
        false => matches(host.eq_ignore_ascii_case(base)),
    }
}

/// Letters, digits, `-` (not at the start of a label), `_` and `:` in labels that are not empty, after an optional `*.`.
fn looks_like_dns(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let name = name.strip_prefix("*.").unwrap_or(name);
    name.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte))
    })
}

#[cfg(test)]
mod tests;
