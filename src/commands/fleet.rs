use futures::StreamExt as _;
use tokio::time::Instant;

use super::pipeline::{self, Plan, Probing};
use super::{Error, output, say};
use crate::cli::Doctor;
use crate::evidence::{Evidence, Gap, Mode};
use crate::report::clean;
use crate::report::fleet::{Fleet, Item};

/// Kubernetes clusters that are asked at one time.
const AT_ONCE: usize = 8;

/// Examines each context by itself, and makes one report of all.
pub(super) fn run(args: &Doctor, contexts: Vec<String>) -> Result<u8, Error> {
    for (given, flag) in [(args.as_client, "--as-client"), (args.ray_cluster.is_some(), "--ray-cluster")] {
        if given {
            return Err(Error::usage(format!("{flag} is about one cluster; name one --context with it")));
        }
    }
    let deadline = Instant::now() + args.judge.timeout;
    let seen: Vec<(String, Evidence)> = pipeline::block_on(async {
        let asked = contexts.into_iter().map(|context| async {
            let evidence = one(args, &context, deadline).await;
            (context, evidence)
        });
        futures::stream::iter(asked).buffered(AT_ONCE).collect().await
    })?;
    let judge = args.judge.clone();
    let left = deadline.saturating_duration_since(Instant::now()).max(pipeline::GRACE);
    let items = pipeline::within(left, "judging what was seen", move || {
        let report = |(context, evidence)| Item { context, report: pipeline::report(&evidence, &judge, false) };
        seen.into_iter().map(report).collect::<Vec<Item>>()
    })?;
    let now = args.judge.now.unwrap_or_else(pipeline::clock);
    output::tell_fleet(&Fleet::new(items, now), &args.judge.output)
}

/// What one context shows. That it shows nothing is its own affair, and told in its report.
async fn one(args: &Doctor, context: &str, deadline: Instant) -> Evidence {
    let mut source = args.source.clone();
    source.context = vec![context.to_owned()];
    let probing = Probing::of(args.no_probe, args.direct);
    let plan = Plan { config: None, probing, inside: args.inside.sample(), as_client: false, deadline };
    match pipeline::live(&source, plan).await {
        Ok(evidence) => evidence,
        Err(error) => {
            let why = error.to_string();
            say(&format!("raytls: {}", clean(&why)));
            let mut nothing = Evidence::new(Mode::Live, format!("context {context}"), pipeline::clock());
            nothing.gaps.push(Gap { what: "the cluster".into(), why, needs: None, code: None });
            nothing
        }
    }
}
