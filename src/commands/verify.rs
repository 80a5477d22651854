use std::path::PathBuf;
use std::time::Instant;

use super::{Error, output, pipeline};
use crate::cli::{Part, Verify};
use crate::collect::files;
use crate::evidence::Evidence;
use crate::grpc::profile::Profiles;
use crate::grpc::verdict::Role;
use crate::judge::files::examine;
use crate::ray::files::{Asked, model};
use crate::report::{Report, verification};

pub(super) fn run(args: &Verify) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    if args.role == Part::Client && !args.names.is_empty() {
        return Err(Error::usage(
            "--name is a name by which a server is dialled, and with --role client these files are no server's; leave one of the two out",
        ));
    }
    let profiles = pipeline::asked(Profiles::default(), &args.judge);
    let given: Vec<PathBuf> = [&args.cert, &args.key, &args.ca].into_iter().flatten().cloned().collect();
    if let Some(path) = given.iter().find(|path| path.is_dir()) {
        return Err(Error::usage(format!("{}: a folder, not a file", path.display())));
    }
    let deadline = Instant::now() + args.judge.timeout;
    let mut evidence = files::collect_within(&given, pipeline::clock(), args.judge.timeout);
    if let Some(lookup) = evidence.lookups.iter().find(|lookup| lookup.unseen.is_none()) {
        return Err(Error::usage(format!("{}: no such file", lookup.object.name)));
    }
    evidence.source = given.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    // What was read is judged also when reading took all of the time.
    let left = deadline.saturating_duration_since(Instant::now()).max(pipeline::GRACE.min(args.judge.timeout));
    let args = args.clone();
    let outputs = args.judge.output.clone();
    let report = pipeline::within(left, "judging the files", move || judged(&evidence, &args, profiles))?;
    output::tell(&report, &outputs)
}

fn judged(evidence: &Evidence, args: &Verify, profiles: Profiles) -> Report {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|p| p.to_string_lossy().into_owned());
    let (certificate, key, trust) = (text(&args.cert), text(&args.key), text(&args.ca));
    let asked = Asked {
        certificate: certificate.as_deref(),
        key: key.as_deref(),
        trust: trust.as_deref(),
        names: &args.names,
        roles: match args.role {
            Part::Server => &[Role::Server],
            Part::Client => &[Role::Client],
            Part::Both => &[Role::Server, Role::Client],
        },
    };
    let now = args.judge.now.unwrap_or(evidence.taken_at);
    let told = verification::Asked {
        identity: [&certificate, &key].into_iter().flatten().cloned().collect(),
        trust: trust.iter().cloned().collect(),
        names: !args.names.is_empty(),
    };
    let answers = examine(evidence, asked, now, profiles);
    let nothing_read = evidence.secrets.is_empty() && !evidence.incomplete;
    pipeline::files(evidence, &model(evidence, asked, profiles), &answers, &told, &args.judge, nothing_read)
}
