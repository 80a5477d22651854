use tokio::time::Instant;

use super::pipeline::{self, Plan, Probing};
use super::{Error, output};
use crate::cli::Snapshot;
use crate::collect::{pseudonyms, snapshot};

pub(super) fn run(args: &Snapshot) -> Result<u8, Error> {
    if args.source.all_contexts || args.source.context.len() > 1 {
        return Err(Error::usage("a snapshot is of one cluster; name one --context"));
    }
    let probing = Probing::of(args.no_probe, args.direct);
    let deadline = Instant::now() + args.timeout;
    let plan = Plan { config: None, probing, inside: args.inside.sample(), as_client: false, deadline };
    let evidence =
        pipeline::block_on(pipeline::live(&args.source, plan))?.map_err(|e| Error::unchecked(e.to_string()))?;
    let evidence = match args.hash_names {
        true => pseudonyms::rename(&evidence)
            .map_err(|why| Error::unchecked(format!("{why}; without --hash-names the snapshot can be written")))?,
        false => evidence,
    };
    let mut text = Vec::new();
    snapshot::write(&evidence, &mut text).map_err(|e| Error::bug(e.to_string()))?;
    match &args.output {
        None => output::print(&String::from_utf8_lossy(&text))?,
        Some(path) => {
            std::fs::write(path, text).map_err(|e| Error::usage(format!("cannot write {}: {e}", path.display())))?;
        }
    }
    Ok(if evidence.incomplete { super::UNCHECKED } else { 0 })
}
