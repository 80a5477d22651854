use super::pipeline::{self, Probing};
use super::{Error, output, say};
use crate::cli::Doctor;

pub(super) fn run(args: &Doctor) -> Result<u8, Error> {
    output::check(&args.judge.output)?;
    let probing = Probing::of(args.no_probe, args.direct);
    match pipeline::block_on(pipeline::live(&args.source, probing, args.judge.timeout))? {
        Ok(evidence) => output::tell(&pipeline::report(&evidence, &args.judge, false), &args.judge.output),
        Err(error) => {
            say(&format!("raytls: {}", crate::report::clean(&error.to_string())));
            let report = pipeline::unreachable("no cluster", &error.to_string(), &args.judge);
            output::tell_machines(&report, &args.judge.output)
        }
    }
}
