#![allow(clippy::disallowed_methods)] // a test dials the demo itself

use std::net::Ipv4Addr;
use std::sync::Mutex;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};

use super::*;
use crate::demo::pki::{Authority, Files};
use crate::demo::{Demo, find, start};

/// Far more than anything here takes; only so that a fault fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

async fn demo(name: &str) -> Demo {
    start(find(name).unwrap()).await.unwrap()
}

fn shared(demo: &mut Demo) -> Files {
    let data = &demo.scene.shared_secret().unwrap().data;
    Files { certificate: data["tls.crt"].clone(), key: data["tls.key"].clone(), trust: data["ca.crt"].clone() }
}

/// Accepts any server and offers these files; keeps the CA names it was asked with.
#[derive(Debug)]
struct Client {
    identity: Option<Arc<CertifiedKey>>,
    ca_names: Mutex<usize>,
}

impl Client {
    fn new(files: Option<&Files>) -> Arc<Self> {
        let identity = files.map(|files| {
            let chain = CertificateDer::pem_slice_iter(files.certificate.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(files.key.as_bytes()).unwrap();
            let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
            Arc::new(CertifiedKey::new(chain, key))
        });
        Arc::new(Client { identity, ca_names: Mutex::new(0) })
    }
}

impl ResolvesClientCert for Client {
    fn resolve(&self, ca_names: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.ca_names.lock().unwrap() = ca_names.len();
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for Client {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What a dial saw.
#[derive(Debug, PartialEq)]
enum Saw {
    /// The stream ended inside the handshake; no byte of an alert.
    EndInHandshake,
    /// The handshake passed, then the stream ended; no byte of an alert.
    EndAfterHandshake,
    /// These decrypted bytes.
    Bytes(Vec<u8>),
}

struct Dial<'a> {
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: &'a [&'a str],
}

const TLS13: Dial<'static> = Dial { versions: &[&rustls::version::TLS13], alpn: &["h2"] };
const TLS12: Dial<'static> = Dial { versions: &[&rustls::version::TLS12], alpn: &["h2"] };

/// Dials and writes an HTTP/2 preface as gRPC does. A reset, or an alert, is a panic.
async fn dial(to: (Ipv4Addr, u16), client: &Arc<Client>, dial: &Dial<'_>) -> Saw {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(dial.versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(client.clone())
        .with_client_cert_resolver(client.clone());
    config.alpn_protocols = dial.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut tls = ClientConnection::new(Arc::new(config), "ray-head-svc".try_into().unwrap()).unwrap();
    let mut stream = TcpStream::connect(to).await.unwrap();
    std::io::Write::write_all(&mut tls.writer(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut bytes = [0; 16 * 1024];
    let mut got = Vec::new();
    let seen = async {
        loop {
            let mut records = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut records).unwrap();
            }
            stream.write_all(&records).await.unwrap();
            let n = stream.read(&mut bytes).await.unwrap();
            if n == 0 {
                return if tls.is_handshaking() { Saw::EndInHandshake } else { Saw::EndAfterHandshake };
            }
            let mut rest = &bytes[..n];
            while !rest.is_empty() {
                tls.read_tls(&mut rest).unwrap();
                let state = tls.process_new_packets().unwrap();
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                std::io::Read::read_exact(&mut tls.reader(), &mut plain).unwrap();
                got.extend(plain);
            }
            // The greeting, and the acknowledgement of our SETTINGS.
            if got.len() >= 46 + 9 {
                return Saw::Bytes(got);
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap()
}

#[tokio::test]
async fn a_healthy_port_greets_a_right_client_and_only_closes_on_others() {
    let mut demo = demo("healthy").await;
    let block = demo.scene.block;
    let right = Client::new(Some(&shared(&mut demo)));
    let none = Client::new(None);
    let other_ca = Authority::root("other", demo.scene.leaf().dates).unwrap();
    let wrong = Client::new(Some(&other_ca.issue(&demo.scene.leaf()).unwrap()));
    let ports = [
        (block.address(10), block.gcs),
        (block.address(10), block.client),
        (block.address(10), block.node_manager),
        (block.address(11), block.node_manager),
        (block.address(12), block.node_manager),
    ];
    for to in ports {
        for how in [&TLS13, &TLS12] {
            let Saw::Bytes(bytes) = dial(to, &right, how).await else { panic!("{to:?} refuses the right client") };
            assert_eq!(bytes[..46], *http2::GREETING);
            assert_eq!(bytes[46..], [0, 0, 0, 4, 1, 0, 0, 0, 0]);
        }
        for client in [&none, &wrong] {
            assert_eq!(dial(to, client, &TLS13).await, Saw::EndAfterHandshake, "{to:?}");
            assert_eq!(dial(to, client, &TLS12).await, Saw::EndInHandshake, "{to:?}");
        }
        for alpn in [&[][..], &["http/1.1"]] {
            assert_eq!(dial(to, &right, &Dial { alpn, ..TLS13 }).await, Saw::EndAfterHandshake, "{to:?}");
        }
    }
    dial(ports[0], &right, &TLS13).await;
    assert_eq!(*right.ca_names.lock().unwrap(), 1, "the C++ core names its CA");
    dial(ports[1], &right, &TLS13).await;
    assert_eq!(*right.ca_names.lock().unwrap(), 0, "Python names none");
}

/// Writes these bytes and reads to the end.
async fn raw(to: (Ipv4Addr, u16), bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut got = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got)).await.unwrap().unwrap();
    got
}

#[tokio::test]
async fn a_tls_port_says_nothing_to_plaintext() {
    let demo = demo("healthy").await;
    let to = (demo.scene.block.address(10), demo.scene.block.gcs);
    for bytes in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(raw(to, bytes).await, b"");
    }
}

#[tokio::test]
async fn a_plaintext_worker_speaks_first_and_closes_on_a_client_hello() {
    for fault in ["plaintext-worker", "yes-is-not-true"] {
        let demo = demo(fault).await;
        let to = (demo.scene.block.address(11), demo.scene.block.node_manager);
        let mut stream = TcpStream::connect(to).await.unwrap();
        let mut first = [0; 46];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap().unwrap();
        assert_eq!(first[..], *http2::GREETING);
        assert_eq!(raw(to, &[0x16, 0x03, 0x01, 0x00, 0xc8, 0x01]).await, http2::GREETING);
    }
}

async fn open(demo: &Demo, last: u8, port: u16) -> bool {
    TcpStream::connect((demo.scene.block.address(last), port)).await.is_ok()
}

#[tokio::test]
async fn ports_are_open_as_far_as_ray_would_have_come() {
    // Fault, and whether GCS, Ray Client and a worker's raylet listen.
    let cases = [
        ("healthy", [true, true, true]),
        ("pod-ip-missing", [true, false, true]),
        ("client-auth-missing", [true, false, true]),
        ("ed25519-leaf", [true, false, true]),
        ("ca-order", [true, true, true]),
        ("p521-leaf", [true, false, true]),
        ("ip-as-dns-name", [true, true, true]),
        ("missing-intermediate", [true, false, true]),
        ("not-yet-valid", [true, false, true]),
        ("expired", [true, true, true]),
        ("ca-expired", [true, true, true]),
        ("missing-name", [true, true, true]),
        ("wrong-ca", [true, true, true]),
        ("rotated-not-restarted", [true, true, true]),
        ("forbidden", [true, true, true]),
        ("client-without-tls", [true, true, true]),
        ("key-mismatch", [false, false, false]),
        ("empty-secret", [false, false, false]),
        ("missing-secret", [false, false, false]),
        ("wrong-path", [true, true, false]),
        ("typo-variable", [true, true, false]),
        ("plaintext-worker", [true, true, true]),
        ("yes-is-not-true", [true, true, true]),
    ];
    assert_eq!(cases.len(), crate::demo::all().len());
    for (fault, expected) in cases {
        let demo = demo(fault).await;
        let block = demo.scene.block;
        let seen = [
            open(&demo, 10, block.gcs).await,
            open(&demo, 10, block.client).await,
            open(&demo, 11, block.node_manager).await,
        ];
        assert_eq!(seen, expected, "{fault}");
    }
}

#[tokio::test]
async fn what_the_secret_holds_is_refused_where_the_fault_says_so() {
    // Fault, and whether the GCS accepts the certificate in the shared Secret.
    let cases = [
        ("healthy", true),
        ("pod-ip-missing", true),
        ("missing-name", true),
        ("expired", false),
        ("not-yet-valid", false),
        ("ca-expired", false),
        ("missing-intermediate", false),
        ("client-auth-missing", false),
        ("ed25519-leaf", false),
        ("rotated-not-restarted", false),
    ];
    for (fault, accepted) in cases {
        let mut demo = demo(fault).await;
        let to = (demo.scene.block.address(10), demo.scene.block.gcs);
        let client = Client::new(Some(&shared(&mut demo)));
        let saw = dial(to, &client, &TLS13).await;
        assert_eq!(matches!(saw, Saw::Bytes(_)), accepted, "{fault}: {saw:?}");
    }
}
