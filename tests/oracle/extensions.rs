//! The extensions that matter to gRPC, in good order.

use crate::certificate::Dn;
pub(crate) use crate::certificate::Extension;
use crate::der::{BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, number, oid, sequence, wrap};

pub(crate) const SUBJECT_KEY_ID: &str = "2.5.29.14";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub(crate) const POLICIES: &str = "2.5.29.32";
pub(crate) const AUTHORITY_KEY_ID: &str = "2.5.29.35";
pub(crate) const POLICY_CONSTRAINTS: &str = "2.5.29.36";
pub(crate) const EXT_KEY_USAGE: &str = "2.5.29.37";
pub(crate) const INHIBIT_ANY: &str = "2.5.29.54";
pub(crate) const NETSCAPE_TYPE: &str = "2.16.840.1.113730.1.1";
pub(crate) const AUTHORITY_INFO: &str = "1.3.6.1.5.5.7.1.1";

pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
pub(crate) const ANY_PURPOSE: &str = "2.5.29.37.0";
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";

pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0x20;
pub(crate) const CERT_SIGN: u8 = 0x04;
pub(crate) const CRL_SIGN: u8 = 0x02;

/// A GeneralName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Directory(Dn),
    Dns(String),
    Email(String),
    Ip(Vec<u8>),
    Uri(String),
}

impl Name {
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Name::Email(text) => wrap(0x81, text.as_bytes()),
            Name::Dns(text) => wrap(0x82, text.as_bytes()),
            Name::Directory(name) => wrap(0xa4, &name.write()),
            Name::Uri(text) => wrap(0x86, text.as_bytes()),
            Name::Ip(octets) => wrap(0x87, octets),
        }
    }
}

pub(crate) fn basic_constraints(ca: bool, path_len: Option<u8>) -> Extension {
    let ca = if ca { wrap(BOOLEAN, &[0xff]) } else { Vec::new() };
    Extension::new(BASIC_CONSTRAINTS, sequence(&[ca, path_len.map(number).unwrap_or_default()])).critical()
}

/// The bits of the first octet.
pub(crate) fn key_usage(bits: u8) -> Extension {
    let unused = if bits == 0 { 0 } else { bits.trailing_zeros() };
    let octets = [u8::try_from(unused).unwrap(), bits];
    let content = if bits == 0 { &octets[..1] } else { &octets[..] };
    Extension::new(KEY_USAGE, wrap(BIT_STRING, content)).critical()
}

pub(crate) fn ext_key_usage(purposes: &[&str]) -> Extension {
    Extension::new(EXT_KEY_USAGE, sequence(&purposes.iter().map(|purpose| oid(purpose)).collect::<Vec<_>>()))
}

pub(crate) fn subject_alt_name(names: &[Name]) -> Extension {
    Extension::new(SUBJECT_ALT_NAME, sequence(&names.iter().map(Name::write).collect::<Vec<_>>()))
}

pub(crate) fn subject_key_id(id: &[u8]) -> Extension {
    Extension::new(SUBJECT_KEY_ID, wrap(OCTET_STRING, id))
}

/// Key id, and name and serial number of the issuer's certificate by *its* issuer.
pub(crate) fn authority_key_id(id: Option<&[u8]>, certificate: Option<(&Dn, &[u8])>) -> Extension {
    let mut parts = vec![id.map(|id| wrap(0x80, id)).unwrap_or_default()];
    if let Some((issuer, serial)) = certificate {
        parts.push(wrap(0xa1, &Name::Directory(issuer.clone()).write()));
        parts.push(wrap(0x82, serial));
    }
    Extension::new(AUTHORITY_KEY_ID, sequence(&parts))
}

pub(crate) fn name_constraints(permitted: &[Name], excluded: &[Name]) -> Extension {
    let list = |tag, names: &[Name]| {
        let subtrees = names.iter().map(|name| sequence(&[name.write()])).collect::<Vec<_>>();
        if names.is_empty() { Vec::new() } else { wrap(tag, &subtrees.concat()) }
    };
    Extension::new(NAME_CONSTRAINTS, sequence(&[list(0xa0, permitted), list(0xa1, excluded)])).critical()
}

pub(crate) fn policies(oids: &[&str]) -> Extension {
    Extension::new(POLICIES, sequence(&oids.iter().map(|policy| sequence(&[oid(policy)])).collect::<Vec<_>>()))
}

pub(crate) fn require_explicit_policy(skipped: u8) -> Extension {
    Extension::new(POLICY_CONSTRAINTS, wrap(SEQUENCE, &wrap(0x80, &[skipped]))).critical()
}

pub(crate) fn inhibit_any_policy(skipped: u8) -> Extension {
    Extension::new(INHIBIT_ANY, wrap(INTEGER, &[skipped])).critical()
}

pub(crate) fn netscape_type(bits: u8) -> Extension {
    let unused = u8::try_from(bits.trailing_zeros().min(7)).unwrap();
    Extension::new(NETSCAPE_TYPE, wrap(BIT_STRING, &[unused, bits]))
}
