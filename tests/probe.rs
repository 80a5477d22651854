//! The prober against real servers on 127.0.0.1, each wrong in a way that was met in the field.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use raytls::collect::keyring::{Identity, Keyring};
use raytls::evidence::{Handshake, Outcome, Settings, Target, Tls, Why};
use raytls::probe::plan::Dial;
use raytls::probe::run::{Route, probe_address, run};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// The 46 bytes a plaintext Ray port says on connect, up to the end of its SETTINGS frame.
const SETTINGS: &[u8] =
    b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x03\x7f\xff\xff\xff\x00\x04\x00\x3f\xff\xff\x00\x06\x00\x00\x40\x00\xfe\x03\x00\x00\x00\x01";

#[tokio::test]
async fn mutual_tls_with_settings_is_accepted() {
    let pki = Pki::new("ray-ca");
    let port = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Silent }).await;
    let seen = probe(port, Some(&pki)).await;
    let tls = tls(&seen);
    assert_eq!(tls.settings, Settings::Received);
    assert_eq!((tls.version.as_str(), tls.alpn.as_deref()), ("TLS 1.3", Some("h2")));
    assert!(tls.client_certificate_requested);
    assert_eq!(tls.ca_names, ["CN=ray-ca"]);
    assert_eq!(tls.chain.len(), 1);
    assert_eq!(steps(&seen), ["tcp", "first-bytes", "tls", "settings"]);
    assert!(seen.steps.iter().all(|step| step.ok), "{:?}", seen.steps);
    assert_eq!(seen.client.map(|client| client.certificate), Some("leaf".into()));
}

#[tokio::test]
async fn a_refused_certificate_is_an_end_without_a_word() {
    let (pki, other) = (Pki::new("ray-ca"), Pki::new("other-ca"));
    let port = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Silent }).await;
    for identity in [None, Some(&other)] {
        let seen = probe(port, identity).await;
        assert_eq!(tls(&seen).settings, Settings::Closed);
        assert_eq!(tls(&seen).chain.len(), 1, "the server's certificate is shown all the same");
        assert!(!seen.steps.last().unwrap().ok);
    }
}

#[tokio::test]
async fn a_refused_certificate_in_tls_1_2_ends_the_handshake() {
    let pki = Pki::new("ray-ca");
    let config = pki.config(Ask::Required, &[&rustls::version::TLS12], true);
    let port = serve(Port { config, on_refusal: End::Silent }).await;
    let refused = probe(port, None).await;
    assert_eq!(tls(&refused).settings, Settings::Closed);
    assert_eq!(tls(&refused).version, "TLS 1.2");
    assert_eq!(tls(&refused).chain.len(), 1);
    assert_eq!(steps(&refused), ["tcp", "first-bytes", "tls"]);
    assert_eq!(tls(&probe(port, Some(&pki)).await).settings, Settings::Received);
}

#[tokio::test]
async fn an_alert_is_told_from_an_end() {
    let pki = Pki::new("ray-ca");
    let port = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Alert }).await;
    let seen = probe(port, None).await;
    assert!(matches!(&tls(&seen).settings, Settings::Alert(alert) if alert == "CertificateRequired"), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_no_certificate_is_seen() {
    let pki = Pki::new("ray-ca");
    let port = serve(Port { config: pki.server(Ask::Never), on_refusal: End::Silent }).await;
    let seen = probe(port, Some(&pki)).await;
    assert!(!tls(&seen).client_certificate_requested);
    assert_eq!(tls(&seen).settings, Settings::Received);
}

#[tokio::test]
async fn without_alpn_the_connection_ends_after_the_handshake() {
    let pki = Pki::new("ray-ca");
    let config = pki.config(Ask::Required, rustls::ALL_VERSIONS, false);
    let port = serve(Port { config, on_refusal: End::Silent }).await;
    let seen = probe(port, Some(&pki)).await;
    assert_eq!(tls(&seen).alpn, None);
    assert_eq!(tls(&seen).settings, Settings::Closed);
}

#[tokio::test]
async fn the_group_of_an_old_grpc_is_told() {
    let pki = Pki::new("ray-ca");
    let port = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Silent }).await;
    assert_ne!(tls(&probe(port, Some(&pki)).await).group, "secp256r1");
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1];
    let config = pki.config_of(provider, Ask::Required, rustls::ALL_VERSIONS, true);
    let port = serve(Port { config, on_refusal: End::Silent }).await;
    assert_eq!(tls(&probe(port, Some(&pki)).await).group, "secp256r1");
}

#[tokio::test]
async fn a_p521_leaf_is_shown_although_grpc_would_refuse_it() {
    let mut pki = Pki::new("ray-ca");
    pki.reissue(&rcgen::PKCS_ECDSA_P521_SHA512);
    let port = serve(Port { config: pki.server(Ask::Never), on_refusal: End::Silent }).await;
    assert_eq!(tls(&probe(port, None).await).chain.len(), 1);
}

#[tokio::test]
async fn plaintext_grpc_speaks_first() {
    let port = talk(|mut stream| async move {
        stream.write_all(SETTINGS).await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let seen = probe(port, None).await;
    assert_eq!(seen.outcome, Outcome::PlainGrpc);
    assert_eq!(steps(&seen), ["tcp", "first-bytes"]);
}

#[tokio::test]
async fn plaintext_grpc_that_is_slow_is_known_by_its_answer_to_tls() {
    let port = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(&SETTINGS[..5]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = stream.write_all(&SETTINGS[5..]).await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    assert_eq!(probe(port, None).await.outcome, Outcome::PlainGrpc);
}

#[tokio::test]
async fn plaintext_http_is_told() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "<!DOCTYPE HTML><html>"] {
        let port = talk(move |mut stream| async move {
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        assert_eq!(probe(port, None).await.outcome, Outcome::PlainHttp, "{answer}");
    }
}

#[tokio::test]
async fn a_silent_port_is_late_at_tls() {
    let port = talk(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    assert_eq!(probe(port, None).await.outcome, Outcome::TimedOut { step: "tls".into() });
    // The deadline is ours: it says nothing of the port.
    let soon = Instant::now() + Duration::from_millis(900);
    let seen = probe_address("127.0.0.1", port, None, None, soon).await;
    assert_eq!(seen.outcome, Outcome::NotPossible(Why::TimedOut));
}

#[tokio::test]
async fn a_port_that_hangs_up_is_told_by_when() {
    let at_once = talk(|stream| async move { drop(stream) }).await;
    assert_eq!(probe(at_once, None).await.outcome, Outcome::Closed { step: "first-bytes".into() });
    let when_spoken_to = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    assert_eq!(probe(when_spoken_to, None).await.outcome, Outcome::Closed { step: "tls".into() });
}

#[tokio::test]
async fn garbage_is_kept_as_hex() {
    let first = talk(|mut stream| async move {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let ssh = Outcome::Garbage("5353482d322e302d4f70656e5353485f".into());
    assert_eq!(probe(first, None).await.outcome, ssh);
    let flood = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        while stream.write_all(&[0xa5; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(probe(flood, None).await.outcome, Outcome::Garbage("a5".repeat(16)));
}

#[tokio::test]
async fn broken_tls_is_a_failed_handshake() {
    // A record of type handshake whose ServerHello is nonsense, and one that promises what never comes.
    let port = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(b"\x16\x03\x03\x00\x08\x02\x00\x00\x04\xff\xff\xff\xff").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    assert!(matches!(probe(port, None).await.outcome, Outcome::TlsFailed(_)));
    let alert = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x28").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let seen = probe(alert, None).await.outcome;
    assert!(matches!(&seen, Outcome::TlsFailed(text) if text.contains("HandshakeFailure")), "{seen:?}");
}

#[tokio::test]
async fn a_tarpit_does_not_hold_the_prober() {
    let tls = talk(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        for byte in b"\x16\x03\x03\x40\x00".iter().chain(std::iter::repeat_n(&2, 60)) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let clear = talk(|mut stream| async move {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let (tls, clear) = tokio::join!(probe(tls, None), probe(clear, None));
    assert_eq!(tls.outcome, Outcome::TimedOut { step: "tls".into() });
    assert!(matches!(clear.outcome, Outcome::Garbage(hex) if hex.starts_with("78")));
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let seen = probe(port, None).await;
    assert_eq!(seen.outcome, Outcome::Refused);
    assert_eq!(steps(&seen), ["tcp"]);
}

#[tokio::test]
async fn a_name_without_address_is_said_at_the_dns_step() {
    let seen = probe_address("nowhere.invalid", 6379, None, None, later()).await;
    assert_eq!(steps(&seen), ["dns"]);
    assert!(matches!(seen.outcome, Outcome::Unreachable(_) | Outcome::TimedOut { .. }), "{seen:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_not_offered() {
    let (pki, other) = (Pki::new("ray-ca"), Pki::new("ray-ca"));
    let mut keys = Keyring::default();
    keys.add("leaf".into(), "Secret ray/ray-tls".into(), vec![pki.leaf.clone()], other.key.clone_key());
    let port = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Silent }).await;
    let seen = probe_address("127.0.0.1", port, keys.identity("leaf"), None, later()).await;
    assert_eq!(seen.client, None);
    assert_eq!(steps(&seen), ["identity", "tcp", "first-bytes", "tls", "settings"]);
    assert_eq!(tls(&seen).settings, Settings::Closed);
}

#[tokio::test]
async fn handshakes_come_in_the_order_of_the_dials() {
    let pki = Pki::new("ray-ca");
    let healthy = serve(Port { config: pki.server(Ask::Required), on_refusal: End::Silent }).await;
    let hangs_up = talk(|stream| async move { drop(stream) }).await;
    let ports: Vec<u16> = (0..40).map(|i| if i % 2 == 0 { healthy } else { hangs_up }).collect();
    let dials = ports.iter().map(|port| Dial {
        target: Target { namespace: "ray".into(), pod: "head".into(), host: "127.0.0.1".into(), port: *port },
        server_name: None,
        identity: Some("leaf".into()),
    });
    let keys = pki.keyring();
    let mut seen = Vec::new();
    run(dials.collect(), &keys, &Route::Direct, later(), &mut seen).await;
    assert_eq!(seen.iter().map(|h| h.target.port).collect::<Vec<_>>(), ports);
    for handshake in &seen {
        match &handshake.outcome {
            Outcome::Tls(tls) if handshake.target.port == healthy => assert_eq!(tls.settings, Settings::Received),
            Outcome::Closed { .. } if handshake.target.port == hangs_up => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A CA with one leaf for both roles.
struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// Whether a server asks for a client certificate.
#[derive(Clone, Copy)]
enum Ask {
    Required,
    Never,
}

/// What a server says when it refuses: gRPC nothing.
#[derive(Clone, Copy)]
enum End {
    Silent,
    Alert,
}

/// A port that behaves as a Ray port with TLS does.
#[derive(Clone)]
struct Port {
    config: Arc<ServerConfig>,
    on_refusal: End,
}

impl Pki {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut pki = Pki { ca, leaf: CertificateDer::from(Vec::new()), key: PrivateKeyDer::Pkcs8(Vec::new().into()) };
        pki.reissue(&rcgen::PKCS_ECDSA_P256_SHA256);
        pki
    }

    fn reissue(&mut self, algorithm: &'static rcgen::SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
        self.leaf = params.signed_by(&key, &self.ca).unwrap().der().clone();
        self.key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    }

    fn server(&self, ask: Ask) -> Arc<ServerConfig> {
        self.config(ask, rustls::ALL_VERSIONS, true)
    }

    fn config(&self, ask: Ask, versions: &[&'static SupportedProtocolVersion], h2: bool) -> Arc<ServerConfig> {
        self.config_of(aws_lc_rs::default_provider(), ask, versions, h2)
    }

    fn config_of(
        &self,
        provider: rustls::crypto::CryptoProvider,
        ask: Ask,
        versions: &[&'static SupportedProtocolVersion],
        h2: bool,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(provider);
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
        let builder = match ask {
            Ask::Never => builder.with_no_client_auth(),
            Ask::Required => {
                let mut roots = RootCertStore::empty();
                roots.add(self.ca.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder.with_single_cert(vec![self.leaf.clone()], self.key.clone_key()).unwrap();
        if h2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        Arc::new(config)
    }

    fn keyring(&self) -> Keyring {
        let mut keys = Keyring::default();
        keys.add("leaf".into(), "Secret ray/ray-tls".into(), vec![self.leaf.clone()], self.key.clone_key());
        keys
    }
}

async fn probe(port: u16, pki: Option<&Pki>) -> Handshake {
    let keys = pki.map(Pki::keyring);
    let identity: Option<&Identity> = keys.as_ref().and_then(|keys| keys.identity("leaf"));
    probe_address("127.0.0.1", port, identity, None, later()).await
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn tls(seen: &Handshake) -> &Tls {
    match &seen.outcome {
        Outcome::Tls(tls) => tls,
        other => panic!("{other:?} after {:?}", seen.steps),
    }
}

fn steps(seen: &Handshake) -> Vec<&str> {
    seen.steps.iter().map(|step| step.name.as_str()).collect()
}

async fn serve(port: Port) -> u16 {
    talk(move |stream| ray_port(stream, port.clone())).await
}

/// Serves every connection with `handler`, on a port of its own.
async fn talk<F, W>(handler: F) -> u16
where
    F: Fn(TcpStream) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handler(stream));
        }
    });
    port
}

/// TLS as gRPC serves it: no alert, ALPN h2 or the end, SETTINGS unprompted.
async fn ray_port(mut stream: TcpStream, port: Port) {
    let mut connection = ServerConnection::new(port.config.clone()).unwrap();
    let mut buffer = [0; 4096];
    while connection.is_handshaking() {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else { return };
        let mut read = &buffer[..n];
        while !read.is_empty() {
            connection.read_tls(&mut read).unwrap();
            if connection.process_new_packets().is_err() {
                if matches!(port.on_refusal, End::Alert) {
                    flush(&mut stream, &mut connection).await;
                }
                return drain(stream).await;
            }
        }
        flush(&mut stream, &mut connection).await;
    }
    if connection.alpn_protocol() != Some(b"h2") {
        return drain(stream).await;
    }
    connection.writer().write_all(SETTINGS).unwrap();
    flush(&mut stream, &mut connection).await;
    let _ = connection.reader().read(&mut buffer);
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

async fn flush(stream: &mut TcpStream, connection: &mut ServerConnection) {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out).unwrap();
    }
    let _ = stream.write_all(&out).await;
}

/// Ends the stream in order: data left unread would make it a reset, which can overtake an alert.
async fn drain(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    while let Ok(1..) = stream.read(&mut [0; 1024]).await {}
}
