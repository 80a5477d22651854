use super::{Error, output, pipeline};
use crate::cli::Gate;
use crate::collect::manifests;

pub(super) fn run(args: &Gate) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    let (files, now) = (args.files.clone(), pipeline::clock());
    let read = move || manifests::collect(&files, &mut std::io::stdin().lock(), now);
    match pipeline::within(args.judge.timeout, read)? {
        Ok((evidence, _keys)) => output::tell(&pipeline::report(&evidence, &args.judge, false), &args.judge.output),
        Err(error) => {
            let nothing = pipeline::Nothing { source: "no manifest", what: "what was given", unreadable: true };
            pipeline::nothing(&nothing, &error.to_string(), &args.judge)
        }
    }
}
