//! Steps that let NetworkPolicies let Ray through.

use std::collections::BTreeSet;

use super::RemedyStep;
use crate::evidence::ObjectRef;
use crate::ray::Model;

/// Rules for what a policy keeps out.
pub(super) fn let_in(model: &Model, policy: &ObjectRef) -> Vec<RemedyStep> {
    let id = |party: usize| model.parties.get(party).map_or("", |party| party.id.as_str());
    let mut rules = BTreeSet::new();
    for connection in model.connections.iter().filter(|c| c.denied_by.as_ref() == Some(policy)) {
        let port = match connection.port.number() {
            Some(number) => format!("port {number}"),
            None => "every port, for those of nodes are random unless they are pinned".to_owned(),
        };
        rules.insert(format!(
            "Let {policy} allow ingress from {} to {} on {port}",
            id(connection.dialer),
            id(connection.target)
        ));
    }
    let command = format!("kubectl -n {} edit networkpolicy {}", policy.namespace, policy.name);
    let step = |(at, text): (usize, String)| RemedyStep {
        text,
        command: (at == 0 && !policy.namespace.is_empty()).then(|| command.clone()),
        patch: None,
    };
    rules.into_iter().enumerate().map(step).collect()
}
