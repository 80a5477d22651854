//! Real handshakes with Ray ports: planned purely, climbed rung by rung.

mod dial;
mod ladder;
mod record;

pub mod inside;
pub mod plan;
pub mod run;
