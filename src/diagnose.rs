//! Diagnosis by counterfactual: a cause is a finding whose edit makes connections work. Pure.

pub mod causes;
pub mod edit;
mod remedy;
