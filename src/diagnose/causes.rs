//! The smallest set of edits.
