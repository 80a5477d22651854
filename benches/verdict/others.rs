//! The same files with rustls-webpki and OpenSSL.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::made::{Files, NOW};
use super::median;

/// From the PEM on, and whether it accepts.
pub(crate) fn webpki(files: &Files) -> (Duration, bool) {
    let accepts = webpki_verdict(files).is_ok();
    (median(|| drop(black_box(webpki_verdict(files)))), accepts)
}

/// Only the names. It reads them from the certificate each time.
pub(crate) fn webpki_names(files: &Files) -> Duration {
    let der = CertificateDer::from(files.leaf.clone());
    let leaf = EndEntityCert::try_from(&der).unwrap();
    let host = ServerName::try_from(files.host.as_str()).unwrap();
    median(|| black_box(&leaf).verify_is_valid_for_subject_name(black_box(&host)).unwrap())
}

/// A verification in a process that does many, and whether it accepts; none when there is no OpenSSL. The trust file is read
/// once for all of them, the chain file for each.
pub(crate) fn openssl(files: &Files) -> Option<(Duration, bool)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chain.pem"), &files.chain).unwrap();
    std::fs::write(folder.path().join("trust.pem"), &files.trust).unwrap();
    let (_, accepts) = match run(folder.path(), &files.host, 1) {
        Ok(ran) => ran,
        Err(error) => {
            println!("<!-- openssl cannot be run: {error} -->");
            return None;
        }
    };
    let of = |times: usize| {
        let mut took = (0..7).map(|_| run(folder.path(), &files.host, times).unwrap().0).collect::<Vec<_>>();
        took.sort();
        took[took.len() / 2]
    };
    const MANY: u32 = 200;
    Some((of(1 + MANY as usize).saturating_sub(of(1)) / MANY, accepts))
}

fn webpki_verdict(files: &Files) -> Result<(), webpki::Error> {
    let read = |text: &str| CertificateDer::pem_slice_iter(text.as_bytes()).map(Result::unwrap).collect::<Vec<_>>();
    let (chain, trust) = (read(&files.chain), read(&files.trust));
    let anchors = trust.iter().map(|der| anchor_from_trusted_cert(der).unwrap()).collect::<Vec<_>>();
    let leaf = EndEntityCert::try_from(&chain[0])?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unsigned_abs()));
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &chain[1..], now, usage, None, None)?;
    leaf.verify_is_valid_for_subject_name(&ServerName::try_from(files.host.as_str()).unwrap())
}

fn run(folder: &Path, host: &str, times: usize) -> io::Result<(Duration, bool)> {
    let is_ip = host.parse::<std::net::IpAddr>().is_ok();
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(["verify", "-partial_chain", "-purpose", "sslserver", "-CAfile", "trust.pem"]);
    command.args(["-untrusted", "chain.pem", if is_ip { "-verify_ip" } else { "-verify_hostname" }, host]);
    command.args(vec!["chain.pem"; times]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    Ok((began.elapsed(), status.success()))
}
