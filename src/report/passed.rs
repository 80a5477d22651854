use crate::checks::{CHECKS, Finding};
use crate::evidence::{Evidence, Mode, Outcome, Seen};
use crate::ray::{Model, Party, Role, Switch, TlsFile};

/// Codes of the checks that found nothing, and whose evidence was there and whole. A check that could not see
/// what it asks about has not passed.
pub(super) fn passed(evidence: &Evidence, model: &Model, findings: &[Finding]) -> Vec<&'static str> {
    let silent = CHECKS.iter().map(|c| c.code).filter(|code| findings.iter().all(|f| f.code != *code));
    silent.filter(|code| witnessed(code, evidence, model)).collect()
}

fn witnessed(code: &str, evidence: &Evidence, model: &Model) -> bool {
    // Of files alone one process is judged; its peer is there for its trust file.
    let parties = match (evidence.mode, model.parties.split_first()) {
        (Mode::Files, _) if !of_files(code) => return false,
        (Mode::Files, Some((process, _))) => std::slice::from_ref(process),
        _ => &model.parties[..],
    };
    let group = code.trim_end_matches(|c: char| c.is_ascii_digit());
    match group {
        // Only pods that were asked have a clock.
        "LIV" if code == "LIV14" => evidence.inside.iter().any(|told| told.clock.is_some()),
        "CRT" | "CHN" | "NAM" => seen(parties, |p| vec![&p.certificate, &p.trust]),
        "KEY" => seen(parties, |p| vec![&p.certificate, &p.key]),
        "SEC" => seen(parties, |p| vec![&p.certificate, &p.key, &p.trust]),
        "LIV" => evidence.handshakes.iter().any(|h| !matches!(h.outcome, Outcome::NotPossible(_))),
        "ROT" => {
            let started = |p: &Party| p.pods.iter().any(|pod| pod.containers.iter().any(|c| c.started_at.is_some()));
            parties.iter().any(started) && seen(parties, |p| vec![&p.certificate, &p.key, &p.trust])
        }
        "CLI" => parties.iter().any(|p| matches!(p.role, Role::Client | Role::Laptop)),
        "KBR" => !evidence.ray_resources.is_empty(),
        "PRM" => evidence.mode == Mode::Live && !parties.is_empty(),
        "DOC" => matches!(evidence.mode, Mode::Manifests | Mode::Files),
        _ => !parties.is_empty() && parties.iter().all(|p| !matches!(p.switch, Seen::Unseen(_))),
    }
}

/// Whether a check asks about files and not about how they are used.
fn of_files(code: &str) -> bool {
    let anywhere = ["SEC03", "SEC04", "SEC06", "SEC07", "NAM02", "NAM07", "NAM08", "NAM09", "NAM10"];
    let group = code.trim_end_matches(|c: char| c.is_ascii_digit());
    code != "CHN02" && matches!(group, "CRT" | "CHN" | "KEY") || anywhere.contains(&code)
}

/// Whether a party speaks TLS, and every file of those that do was seen, be it absent.
fn seen(parties: &[Party], files: impl Fn(&Party) -> Vec<&TlsFile>) -> bool {
    let mut with_tls = parties.iter().filter(|p| !matches!(p.switch, Seen::Found(Switch::Off { .. }))).peekable();
    with_tls.peek().is_some() && with_tls.all(|p| files(p).iter().all(|f| !matches!(f.content, Seen::Unseen(_))))
}
