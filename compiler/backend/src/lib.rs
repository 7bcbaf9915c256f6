//! From tile IR to a finished object: passes, buffer planning, synchronisation, selection, emission. Never sees an AST.

pub mod errors;
pub mod pass;
pub mod plan;
