//! Many small questions. One file per question: documentation, code, logic, edits, tests.
//!
//! To add a check, copy a file of its group, and add one line to the group's module and one to [`CHECKS`].

pub mod cert_manager;
pub mod certificate;
pub mod chain;
mod check;
pub mod client;
pub mod connection;
pub mod document;
pub mod environment;
pub mod key;
pub mod kuberay;
pub mod lens;
pub mod live;
pub mod mounts;
pub mod names;
pub mod permissions;
pub mod rotation;
#[cfg(test)]
mod scenarios;
pub mod secret;
#[cfg(test)]
pub(crate) mod staging;
#[cfg(test)]
pub(crate) mod testing;
pub mod wiring;

pub use check::{Case, Check, Confidence, Fact, Finding, Findings, Severity, Subject};

use std::collections::BTreeSet;

use crate::diagnose::causes::Cause;
use crate::diagnose::edit::Edit;
use crate::judge::{Judged, Verdict};
use crate::ray::{Model, parties};

/// THE table. Codes and names are for ever.
pub static CHECKS: &[&Check] = &[
    &document::unreadable::CHECK,
    &secret::missing::CHECK,
    &secret::key_missing::CHECK,
    &secret::empty::CHECK,
    &secret::placeholder::CHECK,
    &secret::overwritten::CHECK,
    &secret::encoded_twice::CHECK,
    &secret::not_pem::CHECK,
    &secret::no_ca::CHECK,
    &secret::invalid_base64::CHECK,
    &certificate::expired::CHECK,
    &certificate::not_yet_valid::CHECK,
    &certificate::expires_soon::CHECK,
    &certificate::outlives_ca::CHECK,
    &certificate::no_server_auth::CHECK,
    &certificate::no_client_auth::CHECK,
    &certificate::no_digital_signature::CHECK,
    &certificate::leaf_key::CHECK,
    &certificate::weak::CHECK,
    &certificate::too_long::CHECK,
    &certificate::malformed::CHECK,
    &certificate::leaf_not_first::CHECK,
    &key::mismatch::CHECK,
    &key::encrypted::CHECK,
    &key::unusable::CHECK,
    &key::unreadable::CHECK,
    &key::swapped::CHECK,
    &chain::unknown_issuer::CHECK,
    &chain::trust_differs::CHECK,
    &chain::intermediate_missing::CHECK,
    &chain::ca_expired::CHECK,
    &chain::ca_cannot_sign::CHECK,
    &chain::block_ignored::CHECK,
    &chain::order_decides::CHECK,
    &chain::renewed_beside::CHECK,
    &names::client_address::CHECK,
    &names::cluster_address::CHECK,
    &names::head_pod_address::CHECK,
    &names::worker_pod_address::CHECK,
    &names::unknown_service::CHECK,
    &names::address_as_dns::CHECK,
    &names::wildcard::CHECK,
    &names::common_name_only::CHECK,
    &names::common_name_ignored::CHECK,
    &names::loopback::CHECK,
    &mounts::no_mount::CHECK,
    &mounts::sub_path::CHECK,
    &mounts::optional::CHECK,
    &mounts::not_in_volume::CHECK,
    &mounts::hidden::CHECK,
    &mounts::nobody_fills::CHECK,
    &mounts::no_pod_address::CHECK,
    &environment::mixed::CHECK,
    &environment::spelling::CHECK,
    &environment::not_a_string::CHECK,
    &environment::path_unset::CHECK,
    &environment::paths_without_switch::CHECK,
    &environment::unknown_variable::CHECK,
    &environment::reference_missing::CHECK,
    &environment::stale::CHECK,
    &live::no_answer::CHECK,
    &live::plaintext::CHECK,
    &live::client_refused::CHECK,
    &live::not_the_stored::CHECK,
    &live::chain_not_trusted::CHECK,
    &live::name_not_covered::CHECK,
    &live::not_grpc::CHECK,
    &live::clock_differs::CHECK,
    &rotation::not_restarted::CHECK,
    &rotation::differs_in_pod::CHECK,
    &cert_manager::not_ready::CHECK,
    &cert_manager::not_issued::CHECK,
    &cert_manager::issuer::CHECK,
    &cert_manager::self_signed::CHECK,
    &cert_manager::secret_name::CHECK,
    &cert_manager::two_certificates::CHECK,
    &cert_manager::usages::CHECK,
    &cert_manager::acme::CHECK,
    &cert_manager::durations::CHECK,
    &cert_manager::request::CHECK,
    &cert_manager::outdated::CHECK,
    &cert_manager::ca_secret::CHECK,
    &cert_manager::key::CHECK,
    &client::without_tls::CHECK,
    &client::one_without_tls::CHECK,
    &client::wrong_port::CHECK,
    &wiring::no_service::CHECK,
    &wiring::selects_nothing::CHECK,
    &wiring::leads_elsewhere::CHECK,
    &wiring::denied::CHECK,
    &kuberay::env_from_only::CHECK,
    &kuberay::autoscaler::CHECK,
    &kuberay::worker_group::CHECK,
    &kuberay::two_designs::CHECK,
    &kuberay::not_obeyed::CHECK,
    &kuberay::operator_names::CHECK,
    &kuberay::wait_for_ever::CHECK,
    &kuberay::left_open::CHECK,
    &permissions::secrets::CHECK,
    &permissions::pods::CHECK,
    &permissions::resources::CHECK,
    &connection::unexplained::CHECK,
];

/// Runs every check. Findings come sorted by severity, then in the order of the table.
pub fn examine(case: &Case<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    for check in CHECKS {
        let mut findings = Findings::of(check);
        (check.run)(case, &mut findings);
        all.extend(findings.into_vec());
    }
    all.iter_mut().for_each(|finding| weigh(case, finding));
    all.iter_mut().for_each(|finding| cert_manager::tell_owner(case, finding));
    connection::unexplained::tell(case, &mut all);
    // Each keeps its place in the table among those of its weight.
    all.sort_by_key(|finding| finding.severity);
    all
}

/// Connections that fail and are in no finding that counts, and failures without a cause, one line each: what the checks owe.
/// CON01, which takes what is left, does not count.
///
/// Of a connection of parties that have no pods a warning is enough, and no cause is looked for.
pub fn unexplained(model: &Model, matrix: &[Judged], findings: &[Finding], causes: &[Cause]) -> Vec<String> {
    let counts = |finding: &&Finding, needed: bool| {
        let heavy = finding.severity == Severity::Error || !needed && finding.severity == Severity::Warning;
        heavy && finding.code != connection::unexplained::CHECK.code
    };
    let mut lost = Vec::new();
    let mut broken = false;
    for (at, (judged, connection)) in matrix.iter().zip(&model.connections).enumerate() {
        let Verdict::Reject { reason, .. } = judged.effective() else { continue };
        broken |= connection.needed;
        if !findings.iter().any(|finding| counts(&finding, connection.needed) && finding.breaks.contains(&at)) {
            lost.push(format!("{}: {}", connection.id, reason.text()));
        }
    }
    if broken && causes.iter().all(|cause| cause.mends.is_empty()) {
        lost.push("no cause is told".into());
    }
    lost
}

/// What breaks nothing but groups and Deployments of no pods is no error yet.
fn weigh(case: &Case<'_>, finding: &mut Finding) {
    let idle = |at: &usize| -> BTreeSet<usize> {
        let ends = case.model.connections.get(*at).map(|c| [c.dialer, c.target]).into_iter().flatten();
        let is_idle = |p: &usize| case.model.parties.get(*p).is_some_and(|p| parties::is_idle(case.evidence, p));
        ends.filter(is_idle).collect()
    };
    if finding.severity != Severity::Error || finding.breaks.is_empty() {
        return;
    }
    let idle: Vec<BTreeSet<usize>> = finding.breaks.iter().map(idle).collect();
    if idle.iter().any(BTreeSet::is_empty) {
        return;
    }
    let idle: Vec<usize> = idle.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    finding.severity = Severity::Warning;
    let (have, are) = if idle.len() == 1 { ("has", "it is") } else { ("have", "they are") };
    let who = lens::used_by(case.model, &idle);
    finding.message.push_str(&format!(" ({who} {have} no pods now: this breaks when {are} scaled up)"));
}

/// The edits of a finding; here so that check authors need one import.
pub type Edits = Vec<Edit>;
