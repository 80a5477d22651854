//! Properties of `grpc::pem::read`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::grpc::pem::{Block, Reading, private_key, read};

/// The input is a file.
pub fn check(bytes: &[u8]) {
    let reading = read(bytes);
    assert!(reading.blocks.len() <= reading.begun, "more blocks than beginnings");
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count() as u32;
    let mut last = 0;
    for block in &reading.blocks {
        assert!(last <= block.line && block.line <= lines, "line {} of {lines}, after {last}", block.line);
        last = block.line;
    }
    if let Some(stop) = &reading.stopped {
        assert!(last <= stop.line && stop.line <= lines, "stopped in line {} of {lines}, after {last}", stop.line);
    }

    if let Some(Ok((label, der))) = private_key(bytes) {
        assert!(!label.is_empty() && !der.is_empty(), "a private key of nothing");
    }

    let ders = ders(&reading);
    assert!(ders.iter().all(|der| !der.is_empty()), "a block without bytes");
    for (end, what) in [("\n", "line feeds"), ("\r\n", "CRLF"), (" \t\n", "blanks at line ends")] {
        let again = read(render(&reading.blocks, end).as_bytes());
        assert_eq!(self::ders(&again), ders, "the rendered blocks read otherwise, with {what}");
        assert_eq!(again.loose, None, "gRPCs differ in the rendered blocks, with {what}");
        assert_eq!(again.stopped, None, "the rendered blocks stop, with {what}");
        assert_eq!(again.begun, ders.len());
    }

    // A line of text in front moves everything by one line.
    let mut moved = b"text\n".to_vec();
    moved.extend_from_slice(bytes);
    let mut wanted = reading.clone();
    move_by_one(&mut wanted);
    assert_eq!(read(&moved), wanted, "a line in front changes what is read");

    // What follows a stop is not read.
    if reading.stopped.is_some() {
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(b"\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n");
        let longer = read(&longer);
        let is_same = longer.blocks.starts_with(&reading.blocks);
        assert!(is_same, "what comes after a malformed block changes what came before it");
        // The block without an END line may have been mended by what follows; any other stop stays.
        if !reading.stopped.as_ref().is_some_and(|stop| stop.found.starts_with("no END line")) {
            assert_eq!((longer.stopped, longer.blocks.len()), (reading.stopped, reading.blocks.len()));
        }
    }
}

fn move_by_one(reading: &mut Reading) {
    reading.blocks.iter_mut().for_each(|block| block.line += 1);
    reading.stopped.iter_mut().for_each(|stop| stop.line += 1);
    reading.loose.iter_mut().for_each(|loose| move_by_one(loose));
}

fn ders(reading: &Reading) -> Vec<Vec<u8>> {
    reading.blocks.iter().map(|block| block.to_der().expect("a block that was read holds base64")).collect()
}

fn render(blocks: &[Block], end: &str) -> String {
    let mut text = String::new();
    for block in blocks {
        text += &self::text(&block.label, &block.to_der().expect("base64"), end);
    }
    text
}

/// A block of PEM with these line ends.
pub fn text(label: &str, der: &[u8], end: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----{end}");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text += &String::from_utf8_lossy(line);
        text += end;
    }
    text + &format!("-----END {label}-----{end}")
}
