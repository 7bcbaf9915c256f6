//! What a data file's test does, by family; `README.md` beside this folder says how to add one.

pub(crate) mod asm;
mod binary_mutants;
pub(crate) mod broken;
pub(crate) mod calibration;
pub(crate) mod case;
pub(crate) mod cli;
pub(crate) mod command;
pub(crate) mod dynamic;
pub(crate) mod explain;
mod formatted;
pub(crate) mod kernel;
pub(crate) mod library;
pub(crate) mod lsp;
mod mutant_sample;
mod mutants;
pub(crate) mod numerics;
mod numpy;
pub(crate) mod onnx;
pub(crate) mod pass;
pub(crate) mod pinned;
mod profile;
mod protocol;
#[expect(dead_code, reason = "the bench uses the rest")]
mod random;
mod random_sample;
mod readme;
mod robust;
pub(crate) mod schedules;
mod searched;
mod searched_sample;
mod streams;
mod tidy;
pub(crate) mod tile_form;
mod timing;
pub(crate) mod ui;
mod verified;
