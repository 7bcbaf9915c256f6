//! Places in memory as they are written at the prompt: `ub+0x100 f32 [8,8]`, `ub+0x100 64`, `y 0..16`.

use emulator::{CoreId, Machine, Watch};
use isa::types::{Elem, Space};

/// Most elements that are printed.
const ELEMENTS: u64 = 1 << 20;

/// A range of bytes.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) core: CoreId,
    pub(super) space: Space,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Elements of a type, by rows.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) range: Range,
    pub(super) elem: Elem,
    /// Elements of a row.
    pub(super) columns: u64,
    /// Number of the first element, where a tensor's are counted.
    pub(super) first: u64,
}

impl Range {
    /// The range as something to stop at.
    pub(super) fn watch(&self, reads: bool, writes: bool) -> Watch {
        Watch {
            core: (self.space != Space::Gm).then_some(self.core),
            space: self.space,
            start: self.start,
            end: self.end,
            reads,
            writes,
        }
    }
}

/// A range: `SPACE+ADDRESS BYTES`, or a tensor with or without a range of elements.
pub(super) fn range(machine: &Machine<'_>, core: CoreId, text: &str) -> Result<Range, String> {
    if let Some((space, start, rest)) = address(text)? {
        let len = integer(if rest.is_empty() { "1" } else { rest })?;
        let end = start.checked_add(len).ok_or("the range has no end")?;
        return Ok(Range {
            core,
            space,
            start,
            end,
        });
    }
    Ok(named(machine, core, text)?.range)
}

/// Values: `SPACE+ADDRESS TYPE [SHAPE]`, or a tensor with or without a range of elements.
pub(super) fn tensor(machine: &Machine<'_>, core: CoreId, text: &str) -> Result<Values, String> {
    let Some((space, start, rest)) = address(text)? else {
        return named(machine, core, text);
    };
    let (elem, shape) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let known = Elem::ALL.into_iter().find(|known| known.name() == elem);
    let elem = known.ok_or_else(|| {
        let names: Vec<&str> = Elem::ALL.iter().map(|elem| elem.name()).collect();
        format!("expected a type behind the address: {}", names.join(", "))
    })?;
    let shape = extents(shape)?;
    let count = shape
        .iter()
        .try_fold(1_u64, |count, &extent| count.checked_mul(extent));
    let count = count.filter(|&count| count <= ELEMENTS);
    let count = count.ok_or("that is more than can be shown")?;
    let end = start
        .checked_add(count * elem.bytes())
        .ok_or("the range has no end")?;
    Ok(Values {
        range: Range {
            core,
            space,
            start,
            end,
        },
        elem,
        columns: shape.last().copied().unwrap_or(1),
        first: 0,
    })
}

/// `SPACE+ADDRESS` at the beginning, and what follows; none if the text does not begin so.
fn address(text: &str) -> Result<Option<(Space, u64, &str)>, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let Some((space, at)) = word.split_once('+') else {
        return Ok(None);
    };
    let space = Space::from_name(space).ok_or_else(|| format!("no memory `{space}`"))?;
    Ok(Some((space, integer(at)?, rest.trim())))
}

/// `[8,8]`, `8,8` or `8`; one element if nothing is said.
fn extents(text: &str) -> Result<Vec<u64>, String> {
    let inside = text.trim().trim_start_matches('[').trim_end_matches(']');
    match inside.trim() {
        "" => Ok(vec![1]),
        list => list
            .split(',')
            .map(|extent| integer(extent.trim()))
            .collect(),
    }
}

/// A tensor, or elements `FROM..TO` of it.
fn named(machine: &Machine<'_>, core: CoreId, text: &str) -> Result<Values, String> {
    let (name, part) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut tensors = machine.tensors();
    let Some(tensor) = tensors.find(|tensor| tensor.meta.name == name) else {
        let names: Vec<String> = machine.tensors().map(|t| t.meta.name.clone()).collect();
        return Err(format!(
            "no tensor `{name}`; there are {}",
            names.join(", ")
        ));
    };
    let size = tensor.meta.elem.bytes();
    let count = tensor.meta.bytes().unwrap_or(0) / size;
    let (from, to) = match part.trim() {
        "" => (0, count),
        part => part_of(part, count)?,
    };
    if to - from > ELEMENTS {
        return Err("that is more than can be shown".to_owned());
    }
    Ok(Values {
        range: Range {
            core,
            space: Space::Gm,
            start: tensor.address + from * size,
            end: tensor.address + to * size,
        },
        elem: tensor.meta.elem,
        columns: match from {
            0 => tensor.meta.shape.last().copied().unwrap_or(1),
            _ => to - from,
        },
        first: from,
    })
}

/// `FROM..TO` or a single number, inside a tensor of so many elements.
fn part_of(text: &str, count: u64) -> Result<(u64, u64), String> {
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (integer(from.trim())?, integer(to.trim())?),
        None => {
            let from = integer(text)?;
            (from, from.saturating_add(1))
        }
    };
    match from < to && to <= count {
        true => Ok((from, to)),
        false => Err(format!("`{text}` is not inside 0..{count}")),
    }
}

fn integer(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no number"))
}
