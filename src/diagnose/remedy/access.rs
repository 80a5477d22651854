//! Steps that let Ray's user read what is mounted.

use super::super::causes::RemedyStep;
use super::super::edit::Edit;
use super::{kubectl_kind, restart};
use crate::ray::{Access, Model};

/// A file that is there, but not for Ray's user, needs no other file.
pub(super) fn readable(model: &Model, edit: &Edit) -> Option<Vec<RemedyStep>> {
    let (Edit::Provide { party, slot } | Edit::Share { party, slot, .. }) = edit else { return None };
    let party = model.parties.get(*party).filter(|p| matches!(p.file(*slot).access, Access::Denied(_)))?;
    let text = format!(
        "Set securityContext.fsGroup: 1000 in the pod of {}, so that Ray's user may read the mounted files; or defaultMode: 0444 on the volume",
        party.object
    );
    let group = "securityContext:\n  fsGroup: 1000";
    let Some(kind) = kubectl_kind(&party.object) else {
        let step = RemedyStep { text, command: None, patch: Some(format!("# in the spec of the pod\n{group}")) };
        return Some(vec![step, restart(party)]);
    };
    let command = format!(
        "kubectl -n {} patch {kind} {} -p '{{\"spec\":{{\"template\":{{\"spec\":{{\"securityContext\":{{\"fsGroup\":1000}}}}}}}}}}'",
        party.namespace, party.object.name
    );
    let patch = "spec:\n  template:\n    spec:\n      securityContext:\n        fsGroup: 1000".to_owned();
    Some(vec![RemedyStep { text, command: Some(command), patch: Some(patch) }])
}
