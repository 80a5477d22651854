//! DOC: documents and files that could not be read.

pub mod unreadable;
