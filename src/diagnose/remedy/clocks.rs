use super::RemedyStep;
use crate::ray::Party;

/// Setting the clock of the nodes of a party right.
pub(super) fn set(party: &Party) -> RemedyStep {
    let pods: Vec<&str> = party.pods.iter().take(5).map(|pod| pod.name.as_str()).collect();
    RemedyStep {
        text: format!(
            "Set the clock right on the nodes that {} runs on (chrony, systemd-timesyncd); the column NODE names them",
            party.id
        ),
        command: Some(format!("kubectl -n {} get pods {} -o wide", party.namespace, pods.join(" "))),
        patch: None,
    }
}
