//! What the emulator's tests share: programs written as text, one instruction a line, and kernels around them.

use emulator::{Fault, Options, Outcome, run};
use isa::chip::Chip;
use isa::inst::{Inst, parse_inst};
use isa::object::{KernelMeta, Object, ParamDir, ParamMeta};
use isa::types::Elem;

/// Reads a program: a line is an instruction, or a label that ends in a colon; `//` starts a comment.
pub(crate) fn program(text: &str) -> Vec<Inst> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or("").trim())
        .filter(|line| !line.is_empty())
        .collect();
    let position = |name: &str| {
        let mut at = 0;
        for line in &lines {
            match line.strip_suffix(':') {
                Some(label) if label == name => return Some(at),
                Some(_) => {}
                None => at += 1,
            }
        }
        None
    };
    lines
        .iter()
        .filter(|line| !line.ends_with(':'))
        .map(|line| parse_inst(line, &position).unwrap_or_else(|e| panic!("`{line}`: {e:?}")))
        .collect()
}

/// A tensor of a kernel.
pub(crate) fn param(name: &str, elem: Elem, shape: &[u64], dir: ParamDir) -> ParamMeta {
    ParamMeta {
        name: name.into(),
        elem,
        shape: shape.into(),
        dir,
    }
}

/// A kernel with one program for either kind of core.
pub(crate) fn object(params: Vec<ParamMeta>, aic: &str, aiv: &str, groups: u32) -> Object {
    let (aic, aiv) = (program(aic), program(aiv));
    Object {
        chip: "910b2".into(),
        chip_version: String::new(),
        kernel: KernelMeta {
            name: "test".into(),
            params,
            cube_cores: if aic.is_empty() { 0 } else { groups },
            vector_cores: if aiv.is_empty() { 0 } else { 2 * groups },
            ..KernelMeta::default()
        },
        aic,
        aiv,
        files: Vec::new(),
        lines_aic: Vec::new(),
        lines_aiv: Vec::new(),
        claims: isa::object::Claims::default(),
        certificate: String::new(),
    }
}

/// The default chip.
pub(crate) fn chip() -> Chip {
    Chip::builtin("910b2").expect("a built-in chip")
}

/// Runs with every sanitizer on one thread.
pub(crate) fn try_run(object: &Object, inputs: &[Option<Vec<u8>>]) -> Result<Outcome, Fault> {
    let options = Options {
        threads: 1,
        max_steps: 1 << 20,
        ..Options::default()
    };
    run(object, inputs, &chip(), &options)
}

/// As bytes.
pub(crate) fn bytes_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// From bytes.
pub(crate) fn to_f32(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// As bytes of binary16.
pub(crate) fn bytes_f16(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|&v| {
            isa::num::f32_to_f16(v, isa::num::Round::Even, isa::num::Overflow::Keep).to_le_bytes()
        })
        .collect()
}

/// From bytes of binary16.
pub(crate) fn from_f16(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(2)
        .map(|b| isa::num::f16_to_f32(u16::from_le_bytes([b[0], b[1]])))
        .collect()
}
