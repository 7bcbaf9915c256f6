//! Passes over the tile IR: one file, one function each.
//!
//! A pass takes the function from one [`ir::tile::Stage`] to the next or keeps it; it knows nothing of the passes before
//! and after it.

pub(crate) mod derive;
pub mod insert_sync;
pub mod normalize;
pub(crate) mod padded;
pub(crate) mod parts;
pub mod place_buffers;
pub(crate) mod places;
