use super::{Error, output, pipeline};
use crate::cli::Gate;
use crate::collect::manifests;

pub(super) fn run(args: &Gate) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    let (files, judge, now) = (args.files.clone(), args.judge.clone(), pipeline::clock());
    let examine = move || {
        let read = manifests::collect(&files, &mut std::io::stdin().lock(), now);
        read.map(|(evidence, _keys)| pipeline::report(&evidence, &judge, false))
    };
    match pipeline::within(args.judge.timeout, "reading and judging the input", examine)? {
        Ok(report) => output::tell(&report, &args.judge.output),
        Err(error) => {
            let nothing = pipeline::Nothing { source: "no manifest", what: "what was given", unreadable: true };
            pipeline::nothing(&nothing, &error.to_string(), &args.judge)
        }
    }
}
