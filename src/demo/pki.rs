//! Certificates, made fresh for every demo.

use std::time::SystemTime;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SignatureAlgorithm,
};

/// A CA. No `Debug`: it holds a private key.
pub(super) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

/// What a leaf is to be.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// Valid from and until.
    pub dates: (Timestamp, Timestamp),
    /// Extended key usages.
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    /// Whether IP addresses are written as DNS names, as Ray's own helper does.
    pub ips_as_dns: bool,
    /// Whether it names the key of its CA (authorityKeyIdentifier).
    pub names_ca_key: bool,
    /// Kind of key.
    pub algorithm: &'static SignatureAlgorithm,
}

/// The three files of a party, as PEM. No `Debug`: the key is private.
#[derive(Clone)]
pub(super) struct Files {
    /// `tls.crt`.
    pub certificate: String,
    /// `tls.key`.
    pub key: String,
    /// `ca.crt`.
    pub trust: String,
}

impl Authority {
    /// A self-signed CA.
    pub(super) fn root(name: &str, dates: (Timestamp, Timestamp)) -> Result<Self, rcgen::Error> {
        let params = ca_params(name, dates);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Authority { params, key, certificate })
    }

    /// A CA below this one.
    pub(super) fn intermediate(&self, name: &str, dates: (Timestamp, Timestamp)) -> Result<Self, rcgen::Error> {
        let params = ca_params(name, dates);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key))?;
        Ok(Authority { params, key, certificate })
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A leaf with a fresh key. `trust` is this CA; no intermediate is added.
    pub(super) fn issue(&self, leaf: &Leaf) -> Result<Files, rcgen::Error> {
        let mut params = CertificateParams::new(leaf.names.clone())?;
        if leaf.ips_as_dns {
            let dns = |name: &String| Ok(SanType::DnsName(name.as_str().try_into()?));
            params.subject_alt_names = leaf.names.iter().map(dns).collect::<Result<_, rcgen::Error>>()?;
        }
        params.distinguished_name = named("ray");
        params.not_before = SystemTime::from(leaf.dates.0).into();
        params.not_after = SystemTime::from(leaf.dates.1).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = leaf.purposes.clone();
        params.use_authority_key_identifier_extension = leaf.names_ca_key;
        let key = KeyPair::generate_for(leaf.algorithm)?;
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key))?;
        Ok(Files { certificate: certificate.pem(), key: key.serialize_pem(), trust: self.pem() })
    }
}

fn ca_params(name: &str, dates: (Timestamp, Timestamp)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.not_before = SystemTime::from(dates.0).into();
    params.not_after = SystemTime::from(dates.1).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
