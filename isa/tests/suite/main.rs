//! The crate's tests from outside: one file a subject.

mod asm;
mod chips;
mod common;
mod cost;
mod object;
mod table;
