//! CLI: workloads that use a Ray cluster from outside it.

pub mod one_without_tls;
pub mod without_tls;
pub mod wrong_port;
