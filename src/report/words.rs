use std::borrow::Cow;

use super::Subject;
use crate::grpc::verdict::Fault;
use crate::judge::{Failure, Side};
use crate::ray::{Address, Port};

/// Text from outside, fit for a terminal: control characters, and characters that turn the direction of
/// writing, are shown as `\u{…}`. Names in certificates and objects are hostile.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if harmful(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// As [`clean`], line by line.
pub(super) fn clean_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(clean)
}

/// A subject for people: `Secret ray/ray-tls key tls.crt (rendered.yaml:12)`.
pub struct Place<'a>(pub &'a Subject);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Subject { kind, namespace, name, key, file, line } = self.0;
        write!(f, "{}", clean(kind))?;
        match namespace.as_deref() {
            None | Some("") => write!(f, " {}", clean(name))?,
            Some(ns) => write!(f, " {}/{}", clean(ns), clean(name))?,
        }
        if let Some(key) = key {
            write!(f, " key {}", clean(key))?;
        }
        match (file.as_deref(), line) {
            // A subject that is a file need not say its path twice.
            (Some(file), None) if file == name => Ok(()),
            (Some(file), Some(line)) => write!(f, " ({}:{line})", clean(file)),
            (Some(file), None) => write!(f, " ({})", clean(file)),
            (None, _) => Ok(()),
        }
    }
}

/// The ports of a node that Ray chooses.
pub(super) const NODE_PORTS: &str = "node ports";

pub(super) fn address(address: &Address) -> String {
    match address {
        Address::Typed(host) => host.clone(),
        Address::Loopback => "127.0.0.1".into(),
        Address::Unnamed => "any name".into(),
        Address::PodIps(ips) => match ips.as_ref() {
            [] => "pod IP".into(),
            [one] => one.to_string(),
            [one, two] => format!("{one}, {two}"),
            [one, .., last] => format!("{one} … {last} ({} pod IPs)", ips.len()),
        },
    }
}

pub(super) fn port(port: Port) -> (Option<u16>, String) {
    match port {
        Port::Gcs(number) | Port::Client(number) | Port::Node(Some(number)) => (Some(number), number.to_string()),
        Port::Node(None) => (None, NODE_PORTS.into()),
        Port::Session => (None, "23000-23999".into()),
        Port::Any => (None, "any port".into()),
    }
}

pub(super) fn because(failure: &Failure) -> String {
    match failure {
        Failure::Grpc(reason) => match &reason.words {
            Some(words) if !reason.text.contains(words.as_str()) => format!("{} (gRPC: {words})", reason.text),
            _ => reason.text.clone(),
        },
        other => other.text(),
    }
}

pub(super) fn short(failure: &Failure) -> &'static str {
    match failure {
        Failure::Grpc(reason) => match reason.fault {
            Fault::BadSignature => "bad signature",
            Fault::CaDates => "CA dates",
            Fault::CaUse => "CA use",
            Fault::Expired => "expired",
            Fault::KeyKind => "key kind",
            Fault::KeyUsage => "key usage",
            Fault::Load => "cannot load",
            Fault::Name => "name",
            Fault::NotYetValid => "not yet valid",
            Fault::TooLong => "too long",
            Fault::Purpose => "purpose",
            Fault::UnknownIssuer => "unknown CA",
            Fault::Other => "chain",
        },
        Failure::Switches { tls: Side::Dialer } => "plaintext target",
        Failure::Switches { tls: Side::Target } => "plaintext dialer",
        Failure::File { .. } => "file",
        Failure::Port(_) => "port",
        Failure::NotRunning(_) => "not running",
    }
}

fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_shown() {
        assert_eq!(clean("ray\u{1b}[31m\nx"), "ray\\u{1b}[31m\\nx");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(clean("ray-head, Größe …"), "ray-head, Größe …");
    }
}
