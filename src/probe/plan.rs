//! Which ports are worth dialling, with which client certificate. Pure.

use crate::evidence::{Evidence, Target};
use crate::ray::Model;

/// One dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// What to dial.
    pub target: Target,
    /// SNI; none for an IP address.
    pub server_name: Option<String>,
    /// Leaf (SHA-256, hex) of the identity to present; none for no client certificate.
    pub identity: Option<String>,
}

/// The dials for the connections of the model. `identities` are the leaves (SHA-256, hex) whose keys are at hand.
pub fn plan(_evidence: &Evidence, _model: &Model, _identities: &[String]) -> Vec<Dial> {
    Vec::new()
}
