//! Makes the seeds of all targets from `fixtures/verdicts/open.json`: `cargo run --example seeds` in this folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use raytls_fuzz::grpc::certificate::{Certificate, Name};
use raytls_fuzz::grpc::pem;
use raytls_fuzz::verdict::{Piece, Situation};

fn main() -> io::Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(package.join("../fixtures/verdicts/open.json"))?;
    let corpus: serde_json::Value = serde_json::from_str(&text)?;
    let seeds = package.join("seeds");
    for target in ["certificate", "names", "pem", "verdict"] {
        fs::create_dir_all(seeds.join(target))?;
    }
    let mut kinds = BTreeSet::new();
    for case in corpus["cases"].as_array().into_iter().flatten() {
        let field = |name: &str| case[name].as_str().unwrap_or_default();
        let (id, chain, trust) = (field("id"), field("chain_pem"), field("ca_pem"));
        if field("group") == "pem" {
            fs::write(seeds.join("pem").join(format!("{id}-chain")), chain)?;
            fs::write(seeds.join("pem").join(format!("{id}-ca")), trust)?;
        }
        let role = u8::from(case["verdicts"]["server"].is_null());
        let situation = Situation {
            options: [role, 7, 7, 0],
            chain: pieces(chain),
            trust: pieces(trust),
            name: field("name").into(),
        };
        fs::write(seeds.join("verdict").join(id), situation.write())?;
        for (file, text) in [("chain", chain), ("ca", trust)] {
            for (at, der) in ders(text).enumerate() {
                // One seed of each kind: what differs in keys, dates and texts only is no news to the fuzzer.
                let kind = Certificate::parse(&der).map(|certificate| shape(&certificate));
                if kinds.insert(format!("{kind:?}")) {
                    fs::write(seeds.join("certificate").join(format!("{id}-{file}-{at}")), der)?;
                }
            }
        }
        if field("group") == "name"
            && let Some(leaf) = ders(chain).next().and_then(|der| Certificate::parse(&der).ok())
        {
            fs::write(seeds.join("names").join(id), names(&leaf, field("name")))?;
        }
    }
    Ok(())
}

fn ders(text: &str) -> impl Iterator<Item = Vec<u8>> {
    pem::read(text.as_bytes()).blocks.into_iter().filter_map(|block| block.to_der().ok())
}

/// DER where the file is nothing but blocks as everyone writes them, else the text.
fn pieces(text: &str) -> Vec<Piece> {
    let ders = ders(text).collect::<Vec<_>>();
    let plain = ders.iter().map(|der| raytls_fuzz::pem::text("CERTIFICATE", der, "\n")).collect::<String>();
    if plain == text {
        return ders.into_iter().map(Piece::Der).collect();
    }
    vec![Piece::Text(text.into())]
}

fn shape(certificate: &Certificate) -> String {
    let names = certificate.names.as_ref().map(|names| {
        names.iter().map(|name| name.to_string().split(':').next().map(String::from)).collect::<BTreeSet<_>>()
    });
    format!(
        "{:?}",
        (
            (certificate.version, &certificate.key.algorithm, certificate.key.bits, &certificate.signature_algorithm),
            (certificate.key_usage, &certificate.purposes, certificate.ca, certificate.path_len, names),
            (certificate.subject_key_id.is_some(), certificate.authority_key_id.is_some()),
            (&certificate.authority_serial, &certificate.authority_issuer, certificate.netscape_type),
            (&certificate.constraints, &certificate.policies, &certificate.unknown_critical),
            (&certificate.malformed, &certificate.undecided),
        )
    )
}

/// In the format of the target.
fn names(leaf: &Certificate, host: &str) -> String {
    let mut text = host.to_string();
    for name in leaf.names.iter().flatten() {
        text += &match name {
            Name::Dns(name) => format!("\nD:{name}"),
            Name::Email(name) => format!("\nE:{name}"),
            Name::Uri(name) => format!("\nU:{name}"),
            Name::Ip(octets) => {
                format!("\nI:{}", octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>())
            }
            Name::Other => "\nO:".into(),
        };
    }
    if let Some(name) = &leaf.common_name {
        text += &format!("\nC:{name}");
    }
    text
}
