//! The crate's tests from outside: one file a subject.

mod asm;
mod chips;
mod common;
mod cost;
mod docs;
mod effects;
mod legal;
mod object;
mod rows;
mod table;
