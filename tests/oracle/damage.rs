//! PEM files as people and tools spoil them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::der::{NULL, OCTET_STRING, SEQUENCE, number, oid, sequence, wrap};
use crate::keys::{Key, Kind};
use crate::pem;
use crate::scene::Scene;
use crate::situations::{Draw, Drawn};

/// Certificates, key and trust file in good order, then one to three spoilings, mostly of one file.
pub(crate) fn damage(draw: &mut Draw<'_>) -> Drawn {
    let scene = Scene::new(draw);
    let ders = scene.ders(draw);
    let mut drawn = scene.drawn(draw, &ders, String::new());
    let stranger = stranger(draw);
    match draw.rng.below(8) {
        0 => drawn.ca_pem = pem::certificates([&stranger, &ders[ders.len() - 1]]),
        1 => drawn.ca_pem = pem::certificates([&ders[ders.len() - 1], &stranger]),
        2 => drawn.chain_pem += &pem::certificates([&stranger]),
        _ => {}
    }
    if draw.rng.chance(40) {
        let key = draw.key(scene.all[0].1);
        drawn.key_pem = key_file(draw, key, &ders[0], &mut drawn.description);
    }
    let which = draw.rng.below(3);
    for _ in 0..*draw.rng.weighted(&[(20, 0), (55, 1), (20, 2), (5, 3)]) {
        let which = if draw.rng.chance(85) { which } else { draw.rng.below(3) };
        let (name, file) = [("chain", &mut drawn.chain_pem), ("key", &mut drawn.key_pem), ("trust", &mut drawn.ca_pem)]
            .into_iter()
            .nth(which)
            .unwrap();
        let (what, function) = *draw.rng.weighted(&SPOILINGS);
        *file = function(draw, file);
        drawn.description += &format!("; {what} in the {name} file");
    }
    drawn
}

/// A certificate that has nothing to do with the others.
fn stranger(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut other = Scene::with_keys(draw, &[(Kind::P256, 5), (Kind::P256, 6)]).all.remove(1).0;
    other.subject = crate::certificate::Dn::new("Ray", "Stranger");
    other.write(draw.key((Kind::P256, 5)))
}

type Spoiling = fn(&mut Draw<'_>, &str) -> String;

const SPOILINGS: [(usize, (&str, Spoiling)); 46] = [
    (
        3,
        ("indentation", |draw, text| {
            text.replace('\n', "\n  ").replacen("", if draw.rng.chance(50) { "  " } else { "" }, 1)
        }),
    ),
    (2, ("one line indented", |draw, text| at_line(draw, text, |line| format!(" {line}")))),
    (2, ("a byte order mark", |_, text| format!("\u{feff}{text}"))),
    (3, ("CRLF", |_, text| text.replace('\n', "\r\n"))),
    (2, ("CR", |_, text| text.replace('\n', "\r"))),
    (2, ("a CR more", |_, text| text.replace('\n', "\r\r\n"))),
    (2, ("\\n as two characters", |_, text| text.replace('\n', "\\n"))),
    (2, ("blanks for newlines", |_, text| text.replace('\n', " "))),
    (2, ("four dashes", |_, text| text.replace("-----", "----"))),
    (2, ("six dashes", |_, text| text.replace("-----", "------"))),
    (2, ("dashes in one place", |draw, text| at_dashes(draw, text))),
    (3, ("joined blocks", |_, text| text.replace("-----\n-----BEGIN", "----------BEGIN"))),
    (3, ("no final newline", |_, text| text.trim_end().into())),
    (3, ("a blank line", |draw, text| before_line(draw, text, "\n"))),
    (2, ("a line of blanks", |draw, text| before_line(draw, text, "  \n"))),
    (2, ("blank lines everywhere", |_, text| text.replace('\n', "\n\n"))),
    (2, ("a blank line after BEGIN", |_, text| after_begin(text, "\n"))),
    (2, ("a blank line before END", |_, text| text.replace("-----END", "\n-----END"))),
    (
        3,
        ("headers", |draw, text| {
            let headers = [
                "Proc-Type: 4,CLEAR\n\n",
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
                "Comment: x\n\n",
                "Comment: x\n",
                "Proc-Type: 4,MIC-ONLY\n\n",
                "Proc-Type: 5,X\n\n",
            ];
            after_begin(text, draw.rng.pick::<&str>(&headers))
        }),
    ),
    (3, ("text", |draw, text| before_line(draw, text, "subject=CN = ray-head\n"))),
    (3, ("text before", |_, text| format!("Bag Attributes\n    friendlyName: ray\nsubject=/CN=x\n{text}"))),
    (2, ("text behind", |_, text| format!("{text}\n# the end"))),
    (4, ("another block", |draw, text| another_block(draw, text))),
    (2, ("long lines", |_, text| rewrapped(text, 76))),
    (3, ("one line", |_, text| rewrapped(text, usize::MAX))),
    (
        3,
        ("lines of another width", |draw, text| {
            let width = *draw.rng.pick(&[1, 4, 60, 63, 65, 72, 128, 252, 253, 254, 255, 256, 300]);
            rewrapped(text, width)
        }),
    ),
    (
        2,
        ("blanks at the ends", |draw, text| {
            let end = *draw.rng.pick(&[" \n", "\t\n", " \t \n", "\0\n", "\x01\n", "\x7f\n", "\u{a0}\n"]);
            text.replace('\n', end)
        }),
    ),
    (
        3,
        ("a character more", |draw, text| {
            let odd =
                *draw.rng.pick(&["*", "-", "_", " ", "\t", "\0", "=", "A", "\u{e9}", "\x1b", ":", "#", "<", "\r"]);
            inserted(draw, text, odd)
        }),
    ),
    (
        2,
        ("a character less", |draw, text| {
            let mut chars = text.chars().collect::<Vec<_>>();
            if !chars.is_empty() {
                chars.remove(draw.rng.below(chars.len()));
            }
            chars.into_iter().collect()
        }),
    ),
    (
        2,
        ("a line less", |draw, text| {
            let mut lines = text.lines().collect::<Vec<_>>();
            if !lines.is_empty() {
                lines.remove(draw.rng.below(lines.len()));
            }
            lines.join("\n") + "\n"
        }),
    ),
    (2, ("no padding", |_, text| text.replace('=', ""))),
    (
        2,
        ("more padding", |draw, text| {
            text.replace("\n-----END", *draw.rng.pick(&["=\n-----END", "==\n-----END", "====\n-----END"]))
        }),
    ),
    (2, ("cut", |draw, text| text.chars().take(draw.rng.below(text.chars().count() + 1)).collect())),
    (2, ("another END label", |_, text| text.replacen("-----END CERTIFICATE", "-----END X509 CERTIFICATE", 1))),
    (
        2,
        ("lower case labels", |_, text| {
            text.replace("BEGIN CERTIFICATE", "begin certificate").replace("END CERTIFICATE", "end certificate")
        }),
    ),
    (2, ("X509 CERTIFICATE", |_, text| text.replace(" CERTIFICATE", " X509 CERTIFICATE"))),
    (3, ("TRUSTED CERTIFICATE", |_, text| text.replace(" CERTIFICATE", " TRUSTED CERTIFICATE"))),
    (3, ("TRUSTED CERTIFICATE once", |draw, text| labelled(draw, text, "TRUSTED CERTIFICATE"))),
    (2, ("X509 CERTIFICATE once", |draw, text| labelled(draw, text, "X509 CERTIFICATE"))),
    (3, ("trust attributes", with_attributes)),
    (2, ("all twice", |_, text| format!("{text}{text}"))),
    (
        2,
        ("the blocks the other way round", |_, text| {
            let mut blocks = text.split_inclusive("-----\n-----BEGIN").collect::<Vec<_>>();
            blocks.reverse();
            let mut all = pem_blocks(text);
            all.reverse();
            if all.len() > 1 { all.concat() } else { blocks.concat() }
        }),
    ),
    (2, ("DER", |_, text| String::from_utf8_lossy(&first_der(text)).into_owned())),
    (2, ("base64 twice", |_, text| STANDARD.encode(text))),
    (1, ("empty", |_, _| String::new())),
    (
        2,
        ("UTF-16, blanks only, PKCS#7", |draw, text| match draw.rng.below(4) {
            0 => text.chars().flat_map(|c| [c, '\0']).collect(),
            1 => " \n\n".into(),
            2 => "\n".into(),
            _ => pem::block("PKCS7", &first_der(text)),
        }),
    ),
];

fn at_line(draw: &mut Draw<'_>, text: &str, change: impl Fn(&str) -> String) -> String {
    let chosen = draw.rng.below(text.lines().count().max(1));
    let line = |(at, line): (usize, &str)| if at == chosen { change(line) } else { line.into() };
    text.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn before_line(draw: &mut Draw<'_>, text: &str, more: &str) -> String {
    at_line(draw, text, |line| format!("{more}{line}"))
}

fn at_dashes(draw: &mut Draw<'_>, text: &str) -> String {
    let places = text.match_indices("-----").map(|(at, _)| at).collect::<Vec<_>>();
    if places.is_empty() {
        return text.into();
    }
    let at = *draw.rng.pick(&places);
    let other = *draw.rng.pick(&["----", "------", "-- ---", "----- ", " -----", "\u{2013}\u{2013}\u{2013}"]);
    format!("{}{other}{}", &text[..at], &text[at + 5..])
}

fn inserted(draw: &mut Draw<'_>, text: &str, more: &str) -> String {
    let places = text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
    if places.is_empty() {
        return more.into();
    }
    let at = *draw.rng.pick(&places);
    format!("{}{more}{}", &text[..at], &text[at..])
}

fn after_begin(text: &str, more: &str) -> String {
    let line =
        |line: &str| if line.starts_with("-----BEGIN") { format!("{line}\n{more}") } else { format!("{line}\n") };
    text.lines().map(line).collect()
}

/// A block that is not asked for, before a block.
fn another_block(draw: &mut Draw<'_>, text: &str) -> String {
    let labels = [
        "X509 CRL",
        "CERTIFICATE REQUEST",
        "NEW CERTIFICATE REQUEST",
        "PRIVATE KEY",
        "PUBLIC KEY",
        "EC PARAMETERS",
        "DH PARAMETERS",
        "PKCS7",
        "ATTRIBUTE CERTIFICATE",
        "CERTIFICATE PAIR",
        "",
        "X",
    ];
    let label = *draw.rng.pick(&labels);
    let body: &[u8] = if draw.rng.chance(80) { &[0x30, 3, 2, 1, 5] } else { &[] };
    let block = match draw.rng.below(8) {
        0 => draw.key((Kind::P256, 7)).pem(),
        1 => pem::block(label, body).replace("-----END", "***\n-----END"),
        2 => "-----BEGIN X-----\n".into(),
        _ => pem::block(label, body),
    };
    let places = text.match_indices("-----BEGIN").map(|(at, _)| at).chain([text.len()]).collect::<Vec<_>>();
    let at = *draw.rng.pick(&places);
    format!("{}{block}{}", &text[..at], &text[at..])
}

fn rewrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut body = String::new();
    for line in text.lines() {
        if !line.starts_with("-----") {
            body += line;
            continue;
        }
        for part in body.as_bytes().chunks(width) {
            out += &String::from_utf8_lossy(part);
            out += "\n";
        }
        body.clear();
        out += line;
        out += "\n";
    }
    out + &body
}

/// The blocks with what stands before each.
fn pem_blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let last = blocks.len() - 1;
        blocks[last] += &format!("{line}\n");
        if line.starts_with("-----END") {
            blocks.push(String::new());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn labelled(draw: &mut Draw<'_>, text: &str, label: &str) -> String {
    let mut blocks = pem_blocks(text);
    if !blocks.is_empty() {
        let at = draw.rng.below(blocks.len());
        blocks[at] = blocks[at].replace(" CERTIFICATE", &format!(" {label}"));
    }
    blocks.concat()
}

fn first_der(text: &str) -> Vec<u8> {
    let body = |line: &&str| !line.starts_with("-----");
    let text =
        text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1).take_while(body).collect::<String>();
    STANDARD.decode(text).unwrap_or_else(|_| vec![0x30, 0])
}

/// As `openssl x509 -trustout` writes it, and otherwise.
fn with_attributes(draw: &mut Draw<'_>, text: &str) -> String {
    let purposes = sequence(&[sequence(&[oid("1.3.6.1.5.5.7.3.1")])]);
    let others = [
        purposes.clone(),
        sequence(&[]),
        sequence(&[wrap(0xa0, &oid("1.3.6.1.5.5.7.3.1"))]),
        sequence(&[wrap(0x0c, b"alias"), wrap(OCTET_STRING, &[1])]),
        sequence(&[wrap(OCTET_STRING, &[1]), wrap(0x0c, b"alias")]),
        sequence(&[wrap(0x0c, &[0xff])]),
        wrap(NULL, &[]),
        vec![0],
        vec![0x30, 5],
        [purposes, vec![0]].concat(),
    ];
    let more = draw.rng.pick(&others).clone();
    let label = *draw.rng.pick(&["TRUSTED CERTIFICATE", "TRUSTED CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE"]);
    let mut blocks = pem_blocks(text);
    if blocks.is_empty() {
        return text.into();
    }
    let at = draw.rng.below(blocks.len());
    blocks[at] = pem::block(label, &[first_der(&blocks[at]), more].concat());
    blocks.concat()
}

/// A key file of another form, or with more or other keys than the leaf's.
fn key_file(draw: &mut Draw<'_>, key: &Key, leaf: &[u8], description: &mut String) -> String {
    let other = draw.key((Kind::P256, 7)).pem();
    let (what, text) = match draw.rng.below(12) {
        0 => ("SEC1", pem::block("EC PRIVATE KEY", &sec1(key))),
        1 => ("SEC1 with parameters", parameters() + &pem::block("EC PRIVATE KEY", &sec1(key))),
        2 => ("SEC1 as PRIVATE KEY", pem::block("PRIVATE KEY", &sec1(key))),
        3 => ("PKCS#8 as EC PRIVATE KEY", pem::block("EC PRIVATE KEY", &key.pkcs8)),
        4 => ("PKCS#8 as RSA PRIVATE KEY", pem::block("RSA PRIVATE KEY", &key.pkcs8)),
        5 => ("two keys", key.pem() + &other),
        6 => ("another key first", other + &key.pem()),
        7 => ("another key", other),
        8 => ("the certificate before", pem::certificates([&leaf.to_vec()]) + &key.pem()),
        9 => ("the certificate behind", key.pem() + &pem::certificates([&leaf.to_vec()])),
        10 => ("as ENCRYPTED", pem::block("ENCRYPTED PRIVATE KEY", &key.pkcs8)),
        _ => ("as OPENSSH", pem::block("OPENSSH PRIVATE KEY", &key.pkcs8)),
    };
    *description += what;
    text
}

fn parameters() -> String {
    pem::block("EC PARAMETERS", &oid("1.2.840.10045.3.1.7"))
}

/// RFC 5915, with the curve; of a P-256 key.
fn sec1(key: &Key) -> Vec<u8> {
    // The inner structure of PKCS#8 names no curve.
    let at = key.pkcs8.windows(5).position(|part| part == [2, 1, 1, 4, 32]).unwrap() + 5;
    let curve = wrap(0xa0, &oid("1.2.840.10045.3.1.7"));
    wrap(SEQUENCE, &[number(1), wrap(OCTET_STRING, &key.pkcs8[at..at + 32]), curve].concat())
}
