//! `raytls` says why a Ray cluster with TLS does not connect, and how to mend it.
//!
//! Data walks one way through the modules below, in the order of the list: what can be known is
//! collected into one [`evidence::Evidence`]; [`ray`] models it as parties and the connections
//! between them; [`grpc`] holds the rules by which a certificate is accepted; [`judge`] predicts every
//! connection and compares with what [`probe`] saw; [`checks`] asks many small questions;
//! [`diagnose`] finds the smallest set of edits after which every connection works; [`report`] tells.
//! Only `collect`, `probe::run`, `commands` and `demo` touch the world.

pub mod evidence;

pub mod collect;

pub mod ray;

pub mod grpc;

pub mod judge;

pub mod probe;

pub mod checks;

pub mod diagnose;

pub mod report;

pub mod demo;

pub mod cli;
pub mod commands;
