//! The only description of instructions, operands, element types, memory spaces, engines and chips.
//!
//! Knows nothing of compilers, and reads no files. One table, `table.rs`, has a row per instruction; encoder, decoder,
//! assembler, disassembler, effects, legality, costs, executor traits and the manual are derived from it or forced by it
//! to exist. Where to start: [`inst`] for instructions, [`types`] for the vocabulary, [`num`] for arithmetic.
//!
//! Derived from the table, or forced by it to exist:
//!
//! - [`inst`]: a struct per instruction, [`inst::Inst`], [`inst::INFO`], and an executor trait per pipe
//! - [`codec`]: the 128-bit word
//! - [`asm`]: assembly files and back
//! - [`effects`]: the bytes an instruction touches; [`form`]: the walks of vector instructions; [`img2col`] and
//!   [`nd2nz`]: the packed registers of `ld3d` and `nd2nzx`
//! - [`legal`]: what an instruction may not say on a chip
//! - [`cost`]: what it costs there, for scheduler, search and emulator alike
//! - [`docs`]: the manual
//!
//! Beside it: [`chip`], the modelled chips with the source of every number, and [`object`], finished kernels as ELF files.
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
pub mod img2col;
pub mod inst;
pub mod legal;
pub mod nd2nz;
pub mod num;
pub mod object;
mod operand;
mod table;
pub mod types;
