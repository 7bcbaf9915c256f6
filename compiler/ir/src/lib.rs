//! The two intermediate representations, and everything that needs no pass to say what they mean.
//!
//! - [`algo`]: the *algorithm IR*, an arena of pure definitions over named indices. No order of execution, no buffers,
//!   no tile sizes; it fixes the bits of every result. [`algo::eval`] runs it and is the oracle for everything below.
//! - [`tile`]: the *tile IR*, structured and ordered, with explicit buffers, engines and loops and sequential meaning.
//!   [`tile::print()`] writes it, [`tile::verify()`] checks it against its [`stage`], [`tile::eval()`] runs it.
//!
//! - [`schedule`]: decisions as they were written for a kernel, on their way from the front end to the back end.
//!
//! Sizes are bound when the algorithm IR is built: every extent in both IRs is a checked `i64` ≥ 1. A size that the
//! launch gives is held by its number ([`symbols`]).
//! This crate parses nothing and transforms nothing.

pub mod algo;
pub mod schedule;
pub mod stage;
pub mod symbols;
pub mod tile;
