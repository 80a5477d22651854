//! Files alone: the three answers, as scripts read them.

use serde::Serialize;

use super::{NotJudged, Options, Report, Verdict};
use crate::checks::{Finding, Severity};
use crate::grpc::profile::Profiles;
use crate::grpc::verdict::{Reason, Role};
use crate::judge::files::{self, Answers, Both};

/// The answers to the three questions about files, each by both gRPCs of a Ray cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// By whose rules, for people: `gRPC 1.58 (Ray 2.60)`.
    pub core: String,
    /// By whose rules, for people: `grpcio 1.85.1`.
    pub python: String,
    /// Whether a process loads its own files: first the certificate with its key, then the trust file, where they were given.
    pub load: Vec<Loading>,
    /// Whether a peer that trusts the trust file accepts the chain that is presented, names aside.
    pub peer: Vec<AsPeer>,
    /// Which names pass.
    pub names: Vec<Named>,
    /// Names of the certificate that are not listed, for there are too many.
    pub names_left_out: usize,
    /// Codes of the findings by which what is accepted today hangs by a thread.
    pub fragile: Vec<&'static str>,
}

/// Whether a process loads files.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loading {
    /// `identity` or `trust`.
    pub what: &'static str,
    /// The paths.
    pub files: Vec<String>,
    /// Who loads them.
    pub accepted_by: Who,
    /// Ray's C++ core.
    pub core: Answer,
    /// The grpcio wheel.
    pub python: Answer,
}

/// Whether a peer accepts the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AsPeer {
    /// Which part the presenter plays: `server`, `client`.
    pub role: &'static str,
    /// Who accepts it.
    pub accepted_by: Who,
    /// Ray's C++ core.
    pub core: Answer,
    /// The grpcio wheel.
    pub python: Answer,
}

/// Whether a name passes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The name as it is dialled; one with `*.` stands for those with one label in its place.
    pub name: String,
    /// Whether it was asked for; if not, it is one of the certificate's.
    pub asked: bool,
    /// With whom it passes.
    pub accepted_by: Who,
    /// Ray's C++ core.
    pub core: Answer,
    /// The grpcio wheel.
    pub python: Answer,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// `accept`, `reject`, `abort` (the process ends) or `cannot-tell`.
    pub verdict: &'static str,
    /// Why, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What gRPC prints, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Subject of the certificate at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What of the file is left out in silence, one clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// The two columns in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Both gRPCs.
    Both,
    /// Ray's C++ core alone.
    CoreOnly,
    /// The grpcio wheel alone.
    PythonOnly,
    /// No one.
    Neither,
    /// One of the two is not decided.
    CannotTell,
}

/// What was asked, for the report.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Paths of the certificate and its key.
    pub identity: Vec<String>,
    /// Path of the trust file.
    pub trust: Vec<String>,
    /// Whether names were asked for.
    pub names: bool,
}

/// The checks that speak of what is accepted and may soon not be.
const FRAGILE: [&str; 8] = ["CHN14", "CHN16", "CHN17", "CRT03", "CRT04", "CRT09", "NAM07", "NAM09"];

impl Report {
    /// A report of files alone: its verdict and exit code follow from the answers and the findings.
    #[must_use]
    pub fn of_files(
        self,
        answers: &Answers,
        asked: &Asked,
        profiles: Profiles,
        findings: &[Finding],
        options: &Options,
    ) -> Report {
        let verification = Verification::of(answers, asked, profiles, findings);
        let questions = || answers.asked(asked.names);
        let refused = questions().any(Both::refused);
        let open = questions().any(Both::open);
        let judged = questions().any(|both| both.all().into_iter().any(|a| !undecided(a)));
        let mut not_judged: Vec<NotJudged> =
            self.not_judged.into_iter().filter(|n| !n.what.starts_with("connection ")).collect();
        not_judged.extend(verification.not_judged());
        not_judged.sort();
        not_judged.dedup();
        let by_finding = |least: Severity| findings.iter().any(|f| f.severity <= least);
        let now = |f: &&Finding| f.severity == Severity::Error && f.at.is_none_or(|at| at <= options.now);
        let exit_code = match options.fail_on {
            _ if options.nothing_read => 2,
            Some(least) if refused || by_finding(least) => 1,
            _ if open || !judged || self.incomplete => 3,
            _ if options.inconclusive_fails && !not_judged.is_empty() => 3,
            _ => 0,
        };
        let verdict = match () {
            () if refused || findings.iter().any(|f| now(&f)) => Verdict::Broken,
            () if !judged => Verdict::Unknown,
            () if by_finding(Severity::Warning) => Verdict::AtRisk,
            () => Verdict::Healthy,
        };
        Report { exit_code, verdict, not_judged, verification: Some(verification), ..self }
    }
}

impl Verification {
    fn of(answers: &Answers, asked: &Asked, profiles: Profiles, findings: &[Finding]) -> Verification {
        let loading = |what, files: &[String], both: &Both| Loading {
            what,
            files: files.to_vec(),
            accepted_by: Who::of(both),
            core: Answer::of(&both.core),
            python: Answer::of(&both.python),
        };
        let identity = answers.identity.iter().map(|both| loading("identity", &asked.identity, both));
        let trust = answers.trust.iter().map(|both| loading("trust", &asked.trust, both));
        let peer = |(role, both): &(Role, Both)| AsPeer {
            role: match role {
                Role::Client => "client",
                Role::Server => "server",
            },
            accepted_by: Who::of(both),
            core: Answer::of(&both.core),
            python: Answer::of(&both.python),
        };
        let named = |(name, both): &(String, Both)| Named {
            name: name.clone(),
            asked: asked.names,
            accepted_by: Who::of(both),
            core: Answer::of(&both.core),
            python: Answer::of(&both.python),
        };
        Verification {
            core: profiles.core.to_string(),
            python: profiles.python.to_string(),
            load: identity.chain(trust).collect(),
            peer: answers.peers.iter().map(peer).collect(),
            names: answers.names.iter().map(named).collect(),
            names_left_out: answers.names_left,
            fragile: FRAGILE.into_iter().filter(|code| findings.iter().any(|f| f.code == *code)).collect(),
        }
    }

    /// The questions in the order of the report: their text, who says yes, and both answers.
    pub(super) fn rows(&self) -> Vec<(String, Who, &Answer, &Answer)> {
        let load =
            self.load.iter().map(|l| (format!("load {}", l.files.join(", ")), l.accepted_by, &l.core, &l.python));
        let peer = self.peer.iter().map(|p| (format!("peer, as {}", p.role), p.accepted_by, &p.core, &p.python));
        let names = self.names.iter().map(|n| (format!("name {}", n.name), n.accepted_by, &n.core, &n.python));
        load.chain(peer).chain(names).collect()
    }

    fn not_judged(&self) -> Vec<NotJudged> {
        let mut all = Vec::new();
        for (what, _, core, python) in self.rows() {
            let both = core == python;
            for (answer, by) in [(core, "core"), (python, "python")] {
                if answer.verdict == CANNOT_TELL && !(both && by == "python") {
                    let what = if both { what.clone() } else { format!("{what}, by {by}") };
                    all.push(NotJudged { what, why: answer.reason.clone().unwrap_or_default(), needs: None });
                }
            }
        }
        all
    }

    /// What fails and what passes, one clause for the verdict line.
    pub(super) fn sentence(&self, verdict: Verdict, errors: &[&str]) -> String {
        let mut bad = Vec::new();
        let said = |who: Who| match who {
            Who::CoreOnly => Some("only the core"),
            Who::PythonOnly => Some("only Python"),
            Who::Neither => Some("neither gRPC"),
            Who::Both | Who::CannotTell => None,
        };
        for load in &self.load {
            if let Some(who) = said(load.accepted_by) {
                bad.push(format!("{who} loads {}", load.files.join(" with ")));
            } else if load.core.refuses() || load.python.refuses() {
                bad.push(format!("{} is refused at load", load.files.join(" with ")));
            }
        }
        let mut peers: Vec<(String, Vec<String>)> = Vec::new();
        for peer in &self.peer {
            let what = match said(peer.accepted_by) {
                Some(who) => format!("{who} accepts the certificate"),
                None if peer.core.refuses() || peer.python.refuses() => "the certificate is refused".to_owned(),
                None => continue,
            };
            let role = format!("as {}", peer.role);
            match peers.iter_mut().find(|(known, _)| *known == what) {
                Some((_, roles)) => roles.push(role),
                None => peers.push((what, vec![role])),
            }
        }
        bad.extend(peers.into_iter().map(|(what, roles)| format!("{what} {}", roles.join(" or "))));
        let asked = || self.names.iter().filter(|n| n.asked);
        let failing: Vec<&Named> = asked().filter(|n| n.core.refuses() || n.python.refuses()).collect();
        match failing.as_slice() {
            [] => {}
            [one] => {
                bad.push(format!("{} accepts the name {}", said(one.accepted_by).unwrap_or("not everyone"), one.name))
            }
            many => bad.push(format!("{} of {} names do not pass with both", many.len(), asked().count())),
        }
        if !bad.is_empty() {
            return bad.join("; ");
        }
        if verdict == Verdict::Unknown {
            return "neither how these files load nor who accepts them could be judged".into();
        }
        let both = |who: Who| who == Who::Both;
        let mut good = Vec::new();
        if verdict == Verdict::Broken {
            good.push(format!("{}, though gRPC does not refuse it here", errors.join(", ")));
        }
        if self.load.iter().any(|l| both(l.accepted_by)) {
            let files = self.load.iter().filter(|l| both(l.accepted_by)).flat_map(|l| l.files.clone());
            good.push(format!("both gRPCs load {}", files.collect::<Vec<_>>().join(", ")));
        }
        let roles: Vec<&str> = self.peer.iter().filter(|p| both(p.accepted_by)).map(|p| p.role).collect();
        if !roles.is_empty() {
            good.push(format!("both accept the certificate as {}", roles.join(" and as ")));
        }
        match asked().count() {
            0 => {}
            1 => good.push("the name passes".into()),
            n => good.push(format!("all {n} names pass")),
        }
        good.join("; ")
    }
}

impl Answer {
    fn of(answer: &files::Answer) -> Answer {
        let because = |verdict, reason: &Reason| Answer {
            verdict,
            reason: Some(reason.text.clone()),
            words: reason.words.clone(),
            certificate: reason.certificate.clone(),
            ignored: None,
        };
        let plain = |verdict, reason| Answer { verdict, reason, words: None, certificate: None, ignored: None };
        match answer {
            files::Answer::Yes(ignored) => Answer { ignored: ignored.clone(), ..plain("accept", None) },
            files::Answer::No(reason) => because("reject", reason),
            files::Answer::Aborts(reason) => because("abort", reason),
            files::Answer::CannotTell(why) => plain(CANNOT_TELL, Some(why.clone())),
            files::Answer::NotGiven(why) => plain(CANNOT_TELL, Some((*why).into())),
        }
    }

    /// Whether it is a no.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.verdict, "reject" | "abort")
    }
}

impl Who {
    fn of(both: &Both) -> Who {
        let yes = |answer: &files::Answer| match answer {
            files::Answer::Yes(_) => Some(true),
            files::Answer::No(_) | files::Answer::Aborts(_) => Some(false),
            files::Answer::CannotTell(_) | files::Answer::NotGiven(_) => None,
        };
        match (yes(&both.core), yes(&both.python)) {
            (Some(true), Some(true)) => Who::Both,
            (Some(true), Some(false)) => Who::CoreOnly,
            (Some(false), Some(true)) => Who::PythonOnly,
            (Some(false), Some(false)) => Who::Neither,
            (None, _) | (_, None) => Who::CannotTell,
        }
    }

    /// For people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Who::Both => "both",
            Who::CoreOnly => "core only",
            Who::PythonOnly => "Python only",
            Who::Neither => "neither",
            Who::CannotTell => "cannot tell",
        }
    }
}

const CANNOT_TELL: &str = "cannot-tell";

fn undecided(answer: &files::Answer) -> bool {
    matches!(answer, files::Answer::CannotTell(_) | files::Answer::NotGiven(_))
}
