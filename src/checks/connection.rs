//! CON: connections as such.

pub mod unexplained;
