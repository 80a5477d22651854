use futures::StreamExt as _;
use tokio::time::Instant;

use super::{Error, interrupt, output, pipeline, say};
use crate::cli::{Inconclusive, Probe};
use crate::collect::files;
use crate::collect::keyring::Keyring;
use crate::evidence::{Evidence, Gap, Handshake, Mode, Outcome, Target};
use crate::probe::run::probe_address;
use crate::ray::ports::{self, Own};
use crate::report::{Ladder, Report};

pub(super) fn run(args: &Probe) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    let (mut evidence, keys) = own_files(args)?;
    let identity = keys.identities().first();
    if args.cert.is_some() && identity.is_none() {
        tracing::warn!(
            "the key does not belong to the certificate, or one of them cannot be read: no certificate is offered"
        );
    }
    let deadline = Instant::now() + args.judge.timeout;
    let dials = args.targets.iter().map(|t| probe_address(&t.host, t.port, identity, args.name.clone(), deadline));
    let mut dials = futures::stream::iter(dials).buffered(AT_ONCE);
    let mut seen = Vec::new();
    let all = async {
        while let Some(handshake) = dials.next().await {
            seen.push(handshake);
        }
    };
    evidence.incomplete = pipeline::block_on(async {
        tokio::select! {
            () = all => false,
            () = interrupt::first().wait() => true,
        }
    })?;
    evidence.handshakes = seen;
    let targets: Vec<Target> =
        args.targets.iter().map(|t| Target { host: t.host.clone(), port: t.port, ..Target::default() }).collect();
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|p| p.to_string_lossy().into_owned());
    let (certificate, key, trust) = (path(&args.cert), path(&args.key), path(&args.ca));
    let own = Own {
        certificate: certificate.as_deref(),
        key: key.as_deref(),
        trust: trust.as_deref(),
        name: args.name.as_deref(),
    };
    let ladders = evidence.handshakes.iter().map(Ladder::of).collect();
    let mut judge = args.judge.clone();
    let mut gaps = Vec::new();
    evidence.handshakes.retain(|h| match ports::spoke(&h.outcome) {
        Ok(()) => true,
        Err(why) => {
            gaps.push(Gap { what: h.target.to_string(), why, needs: None, code: None });
            false
        }
    });
    for Handshake { target, outcome, .. } in &evidence.handshakes {
        if let (Outcome::PlainHttp, Some(what)) = (outcome, ports::plain_by_design(target.port)) {
            say(&format!("raytls: {target} is plain HTTP by design ({what}): RAY_USE_TLS does not touch it"));
        }
    }
    if !gaps.is_empty() {
        // A port that was asked for and did not answer was not checked, whatever the others said.
        judge.inconclusive = Inconclusive::Fail;
    }
    evidence.gaps.append(&mut gaps);
    let model = ports::model(&evidence, &targets, own);
    let report = Report { ladders, ..pipeline::findings_of(&evidence, model, &judge) };
    output::tell(&report, &args.judge.output)
}

/// Ports that are dialled at one time.
const AT_ONCE: usize = 16;

/// The certificate, key and CA that were named.
fn own_files(args: &Probe) -> Result<(Evidence, Keyring), Error> {
    let named: Vec<_> = [&args.cert, &args.key, &args.ca].into_iter().flatten().cloned().collect();
    let now = pipeline::clock();
    if named.is_empty() {
        return Ok((Evidence::new(Mode::Shell, "dialled from this machine", now), Keyring::default()));
    }
    if let Some(path) = named.iter().find(|path| !path.is_file()) {
        let what = if path.exists() { "not a regular file" } else { "no such file" };
        return Err(Error::usage(format!("{}: {what}", path.display())));
    }
    let (mut evidence, keys) = files::collect(&named, now).map_err(|e| Error::usage(e.to_string()))?;
    evidence.source = "dialled from this machine".into();
    Ok((evidence, keys))
}
