//! Writes a certificate from facts, so that anything odd can be written.

use jiff::Timestamp;

use crate::der::{
    BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, PRINTABLE_STRING, UTC_TIME, UTF8_STRING, bits, number, oid,
    sequence, wrap,
};
use crate::keys::Key;

/// What a certificate says. All is written as it stands here.
#[derive(Clone)]
pub(crate) struct Facts {
    /// The number written: 2 means version 3. None leaves the field out, which means version 1.
    pub(crate) version: Option<u8>,
    /// Octets of the serial number.
    pub(crate) serial: Vec<u8>,
    /// AlgorithmIdentifier in the signed part; none for the signer's.
    pub(crate) inner_algorithm: Option<Vec<u8>>,
    /// AlgorithmIdentifier beside the signature; none for the signer's.
    pub(crate) outer_algorithm: Option<Vec<u8>>,
    pub(crate) issuer: Dn,
    pub(crate) subject: Dn,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    /// DER SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    /// DER of issuerUniqueID and subjectUniqueID.
    pub(crate) unique_ids: Vec<u8>,
    /// In this order, repetitions included; none at all leaves the field out.
    pub(crate) extensions: Vec<Extension>,
    /// Whether the signature is spoiled.
    pub(crate) is_spoiled: bool,
}

impl Facts {
    /// The DER, signed with a key.
    pub(crate) fn write(&self, signer: &Key) -> Vec<u8> {
        self.seal(&self.to_be_signed(signer), signer)
    }

    /// The part that is signed.
    pub(crate) fn to_be_signed(&self, signer: &Key) -> Vec<u8> {
        let version = self.version.map_or_else(Vec::new, |version| wrap(0xa0, &number(version)));
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            wrap(0xa3, &sequence(&self.extensions.iter().map(Extension::write).collect::<Vec<_>>()))
        };
        sequence(&[
            version,
            wrap(INTEGER, &self.serial),
            self.inner_algorithm.clone().unwrap_or_else(|| signer.algorithm.clone()),
            self.issuer.write(),
            sequence(&[self.not_before.write(), self.not_after.write()]),
            self.subject.write(),
            self.spki.clone(),
            self.unique_ids.clone(),
            extensions,
        ])
    }

    /// Signs what [`Facts::to_be_signed`] wrote, or something else.
    pub(crate) fn seal(&self, tbs: &[u8], signer: &Key) -> Vec<u8> {
        let mut signature = signer.sign(tbs);
        if self.is_spoiled
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        let outer = self.outer_algorithm.clone().unwrap_or_else(|| signer.algorithm.clone());
        sequence(&[tbs.to_vec(), outer, bits(&signature)])
    }

    /// Puts an extension in the place of all of its kind.
    pub(crate) fn set(&mut self, extension: Extension) {
        self.drop(extension.oid);
        self.extensions.push(extension);
    }

    pub(crate) fn drop(&mut self, oid: &str) {
        self.extensions.retain(|extension| extension.oid != oid);
    }
}

/// A distinguished name; each RDN is a list of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dn(pub(crate) Vec<Vec<Attribute>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) oid: &'static str,
    /// Tag of the value.
    pub(crate) tag: u8,
    pub(crate) value: Vec<u8>,
}

pub(crate) const COMMON_NAME: &str = "2.5.4.3";
pub(crate) const ORGANIZATION: &str = "2.5.4.10";
pub(crate) const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";

impl Dn {
    /// `O=organization,CN=common_name` as UTF8Strings.
    pub(crate) fn new(organization: &str, common_name: &str) -> Dn {
        let name = |oid, text: &str| vec![Attribute { oid, tag: UTF8_STRING, value: text.into() }];
        Dn(vec![name(ORGANIZATION, organization), name(COMMON_NAME, common_name)])
    }

    /// The same name for gRPC: other string types, case and blanks.
    pub(crate) fn respelled(&self) -> Dn {
        let mut other = self.clone();
        for attribute in other.0.iter_mut().flatten() {
            attribute.tag = PRINTABLE_STRING;
            attribute.value.make_ascii_uppercase();
            attribute.value.insert(0, b' ');
        }
        other
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let attribute = |attribute: &Attribute| sequence(&[oid(attribute.oid), wrap(attribute.tag, &attribute.value)]);
        let rdn = |rdn: &Vec<Attribute>| wrap(crate::der::SET, &rdn.iter().map(attribute).collect::<Vec<_>>().concat());
        sequence(&self.0.iter().map(rdn).collect::<Vec<_>>())
    }
}

/// A point in time as it is written.
#[derive(Clone)]
pub(crate) struct Time {
    pub(crate) tag: u8,
    pub(crate) text: String,
}

impl Time {
    /// As RFC 5280 wants it.
    pub(crate) fn of(time: Timestamp) -> Time {
        if time.strftime("%Y").to_string().as_str() < "2050" {
            Time { tag: UTC_TIME, text: time.strftime("%y%m%d%H%M%SZ").to_string() }
        } else {
            Time::generalized(time)
        }
    }

    pub(crate) fn generalized(time: Timestamp) -> Time {
        Time { tag: GENERALIZED_TIME, text: time.strftime("%Y%m%d%H%M%SZ").to_string() }
    }

    fn write(&self) -> Vec<u8> {
        wrap(self.tag, self.text.as_bytes())
    }
}

/// An extension.
#[derive(Clone)]
pub(crate) struct Extension {
    pub(crate) oid: &'static str,
    /// DER of the flag; empty when left out.
    pub(crate) critical: Vec<u8>,
    /// What the OCTET STRING holds.
    pub(crate) value: Vec<u8>,
}

impl Extension {
    pub(crate) fn new(oid: &'static str, value: Vec<u8>) -> Extension {
        Extension { oid, critical: Vec::new(), value }
    }

    pub(crate) fn critical(self) -> Extension {
        Extension { critical: wrap(BOOLEAN, &[0xff]), ..self }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        sequence(&[oid(self.oid), self.critical.clone(), wrap(OCTET_STRING, &self.value)])
    }
}
