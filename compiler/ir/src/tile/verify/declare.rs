//! The verifier's rules for what a function declares: names, tensors, buffers, channels.

use std::collections::BTreeSet;

use isa::types::{Elem, Layout, Space};

use crate::tile::names::is_name;
use crate::tile::{BufData, ChanData, Func, Stage, TensorRole};

/// Groups of a launch; no chip has as many.
const MAX_GROUPS: u32 = 1024;

/// What is wrong with the declarations.
pub(super) fn problems(func: &Func, capacity: &dyn Fn(Space) -> u64) -> Vec<String> {
    let mut problems = Vec::new();
    if func.groups == 0 || func.groups > MAX_GROUPS {
        problems.push(format!(
            "1 to {MAX_GROUPS} groups may run, not {}",
            func.groups
        ));
    }
    if func
        .target
        .chars()
        .any(|c| c.is_control() || c == '"' || c == '\\')
    {
        problems.push(String::from("the target's name cannot be written"));
    }
    let sizes = func.sizes.iter().map(|(name, _)| name.as_str());
    names("function", [func.name.as_str()].into_iter(), &mut problems);
    names("size", sizes, &mut problems);
    names(
        "tensor",
        func.tensors.values().map(|t| t.name.as_str()),
        &mut problems,
    );
    names(
        "buffer",
        func.bufs.values().map(|b| b.name.as_str()),
        &mut problems,
    );
    names(
        "channel",
        func.chans.values().map(|c| c.name.as_str()),
        &mut problems,
    );
    tensors(func, &mut problems);
    for buf in func.bufs.values() {
        if let Err(problem) =
            buffer(buf).and_then(|bytes| address(buf, bytes, func.stage, capacity))
        {
            problems.push(format!("buffer `{}`: {problem}", buf.name));
        }
    }
    let mut rings = BTreeSet::new();
    for chan in func.chans.values() {
        if let Err(problem) = channel(func, chan) {
            problems.push(format!("channel `{}`: {problem}", chan.name));
        }
        if !rings.insert(chan.tensor) {
            problems.push(format!(
                "channel `{}`: its ring is another channel's too",
                chan.name
            ));
        }
    }
    problems
}

fn names<'a>(what: &str, names: impl Iterator<Item = &'a str>, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_name(name) {
            problems.push(format!("{what} name {name:?} cannot be written"));
        }
        if !seen.insert(name) {
            problems.push(format!("two of kind {what} are called `{name}`"));
        }
    }
}

fn tensors(func: &Func, problems: &mut Vec<String>) {
    let mut workspaces = false;
    for tensor in func.tensors.values() {
        if tensor.role == TensorRole::Work {
            workspaces = true;
        } else if workspaces {
            problems.push(format!(
                "argument `{}` stands behind a workspace",
                tensor.name
            ));
        }
        if tensor.shape.iter().any(|&extent| extent < 1) {
            problems.push(format!("tensor `{}` has an extent below 1", tensor.name));
        }
        let bytes = i64::try_from(tensor.elem.bytes()).ok();
        let bytes = tensor
            .shape
            .iter()
            .try_fold(bytes, |n, &extent| Some(n?.checked_mul(extent)));
        if bytes.flatten().is_none() {
            problems.push(format!("tensor `{}` does not fit 63 bits", tensor.name));
        }
    }
}

/// Checks a buffer's form; gives the bytes of all copies.
fn buffer(buf: &BufData) -> Result<u64, String> {
    if buf.rows < 1 || buf.cols < 1 || buf.depth < 1 {
        return Err(String::from("an extent or the depth is below 1"));
    }
    if buf.elem == Elem::Bool && buf.space != Space::Ub {
        return Err(format!("masks lie in ub, not in {}", buf.space));
    }
    let layouts: &[Layout] = match buf.space {
        Space::Gm => &[],
        Space::L1 => &[Layout::NZ, Layout::Nd],
        Space::L0a => &[Layout::ZZ],
        Space::L0b => &[Layout::NZn],
        Space::L0c => &[Layout::NZ],
        Space::Ub | Space::Bt | Space::Fb => &[Layout::Nd],
    };
    if !layouts.contains(&buf.layout) {
        return Err(format!(
            "no buffer in {} has the layout {}",
            buf.space,
            buf.layout.name()
        ));
    }
    let (row_unit, col_unit) = padding(buf);
    if buf.rows % row_unit != 0 {
        return Err(format!("{} rows are no multiple of {row_unit}", buf.rows));
    }
    if buf.cols % col_unit != 0 {
        return Err(format!(
            "{} columns are no multiple of {col_unit}",
            buf.cols
        ));
    }
    if buf.space == Space::L0c && !matches!(buf.elem, Elem::F32 | Elem::I32) {
        return Err(format!("an accumulator has no elements of {}", buf.elem));
    }
    buf.copy_bytes()
        .and_then(|bytes| bytes.checked_mul(u64::from(buf.depth)))
        .ok_or_else(|| String::from("its bytes do not fit 64 bits"))
}

/// Of which numbers rows and columns are multiples.
fn padding(buf: &BufData) -> (i64, i64) {
    // 32 B hold this many elements: K0 of the fractals, C0 of NZ.
    let block = match buf.elem {
        Elem::Bool => 256,
        Elem::I64 => 4,
        Elem::F32 | Elem::I32 => 8,
        Elem::F16 | Elem::Bf16 | Elem::I16 => 16,
        Elem::I8 | Elem::U8 => 32,
    };
    match buf.layout {
        Layout::Nd if buf.rows == 1 && buf.elem != Elem::Bool => (1, 1),
        Layout::Nd => (1, block),
        Layout::NZ if buf.space == Space::L0c => (16, 16),
        Layout::NZ => (if block == 32 { 32 } else { 16 }, block),
        Layout::ZZ => (16, block),
        Layout::NZn => (block, 16),
    }
}

fn address(
    buf: &BufData,
    bytes: u64,
    stage: Stage,
    capacity: &dyn Fn(Space) -> u64,
) -> Result<(), String> {
    let Some(addr) = buf.addr else {
        return if stage < Stage::Placed {
            Ok(())
        } else {
            Err(String::from("it has no address"))
        };
    };
    if stage < Stage::Placed {
        return Err(String::from("it has an address before the stage `placed`"));
    }
    let unit = match buf.space {
        Space::L0a | Space::L0b => 512,
        Space::L0c => 1024,
        Space::Bt | Space::Fb => 64,
        Space::Gm | Space::L1 | Space::Ub => 32,
    };
    if addr % unit != 0 {
        return Err(format!("its address {addr:#x} is no multiple of {unit}"));
    }
    let room = capacity(buf.space);
    if bytes
        .checked_add(u64::from(addr))
        .is_none_or(|end| end > room)
    {
        return Err(format!(
            "{bytes} bytes at {addr:#x} end beyond the {room} bytes of {}",
            buf.space
        ));
    }
    Ok(())
}

fn channel(func: &Func, chan: &ChanData) -> Result<(), String> {
    let Some(ring) = func.tensors.get(chan.tensor) else {
        return Err(String::from("its ring does not exist"));
    };
    if ring.role != TensorRole::Work {
        return Err(format!("its ring `{}` is no workspace", ring.name));
    }
    let (groups, depth) = (i64::from(func.groups), i64::from(chan.depth));
    if depth < 1 {
        return Err(String::from("its depth is below 1"));
    }
    if ring.shape.len() != 4 || ring.shape[0] != groups || ring.shape[1] != depth {
        return Err(format!(
            "its ring `{}` is not [{groups}, {depth}, rows, columns]",
            ring.name
        ));
    }
    Ok(())
}
