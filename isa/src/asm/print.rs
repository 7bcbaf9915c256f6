//! Object → text.

use super::is_bare;
use crate::chip::Chip;
use crate::cost::cost;
use crate::inst::{Inst, MmadTy, NoRegs, TextCx};
use crate::object::{Launch, Object, ParamMeta};
use crate::types::CoreKind;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Column at which comments start, where the instruction leaves room.
const COMMENT_COLUMN: usize = 72;

/// The text of an object. With a chip every instruction is followed by its index and the cycles it occupies its pipe;
/// `?` where these depend on registers.
pub fn disassemble(object: &Object, chip: Option<&Chip>) -> String {
    let mut out = String::new();
    print_header(object, &mut out);
    for (core, section) in [(CoreKind::Cube, ".aic"), (CoreKind::Vector, ".aiv")] {
        let _ = writeln!(out, "\n{section}");
        print_code(object, core, chip, &mut out);
    }
    out
}

fn print_header(object: &Object, out: &mut String) {
    let kernel = &object.kernel;
    let _ = writeln!(
        out,
        ".chip {} {}",
        name(&object.chip),
        quoted(&object.chip_version)
    );
    let _ = writeln!(out, ".kernel {}", name(&kernel.name));
    let _ = writeln!(out, ".opt {}", quoted(&kernel.opt));
    let _ = writeln!(out, ".cores cube {}", kernel.cube_cores);
    let _ = writeln!(out, ".cores vector {}", kernel.vector_cores);
    let _ = writeln!(out, ".work mads {}", kernel.mads);
    if let Some(ty) = kernel.mad_ty {
        let _ = writeln!(out, ".work mad_ty {}", MmadTy::name(ty));
    }
    let _ = writeln!(out, ".work vector_ops {}", kernel.vector_ops);
    let _ = writeln!(out, ".work bytes {}", kernel.compulsory_bytes);
    for param in &kernel.params {
        print_param(param, out);
    }
    for (size, value) in &kernel.sizes {
        let _ = writeln!(out, ".size {} {value}", name(size));
    }
    print_launch(&kernel.launch, out);
    for file in &object.files {
        let _ = writeln!(out, ".file {}", quoted(file));
    }
}

fn print_launch(launch: &Launch, out: &mut String) {
    if launch.is_empty() {
        return;
    }
    let texts = |all: &[String]| {
        all.iter()
            .map(|text| format!(" {}", quoted(text)))
            .collect::<String>()
    };
    for size in &launch.sizes {
        let _ = writeln!(out, ".launch size {}", name(size));
    }
    for shape in &launch.shapes {
        let _ = writeln!(out, ".launch shape{}", texts(shape));
    }
    for condition in &launch.conditions {
        let _ = writeln!(out, ".launch condition {}", quoted(condition));
    }
    let _ = writeln!(out, ".launch work{}", texts(&launch.work));
}

fn print_param(param: &ParamMeta, out: &mut String) {
    let extents: Vec<String> = param.shape.iter().map(u64::to_string).collect();
    let shape = extents.join(",");
    let _ = writeln!(
        out,
        ".param {} {} {} [{shape}]",
        param.dir.name(),
        name(&param.name),
        param.elem
    );
}

fn print_code(object: &Object, core: CoreKind, chip: Option<&Chip>, out: &mut String) {
    let code = object.code(core);
    let targets: BTreeSet<u32> = code
        .iter()
        .filter_map(|inst| inst.label().map(|label| label.0))
        .collect();
    let cx = TextCx {
        labels: u32::try_from(code.len())
            .ok()
            .and_then(|len| len.checked_sub(1)),
    };
    let mut rows = object.lines(core).iter().peekable();
    for (pc, inst) in (0_u32..).zip(code) {
        if targets.contains(&pc) {
            let _ = writeln!(out, "L{pc}:");
        }
        while let Some(row) = rows.next_if(|row| row.pc <= pc) {
            let (file, line, col) = (row.file, row.line, row.col);
            let _ = writeln!(
                out,
                "    .loc {file} {line} {col} {} {}",
                row.byte_start, row.byte_end
            );
        }
        print_inst(inst, pc, chip, cx, out);
    }
}

fn print_inst(inst: &Inst, pc: u32, chip: Option<&Chip>, cx: TextCx, out: &mut String) {
    let start = out.len();
    out.push_str("    ");
    inst.print(out, cx);
    if let Some(chip) = chip {
        let width = out.len() - start;
        out.extend(std::iter::repeat_n(
            ' ',
            COMMENT_COLUMN.saturating_sub(width).max(1),
        ));
        let _ = match inst.registers().reads {
            0 => write!(out, "// {pc} {}", cost(inst, &NoRegs, chip).occ),
            _ => write!(out, "// {pc} ?"),
        };
    }
    out.push('\n');
}

fn name(name: &str) -> String {
    if is_bare(name) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
