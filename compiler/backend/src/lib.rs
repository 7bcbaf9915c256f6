//! From the algorithm IR to a finished object: passes, buffer planning, synchronisation, selection, emission.
//!
//! Never sees an AST. Pure: the same function, chip and options give the same bytes.

pub mod emit;
pub mod errors;
pub mod lower;
mod partition;
pub mod pass;
pub mod plan;
pub mod select;
mod tiling;

pub use tiling::{Tiled, tile};

/// How hard the compiler tries.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// One small tile at a time, a barrier after each stage.
    O0,
    /// Tiles by rule, several buffers, minimal flags.
    O1,
    /// The same as `O1` until there is a search.
    O3,
}
