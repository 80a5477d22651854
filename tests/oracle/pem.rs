//! PEM as tools write it, and otherwise.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One block, lines of 64 characters.
pub(crate) fn block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    lines.extend(text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()));
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

/// A file of certificates.
pub(crate) fn certificates<'a>(ders: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
    ders.into_iter().map(|der| block("CERTIFICATE", der)).collect()
}
