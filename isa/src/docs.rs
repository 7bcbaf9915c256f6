//! The manual: `docs/isa.md`, rendered from the table.
//!
//! Nothing here describes an instruction; what is missing in the manual is missing in a row.

use crate::inst::{Dir, INFO, InstInfo, OperandInfo, OperandKind};
use crate::types::Pipe;
use std::fmt::Write as _;

const HEAD: &str = "\
# Instructions

Rendered from `isa/src/table.rs` by `isa::docs::render`; a test compares. Do not edit.

The model is of the Huawei Ascend DaVinci core, architecture c220 (910B, 910C). Rows in parentheses are those of the
facts page (davinci-facts §10). Where a detail is not public the text says *we choose*. The encoding and the assembly
syntax are ours throughout (*we choose*); nothing here is binary compatible with a real chip.

An instruction is a word of 128 bits, little endian: the opcode in bits 7:0, then the operands in the order of the
table, lowest bits first, then zeros. A field that is a register or an immediate starts with a flag, 1 for a register.
In assembly, operands marked as suffixes follow the mnemonic behind dots; the others follow behind blanks and commas.

Special registers at launch, the parameter block and block numbers: see `isa/src/object.rs`. Assembly files and their
directives: see `isa/src/asm.rs`.
";

/// The whole manual as Markdown.
pub fn render() -> String {
    let mut out = String::from(HEAD);
    for pipe in Pipe::ALL {
        let _ = write!(out, "\n## Pipe `{pipe}`\n");
        for info in INFO.iter().filter(|info| info.pipe == pipe) {
            out.push('\n');
            out.push_str(&render_one(info));
        }
    }
    out
}

/// The page of one instruction.
pub fn render_one(info: &InstInfo) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "### `{}`\n", syntax(info));
    let _ = writeln!(
        out,
        "Opcode {:#04x}, {} bits.",
        info.opcode as u8,
        info.bits()
    );
    for line in info.doc.lines() {
        let text = line.trim_start();
        let _ = writeln!(out, "{}", if text.is_empty() { "" } else { text });
    }
    if !info.operands.is_empty() {
        out.push_str("\n| operand | bits | is |\n|---|---|---|\n");
    }
    let mut at = 8;
    for operand in info.operands {
        let last = at + operand.bits - 1;
        let _ = writeln!(
            out,
            "| `{}` | {last}:{at} | {} |",
            operand.name,
            kind(operand)
        );
        at += operand.bits;
    }
    out
}

fn syntax(info: &InstInfo) -> String {
    let mut text = info.mnemonic.to_owned();
    for operand in info.operands.iter().filter(|operand| operand.suffix) {
        let _ = write!(text, ".{}", operand.name);
    }
    let listed: Vec<&str> = info
        .operands
        .iter()
        .filter(|o| !o.suffix)
        .map(|o| o.name)
        .collect();
    if !listed.is_empty() {
        let _ = write!(text, " {}", listed.join(", "));
    }
    text
}

fn kind(operand: &OperandInfo) -> String {
    let suffix = if operand.suffix { "suffix: " } else { "" };
    let text = match operand.kind {
        OperandKind::RegIn => "register, read".to_owned(),
        OperandKind::RegOut => "register, written".to_owned(),
        OperandKind::RegInOut => "register, read and written".to_owned(),
        OperandKind::RegOrSigned => "register, or number of 32 bits with sign".to_owned(),
        OperandKind::RegOrUnsigned(bits) => format!("register, or number of {bits} bits"),
        OperandKind::RegOrBits => "low bits of a register, or of a number".to_owned(),
        OperandKind::Unsigned(bits) => format!("number of {bits} bits"),
        OperandKind::Signed(bits) => format!("number of {bits} bits with sign"),
        OperandKind::Memory(space, dir) => format!("place in `{space}`, {}", access(dir)),
        OperandKind::Word(words) => format!("`{}`", words.join("`, `")),
        OperandKind::Conversion => {
            "source type, destination type and, where it matters, rounding".to_owned()
        }
        OperandKind::Burst => "`burst(count, length)`, each a register or a number".to_owned(),
        OperandKind::Strides(fields) => format!("`st({})`", fields.join(",")),
        OperandKind::Label => "label".to_owned(),
    };
    format!("{suffix}{text}")
}

const fn access(dir: Dir) -> &'static str {
    match dir {
        Dir::In => "read",
        Dir::Out => "written",
        Dir::InOut => "read and written",
    }
}
