use tokio::time::Instant;

use super::pipeline::{self, Nothing, Plan, Probing};
use super::{Error, output, say};
use crate::cli::Doctor;
use crate::collect::{cluster, local, snapshot};
use crate::evidence::{Evidence, Gap, Mode};
use crate::ray::{focus, parties};

pub(super) fn run(args: &Doctor) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    let several = contexts(args)?;
    if several.len() > 1 || args.source.all_contexts {
        return super::fleet::run(args, several);
    }
    let deadline = Instant::now() + args.judge.timeout;
    let evidence = match &args.from {
        Some(path) => {
            let path = path.clone();
            let read = move || snapshot::read(&path, &mut std::io::stdin().lock());
            pipeline::within(args.judge.timeout, "reading the snapshot", read)?
                .map_err(|e| Error::usage(e.to_string()))?
        }
        None => {
            let probing = Probing::of(args.no_probe, args.direct);
            let plan =
                Plan { config: None, probing, inside: args.inside.sample(), as_client: args.as_client, deadline };
            match pipeline::block_on(pipeline::live(&args.source, plan))? {
                Ok(evidence) => evidence,
                Err(error) if args.as_client => {
                    let read = || local::collect(pipeline::clock());
                    let (mut shell, _keys) =
                        pipeline::within(args.judge.timeout, "reading the files of RAY_TLS_*", read)?;
                    let why = error.to_string();
                    shell.gaps.push(Gap { what: "the cluster".into(), why, needs: None, code: None });
                    shell
                }
                Err(error) => {
                    let nothing = Nothing { source: "no cluster", what: "the cluster", unreadable: false };
                    return pipeline::nothing(&nothing, &error.to_string(), &args.judge);
                }
            }
        }
    };
    let evidence = focused(evidence, args.ray_cluster.as_deref())?;
    let asked = evidence.mode == Mode::Live && args.from.is_none();
    let report = pipeline::judged(evidence, &args.judge, deadline)?;
    let refused =
        report.not_judged.iter().any(|gap| gap.needs.as_deref().is_some_and(|needs| needs.contains("Role rule")));
    if asked && refused {
        say(
            "raytls: rights are missing, see \"Not judged\"; `raytls rbac --level 3` prints the Role that shows all, lower levels less",
        );
    } else if report.connections.is_empty() && asked && !args.source.all_namespaces {
        say("raytls: no Ray cluster was found here; name its namespace with -n, or look in all with -A");
    }
    output::tell(&report, &args.judge.output)
}

/// The contexts that were asked for, each once; with `--all-contexts` those of the kubeconfig.
fn contexts(args: &Doctor) -> Result<Vec<String>, Error> {
    let mut contexts = Vec::new();
    let all = if args.source.all_contexts {
        let path = args.source.kubeconfig.clone();
        pipeline::within(args.judge.timeout, "reading the kubeconfig", move || cluster::contexts(path.as_deref()))?
            .map_err(|e| Error::unchecked(e.to_string()))?
    } else {
        args.source.context.clone()
    };
    for context in all {
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    Ok(contexts)
}

fn focused(evidence: Evidence, name: Option<&str>) -> Result<Evidence, Error> {
    let Some(name) = name else { return Ok(evidence) };
    focus::focus(&evidence, &parties::model(&evidence), name).map_err(|there| match there.as_slice() {
        [] => Error::unchecked(format!("there is no Ray cluster {name}: none at all was found in {}", evidence.source)),
        there => Error::unchecked(format!("there is no Ray cluster {name}; there are {}", there.join(", "))),
    })
}
