//! The extensions of a certificate.

use std::collections::BTreeSet;

use super::certificate::{KeyUsage, Name, Purpose, hex};
use super::constraints::{self, Constraints};
use super::der::{self, BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET, UTF8_STRING};
use super::distinguished;
use super::policies::{self, Policies};
use super::value::{self, Notes};

/// What the extensions say; see the fields of the same names in [`super::certificate::Certificate`].
#[derive(Default)]
pub(super) struct Extensions {
    pub names: Option<Vec<Name>>,
    pub key_usage: Option<KeyUsage>,
    pub purposes: Option<Vec<Purpose>>,
    pub ca: Option<bool>,
    pub path_len: Option<u32>,
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    pub authority_serial: Option<String>,
    pub authority_issuer: Option<Vec<u8>>,
    pub netscape_type: Option<u8>,
    pub directories: Vec<Vec<u8>>,
    pub other_names: Vec<u8>,
    pub constraints: Option<Constraints>,
    pub policies: Policies,
    pub unknown_critical: Vec<String>,
    pub malformed: Vec<String>,
}

const POLICY_MAPPINGS: &str = "2.5.29.33";

/// In [`Extensions::malformed`]: EC certificates with it are refused at load already.
pub(super) const KEY_USAGE_MALFORMED: &str = "keyUsage is malformed";

/// Reads the contents of the `[3]` of a certificate. `Err` is what makes gRPC refuse the certificate as a whole.
pub(super) fn read(content: &[u8], notes: &mut Notes) -> Result<Extensions, String> {
    let mut list = der::only(content, SEQUENCE, "the extensions")?;
    let mut found = Extensions::default();
    let mut seen = BTreeSet::new();
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(SEQUENCE, "an extension")?.content);
        let oid = der::oid(extension.expect(OID, "an extension")?.content)?;
        let critical = match extension.optional(BOOLEAN, "an extension")?.map(|flag| flag.content) {
            None | Some([0]) => false,
            Some([_]) => true,
            Some(_) => return Err("an extension whose critical flag is no BOOLEAN".into()),
        };
        let value = extension.expect(OCTET_STRING, "an extension")?.content;
        extension.end("an extension")?;
        let repeated = seen.contains(&oid);
        match found.take(&oid, value, critical, notes) {
            Taken::Unknown if critical => found.unknown_critical.push(oid.clone()),
            Taken::Policy if repeated && oid == POLICY_MAPPINGS => found.policies.has_broken_mappings = true,
            Taken::Policy if repeated => found.policies.is_broken = true,
            Taken::Unknown | Taken::Policy => {}
            Taken::Known(name) | Taken::Malformed(name) if repeated => {
                found.malformed.push(format!("{name} is repeated"))
            }
            Taken::Known(_) => {}
            Taken::Malformed(name) => found.malformed.push(format!("{name} is malformed")),
        }
        seen.insert(oid);
    }
    if found.path_len.is_some() && found.ca != Some(true) {
        found.malformed.push("basicConstraints has a path length without cA".into());
    }
    Ok(found)
}

enum Taken {
    /// Of no meaning to gRPC.
    Unknown,
    /// About policies: at worst the policies are broken, not the certificate.
    Policy,
    /// Read.
    Known(&'static str),
    /// Not readable.
    Malformed(&'static str),
}

impl Extensions {
    /// Takes one extension in; of repeated ones the first counts.
    fn take(&mut self, oid: &str, value: &[u8], critical: bool, notes: &mut Notes) -> Taken {
        let (name, read) = match oid {
            "2.5.29.14" => ("subjectKeyIdentifier", self.subject_key_id(value)),
            "2.5.29.15" => ("keyUsage", self.key_usage(value)),
            "2.5.29.17" => ("subjectAltName", self.subject_alt_name(value, notes)),
            "2.5.29.19" => ("basicConstraints", self.basic_constraints(value)),
            "2.5.29.30" => {
                let read = constraints::read(value, notes);
                ("nameConstraints", read.map(|read| _ = self.constraints.get_or_insert(read)))
            }
            "2.5.29.31" => ("cRLDistributionPoints", distribution_points(value, notes)),
            "2.5.29.35" => ("authorityKeyIdentifier", self.authority_key_identifier(value, notes)),
            "2.5.29.37" => ("extKeyUsage", self.ext_key_usage(value)),
            "2.5.29.32" => {
                match policies::named(value, notes) {
                    Ok(named) => _ = self.policies.named.get_or_insert(named),
                    Err(_) => self.policies.is_broken = true,
                }
                return Taken::Policy;
            }
            POLICY_MAPPINGS => {
                self.policies.maps = true;
                self.policies.has_broken_mappings |= policies::mappings(value).is_err();
                return Taken::Policy;
            }
            "2.5.29.36" => {
                match policies::require_explicit(value) {
                    Ok(skipped) => self.policies.require_explicit = skipped,
                    Err(_) => self.policies.is_broken = true,
                }
                return Taken::Policy;
            }
            "2.5.29.54" => {
                match policies::inhibit_any(value) {
                    Ok(skipped) => self.policies.inhibit_any = Some(skipped),
                    Err(_) => self.policies.is_broken = true,
                }
                return Taken::Policy;
            }
            "2.16.840.1.113730.1.1" if notes.profile.netscape_type => {
                ("nsCertType", first_bits(value).map(|octet| _ = self.netscape_type.get_or_insert(octet)))
            }
            _ => return Taken::Unknown,
        };
        // Critical, these are among the extensions that gRPC does not handle.
        if critical && matches!(name, "subjectKeyIdentifier" | "authorityKeyIdentifier" | "cRLDistributionPoints") {
            self.unknown_critical.push(oid.into());
        }
        match read {
            Ok(()) => Taken::Known(name),
            Err(_) => Taken::Malformed(name),
        }
    }

    fn subject_key_id(&mut self, value: &[u8]) -> Result<(), String> {
        let mut reader = Reader::new(value);
        let id = reader.expect(OCTET_STRING, "subjectKeyIdentifier")?.content;
        reader.end("subjectKeyIdentifier")?;
        self.subject_key_id.get_or_insert(id.to_vec());
        Ok(())
    }

    fn key_usage(&mut self, value: &[u8]) -> Result<(), String> {
        let first = first_bits(value)?;
        self.key_usage.get_or_insert(KeyUsage {
            digital_signature: first & 0x80 != 0,
            key_encipherment: first & 0x20 != 0,
            cert_sign: first & 0x04 != 0,
        });
        Ok(())
    }

    fn subject_alt_name(&mut self, value: &[u8], notes: &mut Notes) -> Result<(), String> {
        let names = general_names(der::only(value, SEQUENCE, "subjectAltName")?, notes)?;
        if self.names.is_none() {
            self.directories = names.iter().filter_map(|name| name.directory.clone()).collect();
            let is_other = |name: &&GeneralName| name.name == Name::Other && name.directory.is_none();
            self.other_names = names.iter().filter(is_other).map(|name| name.tag).collect();
            self.names = Some(names.into_iter().map(|name| name.name).collect());
        }
        Ok(())
    }

    fn basic_constraints(&mut self, value: &[u8]) -> Result<(), String> {
        let mut reader = der::only(value, SEQUENCE, "basicConstraints")?;
        let ca = match reader.optional(BOOLEAN, "cA")?.map(|flag| flag.content) {
            None => false,
            Some([flag]) => *flag != 0,
            Some(_) => return Err("cA is no BOOLEAN".into()),
        };
        let path_len = match reader.optional(INTEGER, "pathLen")? {
            None => None,
            Some(element) => match der::integer(element, "pathLen")? {
                [0x80..=0xff, ..] => return Err("a negative pathLen".into()),
                octets if octets.len() <= 4 => {
                    Some(octets.iter().fold(0, |value, octet| (value << 8) | u32::from(*octet)))
                }
                // More than any path has.
                _ => Some(u32::MAX),
            },
        };
        reader.end("basicConstraints")?;
        if self.ca.is_none() {
            self.ca = Some(ca);
            self.path_len = path_len;
        }
        Ok(())
    }

    fn ext_key_usage(&mut self, value: &[u8]) -> Result<(), String> {
        let mut reader = der::only(value, SEQUENCE, "extKeyUsage")?;
        let mut purposes = Vec::new();
        while !reader.is_empty() {
            let oid = der::oid(reader.expect(OID, "extKeyUsage")?.content)?;
            purposes.push(match oid.as_str() {
                "2.5.29.37.0" => Purpose::Any,
                "1.3.6.1.5.5.7.3.1" => Purpose::ServerAuth,
                "1.3.6.1.5.5.7.3.2" => Purpose::ClientAuth,
                _ => Purpose::Other(oid),
            });
        }
        self.purposes.get_or_insert(purposes);
        Ok(())
    }

    fn authority_key_identifier(&mut self, value: &[u8], notes: &mut Notes) -> Result<(), String> {
        let mut reader = der::only(value, SEQUENCE, "authorityKeyIdentifier")?;
        let id = reader.optional(0x80, "keyIdentifier")?.map(|id| id.content.to_vec());
        let issuer = match reader.optional(0xa1, "authorityCertIssuer")? {
            // The first directory name is the one that is compared.
            Some(names) => {
                general_names(Reader::new(names.content), notes)?.into_iter().find_map(|name| name.directory)
            }
            None => None,
        };
        let serial = match reader.optional(0x82, "authorityCertSerialNumber")? {
            Some(element) => Some(hex(der::integer(element, "authorityCertSerialNumber")?)),
            None => None,
        };
        reader.end("authorityKeyIdentifier")?;
        if self.authority_key_id.is_none() && self.authority_serial.is_none() && self.authority_issuer.is_none() {
            (self.authority_key_id, self.authority_issuer, self.authority_serial) = (id, issuer, serial);
        }
        Ok(())
    }
}

/// The first octet of a value that is a BIT STRING.
fn first_bits(value: &[u8]) -> Result<u8, String> {
    let mut reader = Reader::new(value);
    let (_, octets) = der::bits(reader.expect(BIT_STRING, "bits")?.content, "bits")?;
    reader.end("bits")?;
    Ok(octets.first().copied().unwrap_or(0))
}

/// A GeneralName.
pub(super) struct GeneralName {
    pub name: Name,
    /// The canonical form of a directoryName.
    pub directory: Option<Vec<u8>>,
    pub tag: u8,
}

/// Reads GeneralNames in a row.
pub(super) fn general_names(mut reader: Reader<'_>, notes: &mut Notes) -> Result<Vec<GeneralName>, String> {
    let mut names = Vec::new();
    while !reader.is_empty() {
        let element = reader.any()?;
        let mut directory = None;
        let name = match element.tag {
            0x81 => Name::Email(characters(element.content)),
            0x82 => Name::Dns(characters(element.content)),
            0x86 => Name::Uri(characters(element.content)),
            0x87 => Name::Ip(element.content.to_vec()),
            0x88 => {
                der::oid(element.content)?;
                Name::Other
            }
            0xa4 => {
                let name = der::only(element.content, SEQUENCE, "a directory name")?;
                directory = Some(distinguished::name(name.rest(), notes)?.canonical);
                Name::Other
            }
            0xa0 => {
                let mut other = Reader::new(element.content);
                der::oid(other.expect(OID, "an other name")?.content)?;
                let mut value = Reader::new(other.expect(0xa0, "an other name")?.content);
                other.end("an other name")?;
                value::any(value.any()?, notes)?;
                value.end("an other name")?;
                Name::Other
            }
            // An X.400 address, into which nobody looks.
            0xa3 => Name::Other,
            0xa5 => {
                let mut party = Reader::new(element.content);
                if let Some(assigner) = party.optional(0xa0, "an EDI name")? {
                    directory_string(assigner.content)?;
                }
                directory_string(party.expect(0xa1, "an EDI name")?.content)?;
                party.end("an EDI name")?;
                Name::Other
            }
            tag => return Err(format!("a name of the unknown kind {tag:#04x}")),
        };
        names.push(GeneralName { name, directory, tag: element.tag });
    }
    Ok(names)
}

/// One octet is one character, whatever it is.
fn characters(content: &[u8]) -> String {
    content.iter().copied().map(char::from).collect()
}

/// A DirectoryString (RFC 5280, section 4.1.2.4).
fn directory_string(content: &[u8]) -> Result<(), String> {
    let mut reader = Reader::new(content);
    let value = reader.any()?;
    reader.end("a directory string")?;
    match value.tag {
        UTF8_STRING | 0x13 | 0x14 | 0x1c | 0x1e => value::text(value).map(|_| ()),
        tag => Err(format!("a directory string of the type {tag:#04x}")),
    }
}

/// RFC 5280, section 4.2.1.13; all of it may be left out.
fn distribution_points(value: &[u8], notes: &mut Notes) -> Result<(), String> {
    let mut points = der::only(value, SEQUENCE, "cRLDistributionPoints")?;
    while !points.is_empty() {
        let mut point = Reader::new(points.expect(SEQUENCE, "a distribution point")?.content);
        if let Some(name) = point.optional(0xa0, "a distribution point")? {
            let mut name = Reader::new(name.content);
            let choice = name.any()?;
            name.end("a distribution point")?;
            match choice.tag {
                0xa0 => _ = general_names(Reader::new(choice.content), notes)?,
                0xa1 if choice.content.is_empty() => {}
                0xa1 => _ = distinguished::name(&der::wrap(SET, choice.content), notes)?,
                tag => return Err(format!("a distribution point of the kind {tag:#04x}")),
            }
        }
        if let Some(reasons) = point.optional(0x81, "reasons")? {
            der::bits(reasons.content, "reasons")?;
        }
        if let Some(issuer) = point.optional(0xa2, "an issuer of CRLs")? {
            general_names(Reader::new(issuer.content), notes)?;
        }
        point.end("a distribution point")?;
    }
    Ok(())
}
