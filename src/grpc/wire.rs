//! Limits of the transport: what is too long for a TLS message, and for the buffer that gRPC writes through.

use super::certificate::Certificate;
use super::parse;
use super::verdict::{Case, Fault, Reason, Role};

/// Whether the messages before a verdict can be sent and read: the CA names of a server, and the presented chain.
/// `Ok(Some)` with one clause when that is not known.
pub(super) fn messages(case: &Case<'_>) -> Result<Option<String>, Box<Reason>> {
    let length = 4 + case.presented.iter().map(|certificate| certificate.der.len() + 5).sum::<usize>();
    if length > MESSAGE {
        let text = format!(
            "the presented chain of {} certificates is {length} octets long as a TLS message, and gRPC reads {MESSAGE}",
            case.presented.len()
        );
        return reject(case.presented.first(), text, "EXCESSIVE_MESSAGE_SIZE");
    }
    if case.role == Role::Server || !case.profile.sends_ca_names {
        return Ok(None);
    }
    let names = case.trust.iter().map(|trusted| 2 + parse::subject_length(&trusted.der)).sum::<usize>();
    let text = || {
        format!(
            "the names of the {} trusted certificates are {names} octets long, and a server that sends them to its clients, as \
             this gRPC does, has room for {CA_NAMES}",
            case.trust.len()
        )
    };
    if names <= CA_NAMES {
        Ok(None)
    } else if names <= CA_NAMES_NEVER {
        Ok(Some(text()))
    } else {
        reject(None, text(), "common libcrypto routines:OPENSSL_internal:overflow")
    }
}

/// Whether a server that has accepted a client's chain can also write: it puts the chain into two session tickets, which have
/// to fit into its buffer of 17 KiB with the first of its own data. A chain that is too long for a ticket is left out of it.
/// `Ok(Some)` with one clause when that is not known.
pub(super) fn tickets(case: &Case<'_>) -> Result<Option<String>, Box<Reason>> {
    if case.role == Role::Server {
        return Ok(None);
    }
    let length = case.presented.iter().map(|certificate| certificate.der.len()).sum::<usize>();
    let text = || {
        format!(
            "the chain that the client presents is {length} octets long, and gRPC servers, which put it into their session \
             tickets, end connections with one of more than about 8400: leave certificates or names out"
        )
    };
    match length {
        8_351..=8_500 | 65_201..=65_400 => Ok(Some(text())),
        8_501..=65_200 => reject(case.presented.first(), text(), "SSL_write failed with error SSL_ERROR"),
        _ => Ok(None),
    }
}

/// Octets of a handshake message that BoringSSL reads of a peer whose certificate it wants.
const MESSAGE: usize = 100 * 1024;

/// Octets of CA names that fit beside the other extensions of a TLS 1.3 CertificateRequest.
const CA_NAMES: usize = 65_400;

/// From here on they do not fit even alone.
const CA_NAMES_NEVER: usize = 65_533;

fn reject<T>(certificate: Option<&Certificate>, text: String, words: &str) -> Result<T, Box<Reason>> {
    let certificate = certificate.map(|certificate| certificate.subject.clone());
    Err(Box::new(Reason { fault: Fault::TooLong, certificate, text, words: Some(words.into()) }))
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::super::profile::Profile;
    use super::*;

    fn certificate(octets: usize) -> Certificate {
        let params = rcgen::CertificateParams::default();
        let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
        Certificate { der: vec![0; octets], ..Certificate::parse(&der).unwrap() }
    }

    fn case<'a>(presented: &'a [Certificate], trust: &'a [Certificate], role: Role) -> Case<'a> {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        Case { presented, trust, name: None, role, now, profile: Profile::core() }
    }

    /// As measured with grpcio 1.58.0 and 1.85.1, in each pair of them, for chains of one, two and four certificates.
    #[test]
    fn a_client_chain_has_to_fit_into_two_tickets_or_into_none() {
        let judge = |octets: usize| {
            let halves = [certificate(octets / 2), certificate(octets - octets / 2)];
            let verdict = tickets(&case(&halves, &[], Role::Client)).map(|cannot| cannot.is_some());
            assert!(tickets(&case(&halves, &[], Role::Server)).unwrap().is_none());
            verdict.map_err(|reason| reason.words.unwrap_or_default())
        };
        assert_eq!([8300, 8440, 65_292, 66_000].map(|octets| judge(octets).unwrap()), [false, true, true, false]);
        assert!(judge(8600).unwrap_err().starts_with("SSL_write failed") && judge(65_000).is_err());
    }

    #[test]
    fn a_chain_has_to_fit_into_a_message() {
        for role in [Role::Client, Role::Server] {
            assert!(messages(&case(&[certificate(102_391)], &[], role)).is_ok());
            assert!(messages(&case(&[certificate(102_392)], &[], role)).is_err());
        }
    }

    #[test]
    fn ca_names_have_to_fit_where_they_are_sent() {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "x".repeat(600));
        let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let ca = Certificate::parse(&der).unwrap();
        let name = 2 + parse::subject_length(&der);
        assert!((600..700).contains(&name));
        let presented = [certificate(500)];
        let judge = |total: usize| {
            let trust = vec![ca.clone(); total / name];
            let case = case(&presented, &trust, Role::Client);
            let python = Case { profile: Profile::python(), ..case };
            assert!(messages(&python).unwrap().is_none());
            messages(&case).map(|cannot| cannot.is_some()).map_err(|_| ())
        };
        assert_eq!(judge(60_000), Ok(false));
        assert_eq!(judge(70_000), Err(()));
    }
}
