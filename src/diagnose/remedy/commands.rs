//! Steps for what a container's command does.

use crate::evidence::Evidence;
use crate::ray::{Party, command};

use super::{RemedyStep, text_step};

/// The step for a container whose command has the last word on RAY_USE_TLS: what `env` says does not reach Ray.
pub(super) fn says(evidence: &Evidence, party: &Party, on: bool) -> Option<RemedyStep> {
    let workload = evidence.workloads.get(party.workload?)?;
    let mut all = workload.containers.iter().chain(&workload.init_containers);
    let container = all.find(|container| container.name == party.container)?;
    command::changes(container, "RAY_USE_TLS").then(|| {
        text_step(format!(
            "Let RAY_USE_TLS be exactly \"{}\" after what the command of container {} of {} does to it",
            u8::from(on),
            party.container,
            party.object
        ))
    })
}
