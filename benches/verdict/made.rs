//! The files that are judged.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raytls::grpc::certificate::Certificate;
use raytls::grpc::path;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
};

/// A server's chain, what its peer trusts, and what the peer dials.
pub(crate) struct Files {
    pub(crate) leaf: Vec<u8>,
    pub(crate) chain: String,
    pub(crate) trust: String,
    pub(crate) host: String,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    P256,
    Rsa2048,
    Rsa4096,
}

/// When it is judged: a day in 2026, in seconds.
pub(crate) const NOW: i64 = 1_795_500_000;

/// Leaf and intermediate presented, root trusted.
pub(crate) fn chain(kind: Kind) -> Files {
    let (root, issuer) = root("root", kind);
    let (params, key) = (ca("intermediate"), key(kind));
    let between = params.signed_by(&key, &issuer).unwrap().der().to_vec();
    let leaf = leaf(vec![dns_name(HOST)], kind, &Issuer::new(params, key));
    files(HOST, &[leaf, between], &[root])
}

/// As many CAs of different names, the leaf's in the middle.
pub(crate) fn bundle(count: usize) -> Files {
    let mut cas = (0..count).map(|at| root(&format!("ca {at}"), Kind::P256)).collect::<Vec<_>>();
    let (ca, issuer) = cas.swap_remove(count / 2);
    let leaf = leaf(vec![dns_name(HOST)], Kind::P256, &issuer);
    let trust = cas.into_iter().map(|(der, _)| der).chain([ca]).collect::<Vec<_>>();
    files(HOST, &[leaf], &trust)
}

/// As many CAs of one name; the leaf is by the one that the core takes.
pub(crate) fn namesakes(count: usize) -> Files {
    let mut cas = (0..count).map(|_| root("ca", Kind::P256)).collect::<Vec<_>>();
    let trust = cas.iter().map(|(der, _)| der.clone()).collect::<Vec<_>>();
    let probe = leaf(vec![dns_name(HOST)], Kind::P256, &cas[0].1);
    let held = trust.iter().map(|der| Certificate::parse(der).unwrap()).collect::<Vec<_>>();
    let probe = [Certificate::parse(&probe).unwrap()];
    let taken = path::build(&probe, &held, super::profile()).unwrap().unwrap().certificates[1];
    let (_, issuer) = cas.swap_remove(held.iter().position(|held| held == taken).unwrap());
    files(HOST, &[leaf(vec![dns_name(HOST)], Kind::P256, &issuer)], &trust)
}

/// A leaf with as many IPs, the last of which is dialled.
pub(crate) fn ips(count: usize) -> Files {
    let ips = (0..count).map(|at| Ipv4Addr::from(0x0a00_0000 + u32::try_from(at).unwrap())).collect::<Vec<_>>();
    let host = ips.last().unwrap().to_string();
    one_ca(&host, ips.into_iter().map(|ip| SanType::IpAddress(IpAddr::V4(ip))).collect())
}

/// A leaf with as many DNS names, the last of which is dialled. They are short, since gRPC reads 102,400 octets of a chain.
pub(crate) fn dns(count: usize) -> Files {
    let names = (0..count).map(|at| format!("n{at}.a")).collect::<Vec<_>>();
    one_ca(names.last().unwrap(), names.iter().map(|name| dns_name(name)).collect())
}

/// A leaf with as many extensions that nobody knows.
pub(crate) fn extensions(count: usize) -> Files {
    let (root, issuer) = root("root", Kind::P256);
    let mut params = server(vec![dns_name(HOST)]);
    let arcs = (1..).take(count).map(|last| [1, 3, 6, 1, 4, 1, last]);
    params.custom_extensions = arcs.map(|oid| CustomExtension::from_oid_content(&oid, vec![5, 0])).collect();
    files(HOST, &[params.signed_by(&key(Kind::P256), &issuer).unwrap().der().to_vec()], &[root])
}

/// As many CAs presented that have nothing to do with the leaf.
pub(crate) fn strangers(count: usize) -> Files {
    let (root_der, issuer) = root("root", Kind::P256);
    let mut chain = vec![leaf(vec![dns_name(HOST)], Kind::P256, &issuer)];
    chain.extend((0..count).map(|at| root(&format!("stranger {at}"), Kind::P256).0));
    files(HOST, &chain, &[root_der])
}

const HOST: &str = "node1.ray.local";

fn one_ca(host: &str, names: Vec<SanType>) -> Files {
    let (root, issuer) = root("root", Kind::P256);
    files(host, &[leaf(names, Kind::P256, &issuer)], &[root])
}

fn root(name: &str, kind: Kind) -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let (params, key) = (ca(name), key(kind));
    let der = params.self_signed(&key).unwrap().der().to_vec();
    (der, Issuer::new(params, key))
}

fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(names: Vec<SanType>, kind: Kind, issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
    server(names).signed_by(&key(kind), issuer).unwrap().der().to_vec()
}

fn server(names: Vec<SanType>) -> CertificateParams {
    let mut params = named("node");
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn dns_name(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn key(kind: Kind) -> KeyPair {
    match kind {
        Kind::P256 => KeyPair::generate().unwrap(),
        Kind::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(),
        Kind::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096).unwrap(),
    }
}

fn files(host: &str, chain: &[Vec<u8>], trust: &[Vec<u8>]) -> Files {
    Files { leaf: chain[0].clone(), chain: pem(chain), trust: pem(trust), host: host.into() }
}

fn pem(ders: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for der in ders {
        text += "-----BEGIN CERTIFICATE-----\n";
        for line in STANDARD.encode(der).as_bytes().chunks(64) {
            text += std::str::from_utf8(line).unwrap();
            text.push('\n');
        }
        text += "-----END CERTIFICATE-----\n";
    }
    text
}
