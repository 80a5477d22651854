//! Real handshakes with Ray ports: planned purely, climbed rung by rung.

pub mod plan;
pub mod run;
