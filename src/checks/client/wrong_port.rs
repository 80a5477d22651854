//! CLI03: does the scheme of an address fit its port?

use crate::checks::{Case, Check, Findings, Severity, lens};
use crate::diagnose::edit::Edit;
use crate::ray::{Address, Connection, Port, Role};

/// The check.
pub static CHECK: Check = Check {
    code: "CLI03",
    name: "client-dials-wrong-port",
    severity: Severity::Error,
    help: "\
A `ray://` address names the GCS port, or an address without `ray://` names the Ray Client port.

Why it matters: Both ports speak TLS and gRPC, so the handshake passes and the services differ: the caller waits for its time-out, and the
certificate is suspected in vain.

Mend it: `ray://HOST:10001` for Ray Client; `HOST:6379` for drivers and nodes inside the cluster.

Authority: Ray documentation *Ray Client*; Ray 2.60 default ports.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for (index, connection) in case.model.connections.iter().enumerate() {
        let Some(dialer) = case.model.parties.get(connection.dialer) else { continue };
        let Some(Meant { from, to, what }) = meant(case, connection) else { continue };
        let finding =
            findings.add(lens::workload(dialer), format!("{} dials {from}, which is {what}: {to} is meant", dialer.id));
        finding.edits = vec![Edit::Dial { party: connection.dialer, from, to }];
        finding.breaks = lens::failing_by(case, |b| b.index == index);
    }
}

/// An address whose scheme is that of another port.
pub(in crate::checks) struct Meant {
    from: String,
    to: String,
    what: &'static str,
}

/// What a client means by an address whose scheme does not fit its port.
pub(in crate::checks) fn meant(case: &Case<'_>, connection: &Connection) -> Option<Meant> {
    let (dialer, target) = (case.model.parties.get(connection.dialer)?, case.model.parties.get(connection.target)?);
    let (Address::Typed(host), Some(other)) = (&connection.address, &connection.misdirected) else { return None };
    if target.role != Role::Head
        || !matches!(dialer.role, Role::Client | Role::Laptop)
        || connection.denied_by.is_some()
    {
        return None;
    }
    let (gcs, wanted) = (gcs_port(case, connection.target), other.wanted);
    match connection.port {
        Port::Client(port) if port == gcs && gcs != wanted => Some(Meant {
            from: format!("ray://{host}:{port}"),
            to: format!("ray://{host}:{wanted}"),
            what: "the GCS port",
        }),
        Port::Gcs(port) if port == CLIENT && gcs != CLIENT => {
            Some(Meant { from: format!("{host}:{port}"), to: format!("{host}:{gcs}"), what: "the Ray Client port" })
        }
        _ => None,
    }
}

/// Ray Client's port where nobody chose another.
const CLIENT: u16 = 10001;

/// The port at which the head dials its own GCS.
fn gcs_port(case: &Case<'_>, head: usize) -> u16 {
    let mut own = case.model.connections.iter().filter(|c| c.dialer == head && c.target == head);
    let port = own.find_map(|c| match c.port {
        Port::Gcs(port) => Some(port),
        _ => None,
    });
    port.unwrap_or(6379)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::staging::client;
    use crate::checks::testing::{Scene, cluster};

    fn found(address: &str) -> Vec<crate::checks::Finding> {
        let mut objects = cluster();
        objects.push(client("app", address));
        Scene::manifests(objects).run(&CHECK)
    }

    #[test]
    fn scheme_and_port_that_do_not_fit() {
        let findings = found("ray://ray-head-svc:6379");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("ray://ray-head-svc:10001 is meant"), "{}", findings[0].message);
        assert!(found("ray-head-svc:10001")[0].message.contains("ray-head-svc:6379 is meant"));
    }

    #[test]
    fn fitting_and_unusual_ports_are_silent() {
        for address in ["ray://ray-head-svc:10001", "ray://ray-head-svc", "ray-head-svc:6379", "ray://ray-head-svc:443"]
        {
            assert_eq!(found(address), [], "{address}");
        }
    }
}
