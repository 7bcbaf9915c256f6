//! The only description of instructions, operands, element types, memory spaces, engines and chips.
//!
//! Knows nothing of compilers, and reads no files. One table, `table.rs`, has a row per instruction; encoder, decoder,
//! assembler, disassembler, effects, legality, costs, executor traits and the manual are derived from it or forced by it
//! to exist. Where to start: [`inst`] for instructions, [`types`] for the vocabulary, [`num`] for arithmetic.
//!
//! The model is of the Huawei Ascend DaVinci core. What is not public is marked *we choose*; nothing claims binary
//! compatibility or real silicon time.

#[macro_use]
mod derive;

pub mod asm;
pub mod chip;
pub mod codec;
pub mod cost;
pub mod docs;
pub mod effects;
pub mod form;
pub mod inst;
pub mod legal;
pub mod num;
pub mod object;
mod operand;
mod table;
pub mod types;
