use std::fmt::Write as _;

use tokio::time::Instant;

use super::pipeline::{self, Plan, Probing};
use super::{Error, output, say};
use crate::checks::environment::unknown_variable::edit_distance;
use crate::cli::{Demo, Source};
use crate::demo::{self, Fault};
use crate::evidence::Evidence;

pub(super) fn run(args: &Demo) -> Result<u8, Error> {
    if args.list {
        return output::print(&list()).map(|()| 0);
    }
    output::check(&args.judge.output)?;
    let name = args.fault.as_deref().unwrap_or(demo::DEFAULT);
    let Some(fault) = demo::find(name) else {
        let near = demo::all().iter().find(|f| edit_distance(name, f.name) <= 2);
        let near = near.map_or_else(String::new, |f| format!("did you mean {}? ", f.name));
        return Err(Error::usage(format!("there is no fault `{name}`; {near}`raytls demo --list` has them all")));
    };
    say(&format!("A Ray cluster on loopback, {name}: {}.", fault.about));
    say("The doctor sees it through a Kubernetes API and ports of its own; it is not told what is wrong.\n");
    let evidence = pipeline::block_on(examine(fault, args))??;
    output::tell(&pipeline::report(&evidence, &args.judge, false), &args.judge.output)
}

async fn examine(fault: &Fault, args: &Demo) -> Result<Evidence, Error> {
    let deadline = Instant::now() + args.judge.timeout;
    let running = demo::start(fault).await.map_err(|e| Error::unchecked(e.to_string()))?;
    let config = running.client_config().map_err(|e| Error::bug(e.to_string()))?;
    let plan = Plan { config: Some(config), probing: Probing::Direct, inside: None, as_client: false, deadline };
    pipeline::live(&Source::default(), plan).await.map_err(|e| Error::unchecked(e.to_string()))
}

fn list() -> String {
    let wide = demo::all().iter().map(|f| f.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for fault in demo::all() {
        let default = if fault.name == demo::DEFAULT { " (default)" } else { "" };
        let _ = writeln!(text, "{:wide$}  {}{default}", fault.name, fault.about);
    }
    text
}
