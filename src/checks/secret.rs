//! SEC: Secrets, and files that are no PEM at all.

pub mod empty;
pub mod encoded_twice;
pub mod invalid_base64;
pub mod key_missing;
pub mod missing;
pub mod no_ca;
pub mod not_pem;
pub mod overwritten;
pub mod placeholder;

use super::lens::{self, Shared};
use super::{Case, Findings};

/// A finding for every stored file that Ray cannot load because of what `wrong` says of it, one clause.
fn unloadable(case: &Case<'_>, findings: &mut Findings, wrong: impl Fn(&Shared<'_>) -> Option<String>) {
    for shared in lens::shared(case, &lens::SLOTS) {
        let Some(clause) = wrong(&shared) else { continue };
        let finding = findings.add(shared.subject.clone(), clause);
        finding.breaks = lens::failing_at(case, &shared.parties());
        finding.edits = lens::provide(&shared.uses);
        shared.tell(case, finding);
    }
}
