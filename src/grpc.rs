//! What gRPC accepts. Knows nothing of Ray or Kubernetes and imports nothing of ours.
//!
//! A process first *loads* its own files ([`verdict::load_identity`], [`verdict::load_trust`]); then its *peer* judges the
//! chain it presents ([`verdict::peer`]). Whatever the rules here do not decide is [`verdict::Verdict::CannotTell`].

pub mod certificate;
mod chain;
pub mod constraints;
mod der;
mod distinguished;
mod extensions;
pub mod fragile;
mod load;
pub mod names;
mod parse;
mod parsed;
pub mod path;
pub mod pem;
pub mod planned;
pub mod policies;
pub mod predicted;
pub mod profile;
pub mod signature;
mod value;
pub mod verdict;
mod wire;
