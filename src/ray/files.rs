//! Files alone: a process that uses them, and a peer of which only the trust file is known.

use crate::evidence::{Evidence, ObjectRef, Seen, Why};
use crate::grpc::profile::Profiles;
use crate::grpc::verdict::Role as Part;

use super::{Address, Connection, Model, Party, Port, Role, Switch, TlsFile, ports};

/// What is asked of which files: paths of files that are in the evidence, as
/// [`crate::collect::files`](../../collect/files/index.html) reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The certificate chain.
    pub certificate: Option<&'a str>,
    /// Its key. Without one the chain is judged as if it had its key.
    pub key: Option<&'a str>,
    /// The CA certificates that the process and its peer trust.
    pub trust: Option<&'a str>,
    /// The names by which the process is dialled.
    pub names: &'a [String],
    /// The parts it plays.
    pub roles: &'a [Part],
}

/// The id of the process that uses the files.
pub const PROCESS: &str = "these-files";
/// The id of the other side.
pub const PEER: &str = "its-peer";

/// One connection per name that is dialled, or one for all where none is asked for, and one in which the process dials;
/// each is judged in that one part only. Without a certificate there is none.
pub fn model(evidence: &Evidence, asked: Asked<'_>, profiles: Profiles) -> Model {
    let unseen = |variable| TlsFile {
        content: Seen::Unseen(Why::OutOfReach("the peer's own file".into())),
        ..ports::file(evidence, variable, None)
    };
    let party = |id: &str| {
        let mut party = Party { switch: Seen::Found(Switch::On), ..ports::party(id, unseen) };
        party.object = ObjectRef::new("Process", "", id);
        party.trust = ports::file(evidence, "RAY_TLS_CA_CERT", asked.trust);
        party
    };
    let process = Party {
        role: Role::Head,
        certificate: ports::file(evidence, "RAY_TLS_SERVER_CERT", asked.certificate),
        key: TlsFile { mended: asked.key.is_none(), ..ports::file(evidence, "RAY_TLS_SERVER_KEY", asked.key) },
        ..party(PROCESS)
    };
    Model {
        parties: vec![process, Party { role: Role::Worker(String::new()), ..party(PEER) }],
        connections: if asked.certificate.is_some() { connections(asked) } else { Vec::new() },
        profiles,
        ..Model::default()
    }
}

fn connections(asked: Asked<'_>) -> Vec<Connection> {
    let connection = |id: String, only: Part, address: Address| {
        let (dialer, target, why) = match only {
            Part::Server => (1, 0, "these files serve"),
            Part::Client => (0, 1, "these files dial"),
        };
        Connection {
            id,
            dialer,
            target,
            address,
            port: Port::Any,
            why,
            misdirected: None,
            denied_by: None,
            needed: true,
            count: 1,
            only: Some(only),
        }
    };
    let mut all: Vec<Connection> = Vec::new();
    if asked.roles.contains(&Part::Server) {
        for name in asked.names {
            let id = format!("{PEER}>{PROCESS}@{name}");
            if all.iter().all(|c| c.id != id) {
                all.push(connection(id, Part::Server, Address::Typed(name.clone())));
            }
        }
        if all.is_empty() {
            all.push(connection(format!("{PEER}>{PROCESS}"), Part::Server, Address::Unnamed));
        }
    }
    if asked.roles.contains(&Part::Client) {
        all.push(connection(format!("{PROCESS}>{PEER}"), Part::Client, Address::Unnamed));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Mode;

    #[test]
    fn every_part_and_name_is_one_connection() {
        let evidence = Evidence::new(Mode::Files, "", jiff::Timestamp::UNIX_EPOCH);
        let both = [Part::Server, Part::Client];
        let ids = |asked| {
            model(&evidence, asked, Profiles::default()).connections.into_iter().map(|c| c.id).collect::<Vec<_>>()
        };
        let asked = Asked { certificate: Some("c"), roles: &both, ..Asked::default() };
        assert_eq!(ids(asked), ["its-peer>these-files", "these-files>its-peer"]);
        let names = ["a", "b", "a"].map(String::from);
        assert_eq!(
            ids(Asked { names: &names, roles: &both[..1], ..asked }),
            ["its-peer>these-files@a", "its-peer>these-files@b"]
        );
        assert_eq!(ids(Asked { certificate: None, ..asked }), [""; 0]);
    }
}
