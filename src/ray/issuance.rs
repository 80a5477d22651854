//! What cert-manager will put into a Secret, who orders it, and which link of the chain behind it is broken.

use jiff::{SignedDuration, Timestamp};

use crate::evidence::issuance::{Bundle, Certificate as Order, Condition, Issuer, IssuerKind};
use crate::evidence::{Evidence, FileFacts, Mode, ObjectRef, Outcome, Seen, SourceKind, Why};
use crate::grpc::certificate::{Certificate, KeyUsage, Name, Purpose};
use crate::grpc::predicted;

use super::{Place, TlsFile};

/// The keys that cert-manager writes into a Secret.
pub const KEYS: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// The namespace in which a ClusterIssuer looks for its CA, unless cert-manager is told another.
pub const CLUSTER_NAMESPACE: &str = "cert-manager";

/// CA issuers one behind the other that are followed.
const DEPTH: usize = 8;

/// The Certificate that a Secret belongs to: the one that its annotation names, else one that orders it.
pub fn owner<'e>(evidence: &'e Evidence, namespace: &'e str, secret: &'e str) -> Option<&'e Order> {
    let named = evidence.secret(namespace, secret).found().and_then(|s| s.annotations.get(OWNER));
    named
        .and_then(|name| evidence.issuance.certificate(namespace, name))
        .or_else(|| evidence.issuance.orders(namespace, secret).next())
}

/// The name of the Certificate that wrote a Secret, by its annotation, whether or not the Certificate was seen.
pub fn written_by<'e>(evidence: &'e Evidence, namespace: &str, secret: &str) -> Option<&'e str> {
    evidence.secret(namespace, secret).found().and_then(|s| s.annotations.get(OWNER)).map(String::as_str)
}

/// trust-manager's Bundle that writes the objects of this kind and name.
pub fn bundle_of<'e>(evidence: &'e Evidence, kind: SourceKind, name: &str) -> Option<&'e Bundle> {
    let writes = |bundle: &Bundle| match kind {
        SourceKind::ConfigMap => bundle.config_map_key.is_some(),
        SourceKind::Secret => bundle.secret_key.is_some(),
    };
    evidence.issuance.bundles.iter().find(|bundle| bundle.object.name == name && writes(bundle))
}

/// What a Bundle says of itself: `Synced is False (SourceNotFound: …)`, and which namespaces it writes to.
pub fn synced(bundle: &Bundle) -> String {
    let said = bundle.conditions.iter().find(|condition| condition.kind == "Synced");
    let said = said.map_or_else(
        || "it has no Synced condition yet".to_owned(),
        |Condition { status, reason, message, .. }| format!("Synced is {status} ({reason}: {message})"),
    );
    let labels: Vec<String> = bundle.namespace_labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    match labels.is_empty() {
        true => said,
        false => format!("{said}; it writes to namespaces with {} only", labels.join(", ")),
    }
}

const OWNER: &str = "cert-manager.io/certificate-name";

/// A file that was not read, by what its Certificate orders; unchanged where none does.
///
/// In manifests every ordered Secret is foretold; of a cluster one that could not be read, when cert-manager says that it is as
/// ordered, and while no port or pod shows more. One that the API server does not have is not foretold: it is missing.
pub(super) fn foretell(evidence: &Evidence, mut file: TlsFile) -> TlsFile {
    let (Place::Key { kind: SourceKind::Secret, namespace, name, key: Some(key), .. }, Seen::Unseen(_)) =
        (&file.place, &file.content)
    else {
        return file;
    };
    let Some(order) = evidence.issuance.orders(namespace, name).next().filter(|_| file.hypothetical.is_none()) else {
        return file;
    };
    let shown =
        || !evidence.inside.is_empty() || evidence.handshakes.iter().any(|h| matches!(h.outcome, Outcome::Tls(_)));
    if evidence.mode == Mode::Live && (!is_up_to_date(order) || shown()) {
        return file;
    }
    let ground = format!("cert-manager writes it by {}", order.object);
    match contents(evidence, order, key) {
        Contents::Certificates(made) => file.hypothetical = Some(made),
        Contents::Key => {}
        Contents::Nothing => file.content = Seen::Absent,
        Contents::Unknown(why) => {
            file.content = Seen::Unseen(why);
            return file;
        }
    }
    file.assumed = Some(ground);
    file
}

/// What is under one key of an ordered Secret.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// These certificates.
    Certificates(Vec<Certificate>),
    /// The private key of the certificate.
    Key,
    /// There is no such key.
    Nothing,
    /// That depends on what was not seen.
    Unknown(Why),
}

/// What cert-manager writes under a key (cert-manager 1.21, `internal/controller/certificates` and the issuers' `Sign`):
/// `ca.crt` of a self-signed certificate is itself, of a CA issuer the root above it, of an ACME issuer nothing.
pub fn contents(evidence: &Evidence, order: &Order, key: &str) -> Contents {
    under(key, issue(evidence, order, 0))
}

/// As [`contents`], once the issuer signs with a CA: [`no_ca`].
pub fn contents_by_ca(evidence: &Evidence, order: &Order, key: &str) -> Contents {
    let ca =
        authority(&format!("the CA of {}", order.issuer.object(&order.object.namespace)), evidence.taken_at, false);
    under(key, Issued { chain: vec![leaf(evidence, order, Some(&ca))], root: Seen::Found(ca) })
}

fn under(key: &str, issued: Issued) -> Contents {
    match key {
        "tls.crt" => Contents::Certificates(issued.chain),
        "tls.key" => Contents::Key,
        "ca.crt" => match issued.root {
            Seen::Found(root) => Contents::Certificates(vec![root]),
            Seen::Absent => Contents::Nothing,
            Seen::Unseen(why) => Contents::Unknown(why),
        },
        // additionalOutputFormats and key stores, which Ray cannot read.
        key if key.contains("combined") || key.contains("store") || key == "key.der" => {
            Contents::Unknown(Why::OutOfReach(format!("{key} of cert-manager")))
        }
        _ => Contents::Nothing,
    }
}

/// Whether a Certificate is ready and its status speaks of what it says now.
pub fn is_up_to_date(order: &Order) -> bool {
    order.condition("Ready").is_some_and(|ready| {
        ready.holds() && (ready.observed_generation.is_none() || ready.observed_generation >= order.generation)
    })
}

/// The issuer that an order refers to, as far as it was seen.
pub fn issuer<'e>(evidence: &'e Evidence, order: &Order) -> Seen<&'e Issuer> {
    if let Some(issuer) = evidence.issuance.issuer(&order.issuer, &order.object.namespace) {
        return Seen::Found(issuer);
    }
    let object = order.issuer.object(&order.object.namespace);
    if evidence.issuance.no_issuers.contains(&object) {
        return Seen::Absent;
    }
    match evidence.mode {
        Mode::Live if order.issuer.is_own() && evidence.issuance.listed.contains(&object.namespace) => Seen::Absent,
        Mode::Live => Seen::Unseen(Why::NotAsked),
        _ => Seen::Unseen(Why::NotInManifests),
    }
}

/// The namespace of an issuer's CA Secret.
pub fn ca_namespace(issuer: &Issuer) -> &str {
    if issuer.object.namespace.is_empty() { CLUSTER_NAMESPACE } else { &issuer.object.namespace }
}

/// The CA behind an order with which cert-manager signs nothing, for it is no CA (`pkg/issuer/ca/setup.go`: `certificate is not
/// a CA`): the Certificate that makes it without `isCA`, or else the Secret that holds it. None where all are CAs or were not seen.
pub fn no_ca<'e>(evidence: &'e Evidence, order: &'e Order) -> Option<NoCa<'e>> {
    let mut order = order;
    for _ in 0..DEPTH {
        let Seen::Found(Issuer { kind: IssuerKind::Ca { secret }, .. }) = issuer(evidence, order) else { return None };
        let namespace = ca_namespace(issuer(evidence, order).found()?);
        if let Seen::Found(stored) = evidence.secret(namespace, secret) {
            let first = parsed(&stored.data.get("tls.crt")?.facts).into_iter().next()?;
            return (first.ca != Some(true)).then_some(NoCa::Stored(&stored.object));
        }
        let maker = evidence.issuance.orders(namespace, secret).next()?;
        if !maker.is_ca {
            return Some(NoCa::Ordered(maker));
        }
        order = maker;
    }
    None
}

/// What an issuer has instead of a CA.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoCa<'e> {
    /// A Certificate without `isCA: true` orders it.
    Ordered(&'e Order),
    /// It is in this Secret.
    Stored(&'e ObjectRef),
}

/// What an order comes to.
struct Issued {
    /// `tls.crt`: the certificate, and those between it and the root.
    chain: Vec<Certificate>,
    /// `ca.crt`.
    root: Seen<Certificate>,
}

fn issue(evidence: &Evidence, order: &Order, depth: usize) -> Issued {
    let of_issuer = |what: &str| {
        let id = format!("the {what} of {}", order.issuer.object(&order.object.namespace));
        authority(&id, evidence.taken_at, true)
    };
    let kind = issuer(evidence, order).map(|issuer| (&issuer.kind, ca_namespace(issuer)));
    let (signers, root) = match kind {
        Seen::Found((IssuerKind::SelfSigned, _)) => {
            let own = leaf(evidence, order, None);
            return Issued { chain: vec![own.clone()], root: Seen::Found(own) };
        }
        Seen::Found((IssuerKind::Ca { secret }, namespace)) => signers(evidence, namespace, secret, depth)
            .unwrap_or_else(|| {
                let ca = of_issuer("CA");
                (vec![ca.clone()], Seen::Found(ca))
            }),
        Seen::Found((IssuerKind::Acme, _)) => (vec![of_issuer("CA")], Seen::Absent),
        Seen::Found((IssuerKind::Vault | IssuerKind::Venafi | IssuerKind::Other, _)) => {
            let why = format!("what {} {} gives as its CA", order.issuer.kind, order.issuer.name);
            (vec![of_issuer("CA")], Seen::Unseen(Why::OutOfReach(why)))
        }
        Seen::Absent => (vec![of_issuer("CA")], Seen::Unseen(Why::NotYetMade)),
        Seen::Unseen(why) => (vec![of_issuer("CA")], Seen::Unseen(why)),
    };
    let mut chain = vec![leaf(evidence, order, signers.first())];
    // No root is sent along.
    chain.extend(signers.into_iter().filter(|ca| ca.subject_canonical != ca.issuer_canonical));
    Issued { chain, root }
}

/// The certificates that a CA issuer's Secret has, and the root above them; none where neither it nor its order was seen.
fn signers(
    evidence: &Evidence,
    namespace: &str,
    secret: &str,
    depth: usize,
) -> Option<(Vec<Certificate>, Seen<Certificate>)> {
    if let Seen::Found(stored) = evidence.secret(namespace, secret) {
        let chain = stored.data.get("tls.crt").map(|content| parsed(&content.facts)).unwrap_or_default();
        let root = chain.iter().find(|ca| ca.subject_canonical == ca.issuer_canonical).or(chain.last()).cloned()?;
        return Some((chain, Seen::Found(root)));
    }
    let order = evidence.issuance.orders(namespace, secret).next().filter(|_| depth < DEPTH)?;
    let issued = issue(evidence, order, depth + 1);
    Some((issued.chain, issued.root))
}

fn parsed(facts: &FileFacts) -> Vec<Certificate> {
    let blocks = facts.certificates.blocks.iter();
    blocks.map_while(|block| Certificate::parse(&block.to_der().ok()?).ok()).collect()
}

fn leaf(evidence: &Evidence, order: &Order, issuer: Option<&Certificate>) -> Certificate {
    let begin = order.not_before.unwrap_or(evidence.taken_at);
    let lifetime = order.lifetime().unwrap_or(SignedDuration::from_hours(90 * 24));
    let names = order.dns_names.iter().map(|name| Name::Dns(name.clone()));
    let addresses = order.ip_addresses.iter().map(|ip| Name::from_text(ip));
    let uris = order.uris.iter().map(|uri| Name::Uri(uri.clone()));
    let (algorithm, bits) = key_of(order);
    let (key_usage, purposes) = usages(order);
    Certificate::predicted(predicted::Order {
        id: &order.object.to_string(),
        common_name: order.common_name.as_deref(),
        names: names.chain(addresses).chain(uris).collect(),
        not_before: begin,
        not_after: order.not_after.unwrap_or_else(|| begin.saturating_add(lifetime).unwrap_or(Timestamp::MAX)),
        algorithm,
        bits,
        key_usage,
        purposes,
        ca: order.is_ca,
        issuer,
        is_stranger: false,
    })
}

/// A CA that by assumption vouches for what it signs; a stranger where nothing was seen of it.
fn authority(id: &str, now: Timestamp, is_stranger: bool) -> Certificate {
    Certificate::predicted(predicted::Order {
        id,
        common_name: Some(id),
        names: Vec::new(),
        not_before: now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN),
        not_after: now.saturating_add(SignedDuration::from_hours(10 * 365 * 24)).unwrap_or(Timestamp::MAX),
        algorithm: "RSA",
        bits: 2048,
        key_usage: None,
        purposes: None,
        ca: true,
        issuer: None,
        is_stranger,
    })
}

/// The kind and size of key that is ordered, in gRPC's words.
pub fn key_of(order: &Order) -> (&'static str, u32) {
    let size = |default: u32| order.key.size.and_then(|size| u32::try_from(size).ok()).unwrap_or(default);
    match order.key.algorithm.as_deref() {
        Some("ECDSA") => match size(256) {
            384 => ("P-384", 384),
            521 => ("P-521", 521),
            _ => ("P-256", 256),
        },
        Some("Ed25519") => ("Ed25519", 256),
        _ => ("RSA", size(2048)),
    }
}

/// keyUsage and extendedKeyUsage as cert-manager's issuers write them: exactly what is asked for, by default digitalSignature and
/// keyEncipherment (`pkg/util/pki/csr.go`, `KeyUsagesForCertificateOrCertificateRequest`).
fn usages(order: &Order) -> (Option<KeyUsage>, Option<Vec<Purpose>>) {
    let default = ["digital signature".to_owned(), "key encipherment".to_owned()];
    let asked: &[String] = if order.usages.is_empty() { &default } else { &order.usages };
    let has = |usage: &str| asked.iter().any(|asked| asked == usage);
    let bits = [
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
    ];
    let usage = KeyUsage {
        digital_signature: has("digital signature") || has("signing"),
        cert_sign: has("cert sign") || order.is_ca,
        key_encipherment: has("key encipherment"),
    };
    let purposes: Vec<Purpose> = asked
        .iter()
        .filter(|asked| !bits.contains(&asked.as_str()))
        .map(|asked| match asked.as_str() {
            "any" => Purpose::Any,
            "client auth" => Purpose::ClientAuth,
            "server auth" => Purpose::ServerAuth,
            other => Purpose::Other(other.to_owned()),
        })
        .collect();
    let restricted = order.is_ca || bits.iter().any(|bit| has(bit));
    (restricted.then_some(usage), (!purposes.is_empty()).then_some(purposes))
}

/// A duration of a Certificate that cert-manager does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDuration {
    /// `duration` or `renewBefore`.
    pub field: &'static str,
    /// As written.
    pub written: String,
    /// What it is instead of one, and what would do.
    pub text: String,
}

/// The first duration of a Certificate that cert-manager's webhook refuses (`ValidateDuration`).
pub fn bad_duration(order: &Order) -> Option<BadDuration> {
    let bad = |field, written: &str, text: &str| {
        Some(BadDuration { field, written: written.to_owned(), text: format!("{written}, {text}") })
    };
    let units = "no duration of Go's, which has h, m and s: 2160h are 90 days";
    let whole = order.lifetime();
    if let Some(written) = &order.duration {
        match whole {
            None => return bad("duration", written, units),
            Some(time) if time < SignedDuration::from_hours(1) => {
                return bad("duration", written, "less than the hour that cert-manager asks for");
            }
            Some(_) => {}
        }
    }
    let written = order.renew_before.as_deref()?;
    match (order.renewed_before(), whole) {
        (None, _) => bad("renewBefore", written, units),
        (Some(time), _) if time < SignedDuration::from_mins(5) => {
            bad("renewBefore", written, "less than the five minutes that cert-manager asks for")
        }
        (Some(time), Some(whole)) if time >= whole => {
            bad("renewBefore", written, "not less than the duration of the certificate")
        }
        _ => None,
    }
}

/// The link that is red first, counted from the root.
#[derive(Clone, Debug, PartialEq)]
pub struct Red<'e> {
    /// The object whose mending makes the chain go on.
    pub link: ObjectRef,
    /// What is wrong with it.
    pub trouble: Trouble,
    /// The words of cert-manager: `Pending: Referenced "ClusterIssuer" not found: …`; empty where it says nothing.
    pub words: String,
    /// Since when, UTC, where it is told.
    pub since: Option<Timestamp>,
    /// The Certificate at whose issuer, request or self the link is.
    pub order: &'e Order,
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such issuer.
    IssuerMissing,
    /// The issuer is not Ready.
    IssuerNotReady,
    /// The Secret with the issuer's CA is missing, or cannot be used.
    CaSecret,
    /// The request was denied.
    Denied,
    /// Nobody has approved the request.
    NotApproved,
    /// No controller has answered the request.
    NoAnswer,
    /// The issuer did not sign.
    NotSigned,
    /// The Certificate itself is not Ready, and no request says why.
    NotReady,
}

/// The first red link behind an order that is not fulfilled; none where it is, or where nothing was seen that says otherwise.
pub fn first_red<'e>(evidence: &'e Evidence, order: &'e Order) -> Option<Red<'e>> {
    red(evidence, order, 0)
}

fn red<'e>(evidence: &'e Evidence, order: &'e Order, depth: usize) -> Option<Red<'e>> {
    let ready = order.condition("Ready");
    let stuck =
        order.condition("Issuing").is_some_and(Condition::holds) || order.failed_attempts.is_some_and(|n| n > 0);
    if ready.is_none_or(|ready| ready.holds() && !stuck) || ready.is_some_and(|r| r.reason == "IncorrectCertificate") {
        return None;
    }
    let request = evidence.issuance.request(order);
    let found = |link: ObjectRef, trouble: Trouble, condition: Option<&Condition>| {
        Some(Red { link, trouble, words: words(condition), since: condition.and_then(|c| c.since), order })
    };
    let of_request = request.and_then(|r| r.condition("Ready"));
    let reference = order.issuer.object(&order.object.namespace);
    match issuer(evidence, order) {
        Seen::Absent => return found(reference, Trouble::IssuerMissing, of_request),
        Seen::Found(issuer) if !issuer.condition("Ready").is_some_and(Condition::holds) => {
            return behind(evidence, order, issuer, depth);
        }
        Seen::Unseen(_)
            if of_request.is_some_and(|c| c.message.starts_with("Referenced") && c.message.contains("not found")) =>
        {
            return found(reference, Trouble::IssuerMissing, of_request);
        }
        Seen::Found(_) | Seen::Unseen(_) => {}
    }
    let Some(request) = request else { return found(order.object.clone(), Trouble::NotReady, ready) };
    let object = request.object.clone();
    let refused =
        ["Denied", "InvalidRequest"].into_iter().filter_map(|kind| request.condition(kind)).find(|c| c.holds());
    if refused.is_some() {
        return found(object, Trouble::Denied, refused);
    }
    if !request.condition("Approved").is_some_and(Condition::holds) {
        return found(object, Trouble::NotApproved, None);
    }
    match of_request {
        None => found(object, Trouble::NoAnswer, None),
        Some(answer) if !answer.holds() => found(object, Trouble::NotSigned, Some(answer)),
        Some(_) => found(order.object.clone(), Trouble::NotReady, ready),
    }
}

/// What is behind an issuer that is not ready: for one with a CA, the Secret of the CA, and what that waits for.
fn behind<'e>(evidence: &'e Evidence, order: &'e Order, issuer: &'e Issuer, depth: usize) -> Option<Red<'e>> {
    let ready = issuer.condition("Ready");
    let red_here = |link: ObjectRef, trouble: Trouble| {
        Some(Red { link, trouble, words: words(ready), since: ready.and_then(|c| c.since), order })
    };
    let (IssuerKind::Ca { secret }, Some(_)) = (&issuer.kind, ready) else {
        return red_here(issuer.object.clone(), Trouble::IssuerNotReady);
    };
    let namespace = ca_namespace(issuer);
    let deeper = evidence.issuance.orders(namespace, secret).next().filter(|_| depth < DEPTH);
    let deeper = deeper.and_then(|ca| red(evidence, ca, depth + 1));
    deeper.or_else(|| red_here(ObjectRef::new("Secret", namespace, secret), Trouble::CaSecret))
}

fn words(condition: Option<&Condition>) -> String {
    match condition {
        Some(c) if c.message.is_empty() => c.reason.clone(),
        Some(c) => format!("{}: {}", c.reason, c.message),
        None => String::new(),
    }
}
