//! cert-manager's and trust-manager's objects behind the Secrets and ConfigMaps that Ray uses. Nothing is asked where cert-manager
//! has nothing to do with them; else the number of requests is that of the issuers, not of the pods.

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::{Api, Failed, Page, is_name};
use super::lists::{Kind, forbidden, missed};
use super::{in_order, text, why};
use crate::collect::assemble::{Object, assemble};
use crate::collect::keyring::Keyring;
use crate::evidence::{Evidence, Gap, ObjectRef};
use crate::ray::issuance::written_by;

const GROUP: &str = "cert-manager.io";

pub(super) static KINDS: [Kind; 3] = [
    Kind { group: GROUP, version: "v1", plural: "certificates", kind: "Certificate", selected: false, fields: "" },
    Kind {
        group: GROUP,
        version: "v1",
        plural: "certificaterequests",
        kind: "CertificateRequest",
        selected: false,
        fields: "",
    },
    Kind { group: GROUP, version: "v1", plural: "issuers", kind: "Issuer", selected: false, fields: "" },
];

pub(super) static BUNDLES: Kind = Kind {
    group: "trust.cert-manager.io",
    version: "v1alpha1",
    plural: "bundles",
    kind: "Bundle",
    selected: false,
    fields: "",
};

/// CA issuers one behind the other that are followed.
const DEPTH: usize = 8;
/// Certificates of a namespace that are kept where none makes the Secret that is missing: one may have a misspelt name.
const OTHERS: usize = 20;

/// Adds what is behind the Secrets that cert-manager wrote, or that were not seen.
pub(super) async fn collect(api: &Api, namespace: Option<&str>, evidence: &mut Evidence, keys: &mut Keyring) {
    let mut objects = Vec::new();
    let secrets = in_question(evidence);
    if !secrets.is_empty() {
        let asked = KINDS.iter().map(|kind| list(api, kind, namespace));
        let found: Vec<Listed> = in_order(asked).await;
        let mut items = Vec::new();
        let (mut refused, mut whole) = (Vec::new(), true);
        for Listed { kind, items: some, failed } in found {
            whole &= failed.is_none();
            match failed {
                // Not found: cert-manager is not installed.
                None | Some(Failed::NotFound { .. }) => {}
                Some(Failed::Forbidden) => refused.push(kind),
                Some(failed) => missed(kind, namespace, &failed, !some.is_empty(), evidence),
            }
            items.extend(some);
        }
        forbidden(&refused, namespace, evidence);
        if whole {
            let all = secrets.iter().map(|(namespace, _)| namespace.clone());
            evidence.issuance.listed.extend(namespace.map_or_else(|| all.collect(), |name| vec![name.to_owned()]));
        }
        let kept = kept(items, &secrets);
        objects.extend(cluster_issuers(api, &kept, evidence).await);
        objects.extend(kept);
    }
    if evidence.lookups.iter().any(|lookup| lookup.object.kind == "ConfigMap" && lookup.unseen.is_none()) {
        let bundles = list(api, &BUNDLES, None).await;
        match bundles.failed {
            None | Some(Failed::NotFound { .. }) => {}
            Some(Failed::Forbidden) => forbidden(&[&BUNDLES], None, evidence),
            Some(failed) => missed(&BUNDLES, None, &failed, !bundles.items.is_empty(), evidence),
        }
        let missing =
            |name: &str| evidence.lookups.iter().any(|l| l.object.kind == "ConfigMap" && l.object.name == name);
        objects.extend(bundles.items.into_iter().filter(|bundle| missing(text(bundle, "/metadata/name"))));
    }
    assemble(objects.into_iter().map(Object::live).collect(), evidence, keys);
}

/// What came of a list.
pub(super) struct Listed {
    kind: &'static Kind,
    pub(super) items: Vec<Value>,
    pub(super) failed: Option<Failed>,
}

pub(super) async fn list(api: &Api, kind: &'static Kind, namespace: Option<&str>) -> Listed {
    let mut items = Vec::new();
    let mut strange = false;
    let each = |page| match page {
        Page::Anew => items.clear(),
        Page::Items(some) => {
            let all = some.len();
            let right = some.into_iter().filter(|item| is_one(item, kind, namespace));
            let before = items.len();
            items.extend(right.filter_map(|item| typed(item, kind)));
            strange |= items.len() - before < all;
        }
    };
    let failed = api.list(kind, namespace, "", each).await.or_else(|| {
        strange.then(|| Failed::Nonsense("its list has items of another kind or namespace: they are left out".into()))
    });
    Listed { kind, items, failed }
}

/// Whether an item is of the kind and namespace that were asked for, as far as it says.
fn is_one(item: &Value, kind: &Kind, namespace: Option<&str>) -> bool {
    let (own_kind, own_namespace) = (text(item, "/kind"), text(item, "/metadata/namespace"));
    (own_kind.is_empty() || own_kind == kind.kind)
        && (own_namespace.is_empty() || namespace.is_none_or(|wanted| own_namespace == wanted))
}

/// An item with its kind, and without the certificates that requests hold.
fn typed(mut item: Value, kind: &Kind) -> Option<Value> {
    let fields = item.as_object_mut()?;
    fields.insert("apiVersion".into(), kind.api_version().into());
    fields.insert("kind".into(), kind.kind.into());
    for (part, field) in [("spec", "request"), ("status", "certificate"), ("status", "ca")] {
        if let Some(part) = fields.get_mut(part).and_then(Value::as_object_mut).filter(|_| kind.kind != "Issuer") {
            part.remove(field);
        }
    }
    Some(item)
}

/// Namespace and name of the Secrets that a Certificate made, or may have to make.
fn in_question(evidence: &Evidence) -> BTreeSet<(String, String)> {
    let lost = evidence.lookups.iter().filter(|lookup| lookup.object.kind == "Secret").map(|lookup| &lookup.object);
    let made = evidence.secrets.iter().map(|secret| &secret.object);
    let made = made.filter(|object| written_by(evidence, &object.namespace, &object.name).is_some());
    lost.chain(made).map(|object| (object.namespace.clone(), object.name.clone())).collect()
}

/// The Certificates for these Secrets and for the CAs behind them, their requests, and the issuers that they refer to.
fn kept(items: Vec<Value>, secrets: &BTreeSet<(String, String)>) -> Vec<Value> {
    let of_kind = |kind: &'static str| items.iter().filter(move |item| text(item, "/kind") == kind);
    let namespace = |item: &Value| text(item, "/metadata/namespace").to_owned();
    let mut wanted = secrets.clone();
    let mut issuers: BTreeSet<(String, String)> = BTreeSet::new();
    let mut certificates: BTreeSet<(String, String)> = BTreeSet::new();
    let made: BTreeSet<(String, String)> =
        of_kind("Certificate").map(|c| (namespace(c), text(c, "/spec/secretName").to_owned())).collect();
    for (lost, _) in secrets.iter().filter(|secret| !made.contains(*secret)) {
        let others = of_kind("Certificate").filter(|c| namespace(c) == *lost).take(OTHERS);
        certificates.extend(others.map(|c| (namespace(c), text(c, "/metadata/name").to_owned())));
    }
    for _ in 0..DEPTH {
        for certificate in of_kind("Certificate") {
            let here = namespace(certificate);
            let id = (here.clone(), text(certificate, "/metadata/name").to_owned());
            if wanted.contains(&(here.clone(), text(certificate, "/spec/secretName").to_owned()))
                || certificates.contains(&id)
            {
                certificates.insert(id);
                // An issuer of another kind with this name is told where this one does not exist.
                issuers.insert((here, text(certificate, "/spec/issuerRef/name").to_owned()));
            }
        }
        let named =
            of_kind("Issuer").filter(|i| issuers.contains(&(namespace(i), text(i, "/metadata/name").to_owned())));
        let cas = named.map(|issuer| (namespace(issuer), text(issuer, "/spec/ca/secretName").to_owned()));
        let before = wanted.len();
        wanted.extend(cas.filter(|(_, name)| !name.is_empty()));
        if wanted.len() == before {
            break;
        }
    }
    let keep = |item: &Value| {
        let named = |path: &str| (namespace(item), text(item, path).to_owned());
        match text(item, "/kind") {
            "Certificate" => certificates.contains(&named("/metadata/name")),
            "CertificateRequest" => {
                certificates.contains(&named("/metadata/annotations/cert-manager.io~1certificate-name"))
            }
            _ => issuers.contains(&named("/metadata/name")),
        }
    };
    let keep: Vec<bool> = items.iter().map(keep).collect();
    items.into_iter().zip(keep).filter_map(|(item, keep)| keep.then_some(item)).collect()
}

/// The ClusterIssuers that are referred to, and those with the name of an Issuer that does not exist.
async fn cluster_issuers(api: &Api, kept: &[Value], evidence: &mut Evidence) -> Vec<Value> {
    let of_kind = |kind: &'static str| kept.iter().filter(move |item| text(item, "/kind") == kind);
    let id = |item: &Value, path: &str| (text(item, "/metadata/namespace").to_owned(), text(item, path).to_owned());
    let issuers: BTreeSet<(String, String)> = of_kind("Issuer").map(|issuer| id(issuer, "/metadata/name")).collect();
    let mut names: BTreeSet<(String, bool)> = BTreeSet::new();
    for certificate in of_kind("Certificate") {
        let reference = id(certificate, "/spec/issuerRef/name");
        let named = text(certificate, "/spec/issuerRef/kind") == "ClusterIssuer";
        if named || !issuers.contains(&reference) {
            names.insert((reference.1, named));
        }
    }
    let asked = names.iter().filter(|(name, _)| is_name(name)).map(|(name, named)| async move {
        (name, named, api.get(&format!("/apis/{GROUP}/v1/clusterissuers/{name}")).await)
    });
    let answers = in_order(asked).await;
    let mut found = Vec::new();
    for (name, named, answer) in answers {
        match answer {
            Ok(mut issuer) if text(&issuer, "/metadata/name") == name => {
                if let Value::Object(fields) = &mut issuer {
                    fields.entry("apiVersion").or_insert_with(|| format!("{GROUP}/v1").into());
                    fields.entry("kind").or_insert_with(|| "ClusterIssuer".into());
                }
                found.push(issuer);
            }
            Err(Failed::NotFound { status: true }) => {
                evidence.issuance.no_issuers.push(ObjectRef::new("ClusterIssuer", "", name));
            }
            // Whether another kind of this name exists is only a hint.
            _ if !named => {}
            answer => {
                let failed = answer.err().unwrap_or_else(|| Failed::Nonsense("another object".into()));
                evidence.incomplete |= failed.is_late();
                let needs = format!(
                    r#"ClusterRole rule: apiGroups ["{GROUP}"], resources ["clusterissuers"], resourceNames ["{name}"], verbs ["get"]"#
                );
                evidence.gaps.push(Gap {
                    what: format!("ClusterIssuer {name}"),
                    why: why(&failed, "get", "clusterissuers.cert-manager.io", None).to_string(),
                    needs: (failed == Failed::Forbidden).then_some(needs),
                    code: None,
                });
            }
        }
    }
    found
}
