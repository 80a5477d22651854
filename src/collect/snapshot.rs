//! Evidence on disk: JSON, as it is.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read, Write};
use std::path::Path;

use super::disk::{self, Unread};
use crate::evidence::{Evidence, FORMAT};

/// Why a snapshot cannot be used. One sentence that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Writes the evidence as one line of JSON.
///
/// # Errors
/// When `to` does not take it.
pub fn write(evidence: &Evidence, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, evidence)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// Reads what [`write`] wrote, from a file or, for `-`, from `stdin`.
///
/// # Errors
/// When it cannot be read, is no snapshot, or one of a format that this program does not know. Older formats are read.
pub fn read(path: &Path, stdin: &mut dyn Read) -> Result<Evidence, Error> {
    let name = if path == Path::new("-") { "standard input".into() } else { path.to_string_lossy().into_owned() };
    let bytes = if path == Path::new("-") { disk::read_from(stdin) } else { disk::read(path) };
    let bytes = bytes.map_err(|unread| match unread {
        Unread::Missing => Error(format!("{name}: no such file")),
        Unread::Because(why) => Error(format!("{name}: {why}")),
    })?;
    let other = |what: &str| Error(format!("{name}: {what}; a snapshot is what `raytls snapshot` writes"));
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| other(&format!("not JSON (line {}, column {})", error.line(), error.column())))?;
    if value.get("kind").and_then(|kind| kind.as_str()) == Some("Report") {
        return Err(other("a report, not a snapshot"));
    }
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if (1..=u64::from(FORMAT)).contains(&format) => {}
        Some(format) if format > u64::from(FORMAT) => {
            let text =
                format!("{name}: a snapshot of format {format}, but this raytls knows {FORMAT}: use a newer raytls");
            return Err(Error(text));
        }
        Some(format) => return Err(other(&format!("a snapshot of format {format}, which is no longer read"))),
        None => return Err(other("JSON, but not a snapshot: it has no format")),
    }
    let evidence: Evidence =
        serde_json::from_value(value).map_err(|error| other(&format!("a damaged snapshot ({error})")))?;
    Ok(Evidence { format: FORMAT, ..evidence })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::collect::manifests;

    fn read_text(text: &str) -> Result<Evidence, String> {
        read(Path::new("-"), &mut text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_snapshot_read_back_is_the_same_evidence() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let paths: [PathBuf; 3] =
            ["django-ray/overlays_dev-tls.yaml", "django-ray/script-secret.yaml", "kuberay/ray-job.yaml"]
                .map(|name| fixtures.join(name));
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        let (evidence, _) = manifests::collect(&paths, &mut io::empty(), now).unwrap();
        let mut text = Vec::new();
        write(&evidence, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let back = read_text(&text).unwrap();
        assert_eq!(back, evidence);
        let mut again = Vec::new();
        write(&back, &mut again).unwrap();
        assert_eq!(String::from_utf8(again).unwrap(), text);
    }

    #[test]
    fn what_is_no_snapshot_is_told() {
        assert!(read_text("a: b").unwrap_err().starts_with("standard input: not JSON (line 1, column 1)"));
        assert!(read_text(r#"{"kind": "Report"}"#).unwrap_err().contains("a report, not a snapshot"));
        assert!(read_text("[]").unwrap_err().contains("has no format"));
        assert!(read_text(r#"{"format": 99}"#).unwrap_err().contains("use a newer raytls"));
        assert!(read_text(r#"{"format": 0}"#).unwrap_err().contains("no longer read"));
        assert!(read_text(r#"{"format": 1}"#).unwrap_err().contains("a damaged snapshot"));
        let missing = read(Path::new("no/such/file"), &mut io::empty()).unwrap_err();
        assert_eq!(missing.to_string(), "no/such/file: no such file");
    }
}
