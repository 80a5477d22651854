//! What must hold of `grpc` for any input. Each target of libFuzzer calls one function here, and so does the test over
//! the seeds.
//!
//! `src/grpc` imports nothing else of raytls, so it is compiled in from there: the fuzzed code is what ships, without
//! the crates of the rest.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod certificate;
pub mod mutate;
pub mod names;
pub mod pem;
pub mod tree;
pub mod verdict;

#[allow(dead_code, unreachable_pub)]
#[path = "../../src"]
mod raytls {
    pub mod grpc;
}

pub use raytls::grpc;

use grpc::profile::Profile;

/// Both gRPCs of a Ray cluster.
pub fn profiles() -> [Profile; 2] {
    [Profile::core(), Profile::python()]
}
