//! KBR: what KubeRay adds to a Ray cluster, and what it leaves out.

pub mod autoscaler;
pub mod env_from_only;
pub mod worker_group;
