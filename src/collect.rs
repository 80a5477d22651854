//! Sources become [`crate::evidence::Evidence`]: the shell of the program, with files, sockets and the environment.
//!
//! Every source of Kubernetes objects ends in [`assemble`], which reduces and redacts them: nothing private passes it.

pub mod assemble;
pub mod cluster;
mod disk;
pub mod files;
pub mod inside;
pub mod keyring;
pub mod local;
pub mod manifests;
pub mod pseudonyms;
pub mod snapshot;
pub(crate) mod tlsfile;
pub(crate) mod tlskey;
mod yaml;

#[cfg(test)]
mod hostile;
