//! Three questions about files, apart: does a process load them, does a peer accept what they present, which names pass.

use jiff::Timestamp;

use crate::evidence::{Evidence, FileFacts, Seen};
use crate::grpc::certificate::{Certificate, Name};
use crate::grpc::names;
use crate::grpc::profile::{Profile, Profiles};
use crate::grpc::verdict::{self, Case, Key, Loading, Reason, Role, Verdict as Grpc};
use crate::ray::files::Asked;

use super::side;

/// The answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// To whether a process loads its certificate with its key; none where no certificate is asked about.
    pub identity: Option<Both>,
    /// To whether it loads the trust file; none where none is asked about.
    pub trust: Option<Both>,
    /// To whether a peer accepts the presented chain in each part that is asked for, names aside.
    pub peers: Vec<(Role, Both)>,
    /// To which names pass.
    pub names: Vec<(String, Both)>,
    /// Names of the certificate that were not judged, for there are too many.
    pub names_left: usize,
}

/// The same question to both gRPCs of a Ray cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Both {
    /// Ray's C++ core.
    pub core: Answer,
    /// The grpcio wheel.
    pub python: Answer,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Yes. The clause says what of a file is left out in silence.
    Yes(Option<String>),
    /// No, and this is why.
    No(Reason),
    /// No: the process ends.
    Aborts(Reason),
    /// Not decided; one clause.
    CannotTell(String),
    /// Not decided, for a file that it takes was not given.
    NotGiven(&'static str),
}

/// Names of a certificate that are judged where none is asked for.
const LISTED: usize = 500;

/// Judges the files at `now`, UTC.
pub fn examine(evidence: &Evidence, asked: Asked<'_>, now: Timestamp, profiles: Profiles) -> Answers {
    let files = Files {
        certificate: asked.certificate.map(|path| facts(evidence, path)),
        key: asked.key.map(|path| facts(evidence, path)),
        trust: asked.trust.map(|path| facts(evidence, path)),
    };
    let presented = files.presented(profiles.python);
    let both = |ask: &dyn Fn(Profile) -> Answer| Both { core: ask(profiles.core), python: ask(profiles.python) };
    let leaf = presented.as_ref().ok().and_then(|chain| chain.first());
    // Nobody dials a client, so nobody asks for its names.
    let own = leaf.filter(|_| asked.roles.contains(&Role::Server));
    let listed = if asked.names.is_empty() { own.map_or_else(Vec::new, own_names) } else { each_once(asked.names) };
    let judged = if asked.names.is_empty() { listed.len().min(LISTED) } else { listed.len() };
    let named = |name: &String| {
        let answer = both(&|profile| match &presented {
            Ok(chain) => chain.first().map_or(Answer::NotGiven(NO_CERTIFICATE), |leaf| covers(leaf, name, profile)),
            Err(why) => why.clone(),
        });
        (name.clone(), answer)
    };
    Answers {
        identity: files.certificate.is_some().then(|| both(&|profile| files.identity(profile))),
        trust: files.trust.is_some().then(|| both(&|profile| files.trust(profile).map_or_else(|why| why, answer))),
        peers: match files.certificate {
            None => Vec::new(),
            Some(_) => {
                asked.roles.iter().map(|&role| (role, both(&|p| files.peer(&presented, role, now, p)))).collect()
            }
        },
        names: listed.iter().take(judged).map(named).collect(),
        names_left: listed.len() - judged,
    }
}

impl Both {
    /// Both answers.
    pub fn all(&self) -> [&Answer; 2] {
        [&self.core, &self.python]
    }

    /// Whether either says no.
    pub fn refused(&self) -> bool {
        self.all().into_iter().any(|answer| matches!(answer, Answer::No(_) | Answer::Aborts(_)))
    }

    /// Whether what was given does not decide it.
    pub fn open(&self) -> bool {
        self.all().into_iter().any(|answer| matches!(answer, Answer::CannotTell(_)))
    }
}

impl Answers {
    /// Every answer to a question that was asked. Of names nobody asked for it is no question whether they pass.
    pub fn asked(&self, names_asked: bool) -> impl Iterator<Item = &Both> {
        let names = self.names.iter().filter(move |_| names_asked).map(|(_, both)| both);
        self.identity.iter().chain(&self.trust).chain(self.peers.iter().map(|(_, both)| both)).chain(names)
    }
}

const NO_CERTIFICATE: &str = "no certificate is given (--cert)";
const NO_KEY: &str = "no key is given (--key)";
const NO_TRUST: &str = "no trust file is given (--ca)";

/// What was seen of the files that were given; the clause says why one was not seen.
struct Files<'a> {
    certificate: Option<Result<&'a FileFacts, String>>,
    key: Option<Result<&'a FileFacts, String>>,
    trust: Option<Result<&'a FileFacts, String>>,
}

impl Files<'_> {
    fn identity(&self, profile: Profile) -> Answer {
        let certificate = match &self.certificate {
            None => return Answer::NotGiven(NO_CERTIFICATE),
            Some(Err(why)) => return Answer::CannotTell(why.clone()),
            Some(Ok(facts)) => facts,
        };
        let load = |key| {
            answer(verdict::load_identity(&certificate.certificates, certificate.size == 0, key, Role::Server, profile))
        };
        let key = side::own_key(certificate);
        let any_key = || load(Key::Usable(key.as_deref()));
        // What is wrong with the certificate itself shows with every key.
        match (&self.key, any_key()) {
            (Some(Ok(key)), _) => load(side::usable(key)),
            (Some(Err(why)), Answer::Yes(_)) => Answer::CannotTell(why.clone()),
            (None, Answer::Yes(_)) => Answer::NotGiven(NO_KEY),
            (_, other) => other,
        }
    }

    fn trust(&self, profile: Profile) -> Result<Loading, Answer> {
        match &self.trust {
            None => Err(Answer::NotGiven(NO_TRUST)),
            Some(Err(why)) => Err(Answer::CannotTell(why.clone())),
            Some(Ok(facts)) => Ok(verdict::load_trust(&facts.certificates, facts.size == 0, profile)),
        }
    }

    /// The chain as it would be presented, whether or not its key is there: up to the first block that is no certificate.
    fn presented(&self, profile: Profile) -> Result<Vec<Certificate>, Answer> {
        let certificate = match &self.certificate {
            None => return Err(Answer::NotGiven(NO_CERTIFICATE)),
            Some(Err(why)) => return Err(Answer::CannotTell(why.clone())),
            Some(Ok(facts)) => facts,
        };
        let key = side::own_key(certificate);
        let is_empty = certificate.size == 0;
        let loaded = verdict::load_identity(
            &certificate.certificates,
            is_empty,
            Key::Usable(key.as_deref()),
            Role::Server,
            profile,
        );
        let chain = loaded.certificates().unwrap_or_else(|_| side::certificates(certificate));
        if chain.is_empty() {
            return Err(Answer::CannotTell("the certificate file holds no certificate to present".into()));
        }
        Ok(chain)
    }

    fn peer(
        &self,
        presented: &Result<Vec<Certificate>, Answer>,
        role: Role,
        now: Timestamp,
        profile: Profile,
    ) -> Answer {
        let chain = match presented {
            Ok(chain) => chain,
            Err(why) => return why.clone(),
        };
        let trust = match self.trust(profile) {
            Ok(loading) => loading.certificates(),
            Err(why) => return why,
        };
        match trust.map(|trust| verdict::peer(Case { presented: chain, trust: &trust, name: None, role, now, profile }))
        {
            Ok(Grpc::Accept) | Err(Grpc::Accept) => Answer::Yes(None),
            Ok(Grpc::Reject(reason)) => Answer::No(reason),
            Err(Grpc::Reject(reason)) => {
                Answer::No(Reason { text: format!("a peer cannot load the trust file: {}", reason.text), ..reason })
            }
            Ok(Grpc::CannotTell(why)) | Err(Grpc::CannotTell(why)) => Answer::CannotTell(why),
        }
    }
}

fn answer(loading: Loading) -> Answer {
    match loading {
        Loading::Loads { ignored, .. } => Answer::Yes(ignored),
        Loading::Refuses(reason) => Answer::No(reason),
        Loading::Aborts(reason) => Answer::Aborts(reason),
        Loading::CannotTell(why) => Answer::CannotTell(why),
    }
}

fn facts<'a>(evidence: &'a Evidence, path: &str) -> Result<&'a FileFacts, String> {
    match evidence.file(path) {
        Seen::Found(content) => Ok(&content.facts),
        Seen::Absent => Err(format!("{path} does not exist")),
        Seen::Unseen(why) => Err(format!("{path}: {why}")),
    }
}

fn covers(leaf: &Certificate, name: &str, profile: Profile) -> Answer {
    // A wildcard stands for the names it is there for.
    let dialled = match name.strip_prefix("*.") {
        Some(parent) => format!("{ONE_LABEL}.{parent}"),
        None => names::bare(name).to_owned(),
    };
    if names::covers(leaf, &dialled, profile) {
        return Answer::Yes(None);
    }
    Answer::No(side::name_reason(leaf, name, Some(&dialled), profile))
}

fn each_once(names: &[String]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.iter().filter(|name| seen.insert(*name)).cloned().collect()
}

/// Stands for the star of a wildcard.
const ONE_LABEL: &str = "ray-node";

/// The names of a certificate that somebody could dial: DNS names and addresses, or without any name the common name.
fn own_names(leaf: &Certificate) -> Vec<String> {
    let dialled = |name: &Name| match name {
        Name::Dns(text) => Some(text.clone()),
        Name::Ip(octets) => names::ip_text(octets),
        Name::Email(_) | Name::Other | Name::Uri(_) => None,
    };
    let mut all: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    match &leaf.names {
        Some(names) => all.extend(names.iter().filter_map(dialled).filter(|name| seen.insert(name.clone()))),
        None => all.extend(leaf.common_name.clone()),
    }
    all
}
