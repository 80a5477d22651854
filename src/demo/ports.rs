//! Ports that answer as Ray 2.60's do: mutual TLS by gRPC's rules, HTTP/2 SETTINGS unprompted, and a bare end of
//! stream where other servers would send an alert.

mod http2;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, ServerConfig, ServerConnection};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Error;
use super::address::Reserved;
use super::pki::Files;
use super::scene::{Pod, Scene, State};
use crate::grpc::certificate::Certificate;
use crate::grpc::pem;
use crate::grpc::profile::{Profile, Stack};
use crate::grpc::verdict::{self, Role, Verdict};

/// A listening port.
pub(super) struct Port {
    listener: TcpListener,
    speaks: Speaks,
}

#[derive(Clone)]
enum Speaks {
    Plaintext,
    Tls(Arc<Tls>),
}

/// The two configurations of a TLS port: with ALPN `h2`, and for clients that do not offer it.
struct Tls {
    h2: Arc<ServerConfig>,
    no_alpn: Arc<ServerConfig>,
}

/// A port says nothing more to a silent peer after this (measured on 6379).
const IDLE: Duration = Duration::from_secs(120);
/// How long a refused peer may go on sending before its connection is reset instead of closed.
const LINGER: Duration = Duration::from_secs(2);
/// Connections one port holds at once.
const AT_ONCE: usize = 128;

/// Opens the ports of the scene's pods.
///
/// # Errors
/// When an address cannot be listened on, or rustls refuses files that it loaded before.
pub(super) fn of(scene: &Scene, reserved: &Reserved) -> Result<Vec<Port>, Error> {
    let block = reserved.block;
    let mut ports = Vec::new();
    for (pod, party) in scene.pods().filter(|(_, party)| party.name != scene.client.name) {
        let State::Runs(files) = scene.state(party) else { continue };
        let core = speaks(files.as_ref(), Profile::core())?;
        if party.name == scene.head.name {
            ports.push(Port::open((pod.ip, block.gcs).into(), core.clone())?);
            // `ray start --head` waits for its own GCS, dialled at the pod's IP, before it starts the raylet and Ray
            // Client: with a certificate that does not allow that, 6379 answers and the rest stays closed.
            if files.as_ref().is_some_and(|files| refuses_itself(files, &pod, party.started_at)) {
                continue;
            }
            ports.push(Port::open((pod.ip, block.client).into(), speaks(files.as_ref(), Profile::python())?)?);
        }
        // A real worker opens this port once it has registered at the GCS. Here it is open in any case: the port is
        // what shows how the worker would answer.
        ports.push(Port::open((pod.ip, block.node_manager).into(), core)?);
    }
    Ok(ports)
}

/// Whether Ray can load these files.
pub(super) fn loads(files: &Files) -> bool {
    Tls::new(files, Profile::core()).is_ok()
}

impl Port {
    fn open(address: SocketAddr, speaks: Speaks) -> Result<Self, Error> {
        let cannot = |e: std::io::Error| Error::Loopback(format!("cannot listen on {address}: {e}; try again"));
        let listener = std::net::TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        Ok(Port { listener: TcpListener::from_std(listener).map_err(cannot)?, speaks })
    }

    /// Answers until it is dropped, and every connection with it.
    pub(super) async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => { connections.spawn(answer(stream, self.speaks.clone())); }
                    // Out of descriptors, or a peer that is gone already.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
    }
}

async fn answer(mut stream: TcpStream, speaks: Speaks) {
    // Whatever the error, all that Ray's peer sees is the end of the stream.
    let _ = match speaks {
        Speaks::Plaintext => plaintext(&mut stream).await,
        Speaks::Tls(tls) => encrypted(&mut stream, &tls).await,
    };
    let _ = stream.shutdown().await;
    // Closing with unread bytes would reset the connection, which Ray's ports never do.
    let mut rest = [0; 4096];
    let _ = tokio::time::timeout(LINGER, async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} }).await;
}

async fn plaintext(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut session = http2::Session::default();
    stream.write_all(http2::GREETING).await?;
    let mut bytes = [0; 4096];
    loop {
        let n = read(stream, &mut bytes).await?;
        let Some(reply) = bytes.get(..n).filter(|got| !got.is_empty()).and_then(|got| session.receive(got)) else {
            return Ok(());
        };
        stream.write_all(&reply).await?;
    }
}

/// Every early return leaves what rustls had still to say, its alert, unsaid: gRPC does the same.
async fn encrypted(stream: &mut TcpStream, tls: &Tls) -> std::io::Result<()> {
    let Some(mut connection) = hello(stream, tls).await? else { return Ok(()) };
    let mut session = http2::Session::default();
    let mut greeted = false;
    let mut bytes = [0; 16 * 1024];
    loop {
        flush(&mut connection, stream).await?;
        let n = read(stream, &mut bytes).await?;
        let mut rest = match bytes.get(..n) {
            Some(got) if !got.is_empty() => got,
            _ => return Ok(()),
        };
        while !rest.is_empty() {
            connection.read_tls(&mut rest)?;
            let Ok(state) = connection.process_new_packets() else { return Ok(()) };
            if !greeted && !connection.is_handshaking() {
                if connection.alpn_protocol() != Some(b"h2") {
                    return flush(&mut connection, stream).await;
                }
                std::io::Write::write_all(&mut connection.writer(), http2::GREETING)?;
                greeted = true;
            }
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            std::io::Read::read_exact(&mut connection.reader(), &mut plain)?;
            let Some(reply) = session.receive(&plain) else { return Ok(()) };
            std::io::Write::write_all(&mut connection.writer(), &reply)?;
        }
    }
}

/// Reads the ClientHello; none when it is not one.
async fn hello(stream: &mut TcpStream, tls: &Tls) -> std::io::Result<Option<ServerConnection>> {
    let mut acceptor = Acceptor::default();
    let mut bytes = [0; 4096];
    loop {
        let n = read(stream, &mut bytes).await?;
        let mut rest = match bytes.get(..n) {
            Some(got) if !got.is_empty() => got,
            _ => return Ok(None),
        };
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
        }
        let accepted = match acceptor.accept() {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(_) => return Ok(None),
        };
        let h2 = accepted.client_hello().alpn().is_some_and(|mut offered| offered.any(|name| name == b"h2"));
        let config = if h2 { &tls.h2 } else { &tls.no_alpn };
        return Ok(accepted.into_connection(config.clone()).ok());
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut [u8]) -> std::io::Result<usize> {
    tokio::time::timeout(IDLE, stream.read(bytes)).await?
}

async fn flush(connection: &mut ServerConnection, stream: &mut TcpStream) -> std::io::Result<()> {
    let mut records = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut records)?;
    }
    stream.write_all(&records).await
}

fn speaks(files: Option<&Files>, profile: Profile) -> Result<Speaks, Error> {
    match files {
        None => Ok(Speaks::Plaintext),
        Some(files) => Ok(Speaks::Tls(Arc::new(Tls::new(files, profile).map_err(Error::Servers)?))),
    }
}

/// Whether a head with these files could not dial itself by its pod's IP when it started.
fn refuses_itself(files: &Files, pod: &Pod, started_at: jiff::Timestamp) -> bool {
    let (Ok(presented), Ok(trust)) = (certificates(&files.certificate), certificates(&files.trust)) else {
        return true;
    };
    let host = pod.ip.to_string();
    let case = |role| verdict::Case {
        presented: &presented,
        trust: &trust,
        name: Some(&host),
        role,
        now: started_at,
        profile: Profile::core(),
    };
    [Role::Server, Role::Client].into_iter().any(|role| matches!(verdict::peer(case(role)), Verdict::Reject(_)))
}

/// The certificates gRPC finds in the text: up to the first block it cannot read.
fn certificates(text: &str) -> Result<Vec<Certificate>, String> {
    pem::read(text.as_bytes()).blocks.iter().map(|block| Certificate::parse(&block.to_der()?)).collect()
}

impl Tls {
    fn new(files: &Files, profile: Profile) -> Result<Self, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(files.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| format!("tls.crt: {e}"))?;
        let key = PrivateKeyDer::from_pem_slice(files.key.as_bytes()).map_err(|e| format!("tls.key: {e}"))?;
        let mut provider = aws_lc_rs::default_provider();
        if profile.stack == Stack::Core {
            // gRPC before 1.84 offers no other group.
            provider.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1];
        }
        let provider = Arc::new(provider);
        let mut h2 = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_client_cert_verifier(Arc::new(GrpcVerifier::new(&files.trust, profile, provider)?))
            .with_single_cert(chain, key)
            .map_err(|e| e.to_string())?;
        let no_alpn = Arc::new(h2.clone());
        h2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Tls { h2: Arc::new(h2), no_alpn })
    }
}

/// Verifies client certificates as gRPC does, and asks for them as gRPC does.
#[derive(Debug)]
struct GrpcVerifier {
    trust: Vec<Certificate>,
    hints: Vec<DistinguishedName>,
    profile: Profile,
    provider: Arc<CryptoProvider>,
}

impl GrpcVerifier {
    fn new(bundle: &str, profile: Profile, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let trust = certificates(bundle)?;
        let hints = if profile.sends_ca_names { subjects(&trust) } else { Vec::new() };
        Ok(GrpcVerifier { trust, hints, profile, provider })
    }
}

fn subjects(trust: &[Certificate]) -> Vec<DistinguishedName> {
    trust
        .iter()
        .filter_map(|certificate| x509_parser::parse_x509_certificate(&certificate.der).ok())
        .map(|(_, parsed)| DistinguishedName::from(parsed.subject().as_raw().to_vec()))
        .collect()
}

impl ClientCertVerifier for GrpcVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    #[allow(clippy::disallowed_methods)] // a server judges dates by its clock
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let refused = |why: String| rustls::Error::General(why);
        let presented = std::iter::once(leaf)
            .chain(others)
            .map(|der| Certificate::parse(der).map_err(refused))
            .collect::<Result<Vec<_>, _>>()?;
        let case = verdict::Case {
            presented: &presented,
            trust: &self.trust,
            name: None,
            role: Role::Client,
            now: jiff::Timestamp::now(),
            profile: self.profile,
        };
        match verdict::peer(case) {
            Verdict::Accept => Ok(ClientCertVerified::assertion()),
            Verdict::Reject(reason) => Err(refused(reason.text)),
            Verdict::CannotTell(why) => Err(refused(why)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA512,
        ]
    }
}

#[cfg(test)]
mod tests;
