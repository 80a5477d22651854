//! Certificates made at run time, as an operator's script would make them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// What Ray dials in `head.yaml`, `worker.yaml` and `client.yaml`.
pub(crate) const NAMES: [&str; 4] = ["ray-head", "ray-worker", "localhost", "127.0.0.1"];

/// A certificate authority of one row.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub(crate) certificate: String,
    /// Its key, PKCS#8 PEM.
    pub(crate) key: String,
}

/// A leaf with its key, both PEM.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Ca {
    /// Every CA of these rows has the same name: a CA made anew under its old name is the hard case.
    pub(crate) fn new() -> Ca {
        Ca::made(|_| {})
    }

    /// A CA with something changed.
    pub(crate) fn made(change: impl FnOnce(&mut CertificateParams)) -> Ca {
        Ca::with_key(KeyPair::generate().unwrap(), change)
    }

    /// A further certificate of the same CA: the same name and key, with something changed.
    pub(crate) fn again(&self, change: impl FnOnce(&mut CertificateParams)) -> Ca {
        Ca::with_key(KeyPair::from_pem(&self.key).unwrap(), change)
    }

    fn with_key(key_pair: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Ca {
        let mut params = authority("ray-ca");
        change(&mut params);
        let (certificate, key) = (params.self_signed(&key_pair).unwrap().pem(), key_pair.serialize_pem());
        Ca { issuer: Issuer::new(params, key_pair), certificate, key }
    }

    /// A CA of its own that this one signed.
    pub(crate) fn intermediate(&self) -> Ca {
        let (params, key_pair) = (authority("ray-intermediate"), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key_pair, &self.issuer).unwrap().pem();
        let key = key_pair.serialize_pem();
        Ca { issuer: Issuer::new(params, key_pair), certificate, key }
    }

    /// A leaf for server and client, with these names and addresses as SANs.
    pub(crate) fn leaf(&self, names: &[&str]) -> Leaf {
        self.leaf_made(names, |_| {})
    }

    /// A leaf with something changed.
    pub(crate) fn leaf_made(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        self.leaf_of(KeyPair::generate().unwrap(), names, change)
    }

    /// A leaf with this key and something changed.
    pub(crate) fn leaf_of(&self, key: KeyPair, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "ray");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(this_year() + 1, 12, 31);
        change(&mut params);
        Leaf { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// For [`Ca::leaf_made`] and [`Ca::made`]: it ended in 2024.
pub(crate) fn expired(params: &mut CertificateParams) {
    (params.not_before, params.not_after) = (date_time_ymd(2023, 1, 1), date_time_ymd(2024, 12, 31));
}

/// For [`Ca::leaf_made`]: it begins next year.
pub(crate) fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(this_year() + 1, 1, 1);
}

/// What openssl says on stdout; for what no library makes any more.
pub(crate) fn openssl(args: &[&str], stdin: &str) -> String {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl must be on PATH");
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {} failed", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(this_year() + 10, 1, 1));
    params
}

fn this_year() -> i32 {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year().into()
}
