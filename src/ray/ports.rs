//! Ports that somebody typed: this shell dials them, and nothing is known of the parties behind.

use crate::evidence::{Evidence, ObjectRef, Origin, Outcome, Pod, Seen, Target, Why};

use super::{Address, Connection, Model, NodeAddress, Party, Place, Port, Role, Switch, TlsFile};

/// What this shell has for its dials: paths of files that are in the evidence, as
/// [`crate::collect::files`](../../collect/files/index.html) reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// The client certificate.
    pub certificate: Option<&'a str>,
    /// Its key.
    pub key: Option<&'a str>,
    /// The CA certificates.
    pub trust: Option<&'a str>,
    /// The name to judge every server by, instead of the host.
    pub name: Option<&'a str>,
}

/// One connection per target, from a shell that speaks TLS. The target of a connection has the host as its id.
pub fn model(evidence: &Evidence, targets: &[Target], own: Own<'_>) -> Model {
    let file = |variable, path: Option<&str>| file(evidence, variable, path);
    let nothing = |variable| TlsFile {
        content: Seen::Unseen(Why::OutOfReach("the server's own file".into())),
        ..file(variable, None)
    };
    let mut parties = vec![Party {
        role: Role::Laptop,
        switch: Seen::Found(Switch::On),
        certificate: file("RAY_TLS_SERVER_CERT", own.certificate),
        key: file("RAY_TLS_SERVER_KEY", own.key),
        trust: file("RAY_TLS_CA_CERT", own.trust),
        ..party("this-shell", nothing)
    }];
    let mut connections: Vec<Connection> = Vec::new();
    for target in targets {
        let host = own.name.unwrap_or(&target.host);
        let suffix = own.name.map_or_else(String::new, |name| format!("@{name}"));
        let id = format!("this-shell>{target}{suffix}");
        if connections.iter().any(|c| c.id == id) {
            continue;
        }
        connections.push(Connection {
            id,
            dialer: 0,
            target: parties.len(),
            address: Address::Typed(host.to_owned()),
            port: if target.port == 10001 { Port::Client(target.port) } else { Port::Gcs(target.port) },
            why: "was typed",
            misdirected: None,
            denied_by: None,
            needed: true,
            count: 1,
            only: None,
        });
        let pod = Pod { name: String::new(), ips: Vec::new(), phase: String::new(), containers: Vec::new() };
        parties.push(Party { pods: [pod].into(), ..party(&target.host, nothing) });
    }
    Model { parties, connections, ..Model::default() }
}

/// What Ray serves on a port of this number in plain HTTP by design, whatever `RAY_USE_TLS` says (Ray 2.60 `ray_constants.py`;
/// KubeRay's `constant.go`).
///
/// Such a port may have been given to something else; only one that was typed and answers in HTTP is taken for it.
pub fn plain_by_design(port: u16) -> Option<&'static str> {
    Some(match port {
        8000 => "Ray Serve's HTTP proxy",
        8080 => "Ray's metrics (--metrics-export-port of KubeRay)",
        8265 => "Ray's dashboard and jobs API",
        44217 | 44227 => "the metrics of Ray's autoscaler and dashboard",
        52365 => "the HTTP port of Ray's dashboard agent",
        _ => return None,
    })
}

/// Whether what a typed port answered is what Ray serves there in plain HTTP.
pub fn is_plain_by_design(target: &Party, port: u16, outcome: &Outcome) -> bool {
    target.object.kind == "Port" && *outcome == Outcome::PlainHttp && plain_by_design(port).is_some()
}

/// Whether a port gave an answer to judge; if not, what came instead, one clause. A port that did not speak was not checked, but one
/// that refuses is plainly shut.
pub fn spoke(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Refused | Outcome::PlainGrpc | Outcome::PlainHttp | Outcome::Tls(_) | Outcome::TlsFailed(_) => Ok(()),
        Outcome::Closed { step } => Err(format!("it closed the connection without a byte ({step})")),
        Outcome::Garbage(hex) => Err(format!("it sends neither TLS nor gRPC: {hex}")),
        Outcome::NotPossible(why) => Err(why.to_string()),
        Outcome::TimedOut { step } => Err(format!("no answer in time ({step})")),
        Outcome::Unreachable(why) => Err(why.clone()),
    }
}

/// A party of which nothing is known but what the caller fills in.
pub(super) fn party(id: &str, nothing: impl Fn(&'static str) -> TlsFile) -> Party {
    Party {
        id: id.to_owned(),
        role: Role::Head,
        cluster: 0,
        namespace: String::new(),
        object: ObjectRef::new("Port", "", id),
        origin: Origin::default(),
        workload: None,
        container: String::new(),
        switch: Seen::Unseen(Why::OutOfReach("the server's own environment".into())),
        certificate: nothing("RAY_TLS_SERVER_CERT"),
        key: nothing("RAY_TLS_SERVER_KEY"),
        trust: nothing("RAY_TLS_CA_CERT"),
        node_address: NodeAddress::None,
        pods: [].into(),
        count: 1,
        next: None,
        clock: Default::default(),
        touched: false,
        restarted: false,
    }
}

/// A file of this machine as Ray would be told of it by its variable.
pub(super) fn file(evidence: &Evidence, variable: &'static str, path: Option<&str>) -> TlsFile {
    let content = match path {
        None => Seen::Unseen(Why::NotAsked),
        Some(path) => evidence.file(path).map(|content| content.facts.clone()),
    };
    TlsFile {
        variable,
        path: path.map_or(Seen::Unseen(Why::NotAsked), |p| Seen::Found(p.to_owned())),
        place: path.map_or(Place::NoPath, |p| Place::Local(p.to_owned())),
        content,
        assumed: None,
        hypothetical: None,
        inside: Vec::new(),
        covers_pods: false,
        mended: false,
        access: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Mode;

    #[test]
    fn every_typed_port_is_one_connection() {
        let evidence = Evidence::new(Mode::Shell, "", "2027-01-01T00:00:00Z".parse().unwrap());
        let at = |host: &str, port| Target { host: host.into(), port, ..Target::default() };
        let targets = [at("ray-head", 6379), at("ray-head", 10001), at("::1", 6379), at("ray-head", 6379)];
        let ids = |own| model(&evidence, &targets, own).connections.into_iter().map(|c| c.id).collect::<Vec<_>>();
        assert_eq!(
            ids(Own::default()),
            ["this-shell>ray-head:6379", "this-shell>ray-head:10001", "this-shell>[::1]:6379"]
        );
        assert_eq!(ids(Own { name: Some("x"), ..Own::default() })[0], "this-shell>ray-head:6379@x");
    }
}
