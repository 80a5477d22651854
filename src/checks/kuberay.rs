//! KBR: what KubeRay adds to a Ray cluster, and what it leaves out.

pub mod autoscaler;
pub mod env_from_only;
pub mod left_open;
pub mod not_obeyed;
pub mod operator_names;
pub mod two_designs;
pub mod wait_for_ever;
pub mod worker_group;
