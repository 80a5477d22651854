//! Values as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;
use jiff::{SignedDuration, Timestamp};

use super::{Format, HostPort, Output};
use crate::collect::cluster::is_name;

pub(super) fn output(text: &str) -> Result<Output, String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("no file after `=`".into()),
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let format =
        Format::from_str(name, false).map_err(|_| format!("no format `{name}`; there are table, short, json"))?;
    Ok(Output { format, file })
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let date = text.len() == "2027-01-31".len();
    let instant = if date { format!("{text}T00:00:00Z").parse() } else { text.parse() };
    instant.map_err(|_| {
        format!("`{text}` is no time; write 2027-01-31T00:00:00Z, 2027-01-31T00:00:00+01:00 or 2027-01-31")
    })
}

/// The host part of what is dialled.
pub(super) fn dialled_name(text: &str) -> Result<String, String> {
    let port = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    match text.split_once(':') {
        _ if text.is_empty() || text.contains('/') || text.chars().any(char::is_whitespace) => {
            Err(format!("`{text}` is no name; write ray-head-svc, 10.0.0.7 or fd00::7"))
        }
        Some((host, rest)) if !host.contains('[') && port(rest) => {
            Err(format!("`{text}` has a port, which no certificate knows; write {host}"))
        }
        // Brackets are there for a port.
        _ => Ok(text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).to_owned()),
    }
}

pub(super) fn object_name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` cannot be the name of an object: write small letters, digits, `-` and `.`")),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is no duration; write 30s, 2m or 1m30s"))?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() && duration <= Duration::from_secs(24 * 3600) => Ok(duration),
        _ => Err("a duration is more than nothing and at most a day".into()),
    }
}

pub(super) fn host_port(text: &str) -> Result<HostPort, String> {
    let wrong = || format!("`{text}` is not HOST:PORT; write 10.0.0.7:6379, ray-head:10001 or [fd00::7]:6379");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 || host.chars().any(|c| c.is_whitespace() || c == '/') {
        return Err(wrong());
    }
    Ok(HostPort { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(host_port("a:1"), Ok(HostPort { host: "a".into(), port: 1 }));
        assert_eq!(host_port("[::1]:6379"), Ok(HostPort { host: "::1".into(), port: 6379 }));
        for bad in ["a", "a:", "a:0", ":1", "::1:1", "[::1:1", "ray://a:1", "a:70000", ""] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        let second = |text| time(text).map(|t| t.to_string());
        assert_eq!(second("2027-01-31"), Ok("2027-01-31T00:00:00Z".into()));
        assert_eq!(second("2027-01-31T00:00:00+01:00"), Ok("2027-01-30T23:00:00Z".into()));
        for bad in ["", "2027-02-30", "2027-1-31", "tomorrow", "2027-01-31T00:00:00"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names() {
        for good in ["ray-head", "10.0.0.7", "fd00::7", "::1", "[::1]", "*.ray.local"] {
            assert_eq!(dialled_name(good), Ok(good.trim_matches(['[', ']']).into()));
        }
        for bad in ["", "ray://head", "ray-head:6379", "a b"] {
            assert!(dialled_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "5", "-5s", "0s", "2 days", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn outputs() {
        assert_eq!(output("json=a=b"), Ok(Output { format: Format::Json, file: Some("a=b".into()) }));
        assert!(output("json=").is_err());
        assert!(output("yaml").is_err());
    }
}
