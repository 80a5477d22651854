//! Certificates made at run time, as an operator's script would make them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// A certificate authority of one test.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub(crate) certificate: String,
    /// Its key, PKCS#8 PEM.
    pub(crate) key: String,
}

/// A leaf with its key, both PEM.
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// When a leaf ends.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    NextYear,
    LongAgo,
}

impl Ca {
    /// Every CA of these tests has the same name: a CA made anew under its old name is the hard case.
    pub(crate) fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ray-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(this_year() + 10, 1, 1));
        let key_pair = KeyPair::generate().unwrap();
        let (certificate, key) = (params.self_signed(&key_pair).unwrap().pem(), key_pair.serialize_pem());
        Ca { issuer: Issuer::new(params, key_pair), certificate, key }
    }

    /// A leaf for server and client, with these names and addresses as SANs.
    pub(crate) fn leaf(&self, names: &[&str], ends: Ends) -> Leaf {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "ray");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = match ends {
            Ends::NextYear => date_time_ymd(this_year() + 1, 12, 31),
            Ends::LongAgo => date_time_ymd(2024, 12, 31),
        };
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

fn this_year() -> i32 {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year().into()
}
