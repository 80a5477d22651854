//! The extensions of a certificate.

use super::certificate::{KeyUsage, Name, Purpose, hex};
use super::constraints::{self, Constraints};
use super::der::{self, BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use super::distinguished;
use super::policies::{self, Policies};

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

/// In [`Extensions::malformed`]: EC certificates with it are refused at load already.
pub(super) const KEY_USAGE_MALFORMED: &str = "keyUsage is malformed";

const POLICIES: &str = "policies of an unusual shape";
const MAPPINGS: &str = "policy mappings";
const NETSCAPE: &str = "an unusual nsCertType";

/// Whether something undecided plays no part in the last certificate of a path and in those that are not on it.
pub(super) fn is_void_at_top(undecided: &str) -> bool {
    [POLICIES, MAPPINGS, NETSCAPE].contains(&undecided)
}

/// Whether something undecided plays no part in a trusted certificate.
pub(super) fn is_void_in_anchor(undecided: &str) -> bool {
    undecided == NETSCAPE
}

/// Reads the contents of the `[3]` of a certificate. `Err` is what makes gRPC refuse the certificate as a whole.
pub(super) fn read(content: &[u8], undecided: &mut Vec<String>) -> Result<Extensions, String> {
    let mut list = der::only(content, SEQUENCE, "the extensions")?;
    let mut found = Extensions::default();
    let mut seen: Vec<String> = Vec::new();
    if list.is_empty() {
        undecided.push("an empty list of extensions".into());
    }
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(SEQUENCE, "an extension")?.content);
        let oid = der::oid(extension.expect(OID, "an extension")?.content)?;
        let critical = match extension.optional(BOOLEAN, "an extension")?.map(|flag| flag.content) {
            None | Some([0]) => false,
            Some([0xff]) => true,
            Some([_]) => {
                undecided.push("a critical flag that is neither TRUE nor FALSE".into());
                true
            }
            Some(_) => return Err("an extension whose critical flag is no BOOLEAN".into()),
        };
        let value = extension.expect(OCTET_STRING, "an extension")?.content;
        extension.end("an extension")?;
        let repeated = seen.contains(&oid);
        match found.take(&oid, value, critical, undecided) {
            Taken::Unknown if critical => found.unknown_critical.push(oid.clone()),
            Taken::Policy if repeated => found.policies.is_broken = true,
            Taken::Unknown | Taken::Policy | Taken::Netscape => {}
            Taken::Known(name) | Taken::Malformed(name) if repeated => {
                found.malformed.push(format!("{name} is repeated"))
            }
            Taken::Known(_) => {}
            Taken::Malformed(name) => found.malformed.push(format!("{name} is malformed")),
        }
        seen.push(oid);
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
    /// nsCertType: whatever is not decided of it is noted.
    Netscape,
    /// Read.
    Known(&'static str),
    /// Not readable.
    Malformed(&'static str),
}

impl Extensions {
    /// Takes one extension in; of repeated ones the first counts.
    fn take(&mut self, oid: &str, value: &[u8], critical: bool, undecided: &mut Vec<String>) -> Taken {
        let (name, read) = match oid {
            "2.5.29.14" => ("subjectKeyIdentifier", self.subject_key_id(value)),
            "2.5.29.15" => ("keyUsage", self.key_usage(value)),
            "2.5.29.17" => ("subjectAltName", self.subject_alt_name(value, undecided)),
            "2.5.29.19" => ("basicConstraints", self.basic_constraints(value, undecided)),
            "2.5.29.30" => {
                let read = constraints::read(value, undecided);
                ("nameConstraints", read.map(|read| _ = self.constraints.get_or_insert(read)))
            }
            "2.5.29.31" => {
                if !is_list_of_distribution_points(value) {
                    undecided.push("CRL distribution points of an unusual shape".into());
                }
                if critical {
                    undecided.push("critical CRL distribution points".into());
                }
                ("cRLDistributionPoints", Ok(()))
            }
            "2.5.29.35" => ("authorityKeyIdentifier", self.authority_key_identifier(value, undecided)),
            "2.5.29.37" => ("extKeyUsage", self.ext_key_usage(value)),
            "2.5.29.32" => {
                match policies::named(value) {
                    Ok((named, is_plain)) => {
                        if !is_plain {
                            undecided.push(POLICIES.into());
                        }
                        self.policies.named.get_or_insert(named);
                    }
                    Err(_) => self.policies.is_broken = true,
                }
                return Taken::Policy;
            }
            "2.5.29.33" => {
                undecided.push(MAPPINGS.into());
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
            "2.16.840.1.113730.1.1" => {
                if critical {
                    undecided.push(NETSCAPE.into());
                }
                match first_bits(value) {
                    Ok(octet) => _ = self.netscape_type.get_or_insert(octet),
                    Err(_) => undecided.push(NETSCAPE.into()),
                }
                return Taken::Netscape;
            }
            _ => return Taken::Unknown,
        };
        // Critical identifiers are among the extensions gRPC does not handle.
        if critical && matches!(name, "subjectKeyIdentifier" | "authorityKeyIdentifier") {
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

    fn subject_alt_name(&mut self, value: &[u8], undecided: &mut Vec<String>) -> Result<(), String> {
        let names = general_names(der::only(value, SEQUENCE, "subjectAltName")?, undecided)?;
        if self.names.is_none() {
            self.directories = names.iter().filter_map(|name| name.directory.clone()).collect();
            let is_other = |name: &&GeneralName| name.name == Name::Other && name.directory.is_none();
            self.other_names = names.iter().filter(is_other).map(|name| name.tag).collect();
            self.names = Some(names.into_iter().map(|name| name.name).collect());
        }
        Ok(())
    }

    fn basic_constraints(&mut self, value: &[u8], undecided: &mut Vec<String>) -> Result<(), String> {
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
                _ => {
                    undecided.push("a huge path length".into());
                    Some(u32::MAX)
                }
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

    fn authority_key_identifier(&mut self, value: &[u8], undecided: &mut Vec<String>) -> Result<(), String> {
        let mut reader = der::only(value, SEQUENCE, "authorityKeyIdentifier")?;
        let id = reader.optional(0x80, "keyIdentifier")?.map(|id| id.content.to_vec());
        let issuer = match reader.optional(0xa1, "authorityCertIssuer")? {
            // The first directory name is the one that is compared.
            Some(names) => {
                general_names(Reader::new(names.content), undecided)?.into_iter().find_map(|name| name.directory)
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
pub(super) fn general_names(mut reader: Reader<'_>, undecided: &mut Vec<String>) -> Result<Vec<GeneralName>, String> {
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
                directory = Some(distinguished::name(name.rest(), undecided)?.canonical);
                Name::Other
            }
            0xa0 => {
                let mut other = Reader::new(element.content);
                other.expect(OID, "an other name")?;
                other.expect(0xa0, "an other name")?;
                other.end("an other name")?;
                Name::Other
            }
            0xa3 | 0xa5 => {
                undecided.push("an X.400 or EDI name".into());
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

/// SEQUENCE OF SEQUENCE of nothing but `[0]`, `[1]` and `[2]`, each in good order: what every CA writes.
fn is_list_of_distribution_points(value: &[u8]) -> bool {
    let walk = || {
        let mut points = der::only(value, SEQUENCE, "")?;
        while !points.is_empty() {
            let mut point = Reader::new(points.expect(SEQUENCE, "")?.content);
            let mut full = Reader::new(point.expect(0xa0, "")?.content);
            let mut names = Reader::new(full.expect(0xa0, "")?.content);
            while !names.is_empty() {
                names.expect(0x86, "")?;
            }
            full.end("")?;
            point.end("")?;
        }
        Ok::<(), String>(())
    };
    walk().is_ok()
}
