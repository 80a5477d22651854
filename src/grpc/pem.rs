//! PEM as gRPC (BoringSSL) reads it.

use std::ops::ControlFlow;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::parsed::Parsed;
use super::profile::Profile;

/// Certificates in the order gRPC meets them, up to the first block it cannot read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Readable certificate blocks.
    pub blocks: Vec<Block>,
    /// Where and why the reading ended early. gRPC says nothing of it: what comes after is ignored.
    pub stopped: Option<Stop>,
    /// `-----BEGIN … CERTIFICATE` lines in the whole text, readable or not.
    pub begun: usize,
    /// How the gRPC of 2026 reads the file, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loose: Option<Box<Reading>>,
    /// What [`Reading::parsed`] has found.
    #[serde(skip)]
    pub known: Parsed,
}

/// One readable certificate block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// `CERTIFICATE`, `X509 CERTIFICATE` or `TRUSTED CERTIFICATE`.
    pub label: String,
    /// 1-based line of its BEGIN.
    pub line: u32,
    /// The DER, as base64.
    pub der: String,
}

/// The block that ended the reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// 1-based line.
    pub line: u32,
    /// What was found, one clause: `no END line`, `two blocks joined without a newline`, `not base64`.
    pub found: String,
}

/// Reads a file as gRPC does: blocks of other labels and text between blocks are skipped, a label must start in column 0,
/// and the first malformed block, of whatever label, ends the reading.
///
/// Whether the bytes of a block are a certificate is not looked at here.
pub fn read(bytes: &[u8]) -> Reading {
    let lines = Lines::new(until_nul(bytes));
    let [mut reading, mut loose] = [false, true].map(|is_loose| certificates(bytes, &lines, is_loose));
    if let Some(line) = line_of_nul(bytes) {
        for reading in [&mut reading, &mut loose] {
            reading.stopped.get_or_insert_with(|| Stop { line, found: "a NUL character, which ends the text".into() });
        }
    }
    Reading { loose: (loose != reading).then(|| Box::new(loose)), ..reading }
}

/// A private key: its label and its DER.
pub type KeyBlock = (String, Zeroizing<Vec<u8>>);

/// The first private key of a file as gRPC reads it: the label and the DER, or why there is none. None also when its
/// generations differ in it.
pub fn private_key(bytes: &[u8]) -> Option<Result<KeyBlock, &'static str>> {
    let lines = Lines::new(until_nul(bytes));
    let strict = first_key(&lines, false);
    (first_key(&lines, true) == strict).then_some(strict)
}

/// gRPC takes what it is given for a C string.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The line of the first NUL that has certificates behind it.
fn line_of_nul(bytes: &[u8]) -> Option<u32> {
    let (before, after) = bytes.split_at_checked(until_nul(bytes).len())?;
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    (begun(after) > 0).then(|| u32::try_from(lines + 1).unwrap_or(u32::MAX))
}

fn first_key(lines: &Lines<'_>, is_loose: bool) -> Result<KeyBlock, &'static str> {
    let mut at = 0;
    while let Some((_, label)) = next_begin(lines, &mut at) {
        let is_key = KEY_LABELS.contains(&label);
        match body(lines, &mut at, label, &KEY_LABELS, is_loose) {
            ControlFlow::Continue(der) if is_key => {
                return Ok((String::from_utf8_lossy(label).into_owned(), Zeroizing::new(der)));
            }
            ControlFlow::Continue(_) => {}
            ControlFlow::Break(found) => return Err(found),
        }
    }
    Err("no private key")
}

fn certificates(bytes: &[u8], lines: &Lines<'_>, is_loose: bool) -> Reading {
    let mut reading = Reading { begun: begun(bytes), ..Reading::default() };
    let mut at = 0;
    while let Some((begin, label)) = next_begin(lines, &mut at) {
        match body(lines, &mut at, label, &CERTIFICATE_LABELS, is_loose) {
            ControlFlow::Continue(der) if CERTIFICATE_LABELS.contains(&label) => reading.blocks.push(Block {
                label: String::from_utf8_lossy(label).into_owned(),
                line: begin,
                der: STANDARD.encode(der),
            }),
            ControlFlow::Continue(_) => {}
            ControlFlow::Break(found) => {
                reading.stopped = Some(Stop { line: begin, found: found.into() });
                break;
            }
        }
    }
    reading
}

impl Reading {
    /// The certificates of the blocks, up to the first that is none; parsed when they are first asked for.
    pub fn parsed(&self) -> Arc<[Certificate]> {
        self.known.of(&self.blocks)
    }

    /// As the gRPC of a profile reads it.
    pub(super) fn by(&self, profile: Profile) -> &Reading {
        self.loose.as_deref().filter(|_| profile.loose_pem).unwrap_or(self)
    }
}

impl Block {
    /// The DER bytes.
    ///
    /// # Errors
    /// One clause, when `der` is not base64 (it always is after [`read`], but may have been edited in a snapshot).
    pub fn to_der(&self) -> Result<Vec<u8>, String> {
        STANDARD.decode(&self.der).map_err(|error| format!("the block of line {} is not base64: {error}", self.line))
    }
}

const CERTIFICATE_LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"];

const KEY_LABELS: [&[u8]; 5] =
    [b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY"];

/// Bytes that one read of a line takes at most, its newline included; a longer line counts as several.
const LINE_MAX: usize = 253;

/// Width of a base64 line that is followed by another, after a blank line.
const FULL_LINE: usize = 64;

/// Padding is needed, bits behind the last octet are not looked at.
const DECODER: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Lines without blanks and control characters at their end, with their 1-based numbers.
struct Lines<'a>(Vec<(u32, &'a [u8])>);

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(
            bytes
                .split_inclusive(|byte| *byte == b'\n')
                .zip(1u32..)
                .flat_map(|(line, number)| line.chunks(LINE_MAX).map(move |part| (number, part)))
                .map(|(number, part)| (number, trim_end(part)))
                .collect(),
        )
    }

    fn next(&self, at: &mut usize) -> Option<(u32, &'a [u8])> {
        let line = self.0.get(*at).copied();
        *at += 1;
        line
    }
}

/// Bytes from 0x80 on count as below a blank too: on x86 they are negative (on ARM they are not, and stay).
fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte > b' ' && byte.is_ascii()).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

fn next_begin<'a>(lines: &Lines<'a>, at: &mut usize) -> Option<(u32, &'a [u8])> {
    loop {
        let (number, line) = lines.next(at)?;
        if let Some(label) = line.strip_prefix(b"-----BEGIN ").and_then(|rest| rest.strip_suffix(b"-----")) {
            return Some((number, label));
        }
    }
}

/// The bytes of the block whose BEGIN line was just read, or why it is malformed.
///
/// Lines up to a blank one are headers; without a blank one they are the base64.
fn body(
    lines: &Lines<'_>,
    at: &mut usize,
    label: &[u8],
    wanted: &[&[u8]],
    is_loose: bool,
) -> ControlFlow<&'static str, Vec<u8>> {
    let mut text = Vec::new();
    let mut last = None;
    let mut blank = false;
    while let Some((_, line)) = lines.next(at) {
        last = Some(line);
        if line.is_empty() {
            blank = true;
            break;
        }
        if is_end(line) {
            break;
        }
        text.extend_from_slice(line);
    }
    if blank {
        // Headers are read only in a block that is looked for, and there they mean a cipher.
        if !text.is_empty() && wanted.contains(&label) {
            return ControlFlow::Break("a blank line or headers inside the block");
        }
        text.clear();
        last = if is_loose { until_end(lines, at, &mut text) } else { after_blank(lines, at, &mut text) };
    }
    match last {
        Some(line) if is_end(line) => {
            let rest = line.strip_prefix(END).and_then(|rest| rest.strip_prefix(label));
            match rest {
                Some(b"-----") => {}
                Some(rest) if contains(rest, b"BEGIN ") => {
                    return ControlFlow::Break("two blocks joined without a newline");
                }
                _ => return ControlFlow::Break("an END line that does not match its BEGIN line"),
            }
        }
        _ if blank => return ControlFlow::Break("no END line where one must be"),
        _ => return ControlFlow::Break("no END line"),
    }
    text.retain(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    match DECODER.decode(&text) {
        Ok(der) if der.is_empty() => ControlFlow::Break("an empty block"),
        Ok(der) => ControlFlow::Continue(der),
        Err(_) => ControlFlow::Break("not base64"),
    }
}

const END: &[u8] = b"-----END ";

fn is_end(line: &[u8]) -> bool {
    line.starts_with(END)
}

/// Base64 after a blank line: lines of 64, the first of another width is the last. The line that should be the END line.
fn after_blank<'a>(lines: &Lines<'a>, at: &mut usize, text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (_, line) = lines.next(at)?;
        if is_end(line) || line.len() > FULL_LINE {
            return Some(line);
        }
        text.extend_from_slice(line);
        if line.len() < FULL_LINE {
            return lines.next(at).map(|(_, line)| line);
        }
    }
}

/// Base64 after a blank line, of any width and with further blank lines. The END line.
fn until_end<'a>(lines: &Lines<'a>, at: &mut usize, text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (_, line) = lines.next(at)?;
        if is_end(line) {
            return Some(line);
        }
        text.extend_from_slice(line);
    }
}

/// Places where a certificate block seems to begin, also where gRPC does not see it (indented, joined, four dashes).
fn begun(bytes: &[u8]) -> usize {
    const BEGIN: &[u8] = b"--BEGIN ";
    bytes
        .windows(BEGIN.len())
        .enumerate()
        .filter(|(at, window)| {
            *window == BEGIN
                && bytes.get(at + BEGIN.len()..).is_some_and(|rest| {
                    CERTIFICATE_LABELS
                        .iter()
                        .any(|label| rest.strip_prefix(*label).is_some_and(|rest| rest.starts_with(b"--")))
                })
        })
        .count()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    const TWO: &str = "-----BEGIN CERTIFICATE-----\nBAUG\n-----END CERTIFICATE-----\n";

    fn ders(text: &str) -> Vec<Vec<u8>> {
        read(text.as_bytes()).blocks.iter().map(|block| block.to_der().unwrap()).collect()
    }

    fn found(text: &str) -> String {
        read(text.as_bytes()).stopped.unwrap().found
    }

    #[test]
    fn text_and_other_blocks_between_certificates_are_skipped() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let text = format!("subject=CN=a\n{ONE}\nsome text\n{key}{TWO}");
        assert_eq!(ders(&text), [vec![1, 2, 3], vec![4, 5, 6]]);
        assert_eq!(read(text.as_bytes()).blocks[1].line, 10);
        assert_eq!(read(text.as_bytes()).stopped, None);
    }

    #[test]
    fn line_ends_blanks_and_widths_do_not_matter() {
        let long = STANDARD.encode([7; 900]);
        assert_eq!(ders(&ONE.replace('\n', "\r\n")), [vec![1, 2, 3]]);
        assert_eq!(ders(&ONE.replace('\n', "  \t\n")), [vec![1, 2, 3]]);
        assert_eq!(ders(ONE.trim_end()), [vec![1, 2, 3]]);
        assert_eq!(ders(&ONE.replace("AQID", &long)), [vec![7; 900]]);
    }

    #[test]
    fn what_does_not_start_in_column_0_is_not_seen() {
        for text in [
            format!("\u{feff}{ONE}"),
            ONE.lines().map(|line| format!("  {line}\n")).collect(),
            ONE.replace('\n', "\\n"),
            ONE.replace("-----", "----"),
        ] {
            assert_eq!(
                read(text.as_bytes()),
                Reading { begun: 1, ..Reading::default() },
                "{text:?} holds nothing that gRPC sees"
            );
        }
    }

    #[test]
    fn a_malformed_block_ends_the_reading_and_what_came_before_counts() {
        let broken = "-----BEGIN CERTIFICATE-----\nA*ID\n-----END CERTIFICATE-----\n";
        let text = format!("{ONE}{broken}{TWO}");
        assert_eq!(ders(&text), [vec![1, 2, 3]]);
        assert_eq!(read(text.as_bytes()).stopped, Some(Stop { line: 4, found: "not base64".into() }));
        assert_eq!(read(text.as_bytes()).begun, 3);
    }

    #[test]
    fn joined_blocks_lose_everything() {
        let text = format!("{}{TWO}", ONE.trim_end());
        assert_eq!(ders(&text), Vec::<Vec<u8>>::new());
        assert_eq!(found(&text), "two blocks joined without a newline");
        assert_eq!(read(text.as_bytes()).begun, 2);
    }

    /// As measured: what follows a NUL is not there, in both generations.
    #[test]
    fn a_nul_ends_the_text() {
        let text = format!("{ONE}\0\n{TWO}");
        assert_eq!(ders(&text), [vec![1, 2, 3]]);
        assert_eq!(read(text.as_bytes()).stopped.unwrap().line, 4);
        assert_eq!(read(format!("{ONE}\0\0").as_bytes()).stopped, None);
        assert_eq!(ders(&format!("x\0\n{ONE}")), Vec::<Vec<u8>>::new());
        let key = ONE.replace("CERTIFICATE", "PRIVATE KEY");
        assert_eq!(private_key(format!("\0\n{key}").as_bytes()), Some(Err("no private key")));
    }

    #[test]
    fn a_certificate_request_is_not_a_certificate() {
        assert_eq!(read(ONE.replace("CERTIFICATE", "CERTIFICATE REQUEST").as_bytes()), Reading::default());
    }

    #[test]
    fn a_cut_file_has_no_end_line() {
        assert_eq!(found("-----BEGIN CERTIFICATE-----\nAQID\n"), "no END line");
        assert_eq!(
            found("-----BEGIN CERTIFICATE-----\nAQID\n-----END PRIVATE KEY-----\n"),
            "an END line that does not match its BEGIN line"
        );
    }

    #[test]
    fn headers_end_a_certificate_but_not_a_key() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(ders(&format!("{key}{ONE}")), [vec![1, 2, 3]]);
        assert_eq!(
            found("-----BEGIN CERTIFICATE-----\nAQID\n\nAQID\n-----END CERTIFICATE-----\n"),
            "a blank line or headers inside the block"
        );
        assert_eq!(ders("-----BEGIN CERTIFICATE-----\n\nAQID\n-----END CERTIFICATE-----\n"), [vec![1, 2, 3]]);
    }

    #[test]
    fn blanks_inside_a_line_are_skipped() {
        for blank in [" ", "\t", "\r"] {
            assert_eq!(ders(&ONE.replace("AQID", &format!("{blank}AQ{blank}ID"))), [vec![1, 2, 3]]);
        }
        assert_eq!(found(&ONE.replace("AQID", "AQ\x0bID")), "not base64");
    }

    #[test]
    fn after_a_blank_line_the_grpc_of_2026_is_less_strict() {
        let text = "-----BEGIN CERTIFICATE-----\n\n\nAQ\n\nID\n-----END CERTIFICATE-----\n";
        let reading = read(text.as_bytes());
        assert!(reading.stopped.is_some());
        assert_eq!(reading.by(Profile::python()).blocks[0].to_der().unwrap(), [1, 2, 3]);
        assert!(reading.by(Profile::core()).blocks.is_empty());
        assert!(read(ONE.as_bytes()).loose.is_none());
    }

    #[test]
    fn the_first_key_counts_and_nothing_before_it_may_be_malformed() {
        let key = "-----BEGIN EC PRIVATE KEY-----\nAQID\n-----END EC PRIVATE KEY-----\n";
        let read = |text: &str| private_key(text.as_bytes()).unwrap().map(|(label, der)| (label, der.to_vec()));
        assert_eq!(read(&format!("{ONE}{key}")), Ok(("EC PRIVATE KEY".into(), vec![1, 2, 3])));
        assert!(read(&format!("{}{key}", ONE.replace("AQID", "*"))).is_err());
        assert!(read(&key.replace("AQID", "AQID\n")).is_err() && read(&key.replace("AQID", "a: b\n\nAQID")).is_err());
        assert!(private_key(key.replace("AQID", "\n\nAQID").as_bytes()).is_none(), "its generations differ");
    }

    #[test]
    fn padding_must_be_there() {
        assert_eq!(ders(&ONE.replace("AQID", "AQI=")), [vec![1, 2]]);
        assert_eq!(found(&ONE.replace("AQID", "AQI")), "not base64");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(-----(BEGIN|END) (CERTIFICATE|KEY)-----|[A-D=*\r\n ]|\n\n){0,60}") {
            let reading = read(text.as_bytes());
            prop_assert!(reading.blocks.len() <= reading.begun);
        }

        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            read(&bytes);
        }
    }
}
