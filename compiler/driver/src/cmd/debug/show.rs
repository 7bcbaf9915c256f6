//! How the machine looks at the prompt. Changes nothing.

use std::fmt::Write as _;

use diag::SourceMap;
use emulator::{CoreId, Machine, Watch};
use ir::algo::data::{Data, int_format};
use isa::inst::{Inst, Reg, Spr};
use isa::object::Object;
use isa::types::{CoreKind, Elem, Pipe, Space};

use super::place::{Range, Values};

/// Rows and columns that are shown of a tensor.
const SHOWN: usize = 16;
/// Instructions on either side of a listing's place.
const AROUND: u32 = 5;

/// An instruction in assembly form.
pub(super) fn instruction(object: &Object, kind: CoreKind, pc: u32) -> String {
    let inst = object.code(kind).get(pc as usize);
    inst.map_or("behind the last instruction".to_owned(), Inst::to_string)
}

/// The source line of an instruction: where it is, and its text if it is at hand.
fn source(object: &Object, kind: CoreKind, pc: u32, sources: &SourceMap) -> Option<String> {
    let row = object.line_of(kind, pc)?;
    let name = object.files.get(row.file as usize)?;
    let file = sources.iter().find(|(_, source)| source.name == *name);
    let text =
        file.and_then(|(_, source)| source.text.lines().nth(row.line.checked_sub(1)? as usize));
    let text = text.map_or(String::new(), |text| format!("  {}", text.trim()));
    Some(format!("{name}:{}{text}", row.line))
}

/// Where a core stands.
pub(super) fn here(
    machine: &Machine<'_>,
    object: &Object,
    core: CoreId,
    sources: &SourceMap,
) -> String {
    let Some(pc) = machine.pc(core) else {
        return format!("step {}  {core}  has ended\n", machine.steps());
    };
    let mut text = format!(
        "step {}  {core}  {pc}: {}\n",
        machine.steps(),
        instruction(object, core.kind(), pc)
    );
    if let Some(source) = source(object, core.kind(), pc, sources) {
        let _ = writeln!(text, "    {source}");
    }
    text
}

/// What accesses are watched, and of which range.
pub(super) fn watch(watch: &Watch) -> String {
    let how = match (watch.reads, watch.writes) {
        (true, false) => "reads",
        (_, true) if watch.reads => "reads and writes",
        (_, _) => "writes",
    };
    format!("{how} of {}", range(watch))
}

/// The range that is watched.
pub(super) fn range(watch: &Watch) -> String {
    let whose = watch
        .core
        .map_or(String::new(), |core| format!(" of {core}"));
    let len = watch.end.saturating_sub(watch.start);
    format!("{}+{:#x}, {len} bytes{whose}", watch.space, watch.start)
}

/// The cores, the one that is looked at marked.
pub(super) fn cores(machine: &Machine<'_>, cores: &[CoreId], chosen: CoreId) -> String {
    let mut text = String::new();
    for (number, &core) in cores.iter().enumerate() {
        let mark = if core == chosen { '*' } else { ' ' };
        let place = machine
            .pc(core)
            .map_or("ended".to_owned(), |pc| format!("at {pc}"));
        let _ = writeln!(text, "{mark}{number:>3}  {core}  {place}");
    }
    text
}

/// Values by rows; `·` where there is none yet.
pub(super) fn values(machine: &Machine<'_>, what: &Values) -> Result<String, String> {
    let Range {
        core,
        space,
        start,
        end,
    } = what.range;
    let len = end.saturating_sub(start) as usize;
    let found = machine.read(core, space, start, len);
    let found = found.ok_or_else(|| format!("{space}+{start:#x} has no {len} bytes"))?;
    let size = what.elem.bytes() as usize;
    let data = Data { bytes: found.bytes };
    let one = |at: usize| match found.set[at * size..(at + 1) * size].iter().all(|&set| set) {
        true => element(&data, what.elem, at),
        false => "·".to_owned(),
    };
    let count = len / size;
    let columns = (what.columns.max(1) as usize).min(count.max(1));
    let mut text = format!(
        "{space}+{start:#x} {} from element {}\n",
        what.elem.name(),
        what.first
    );
    for row in 0..count.div_ceil(columns).min(SHOWN) {
        let cells = row * columns..((row + 1) * columns).min(count);
        let more = if cells.len() > SHOWN { " …" } else { "" };
        let cells: Vec<String> = cells.take(SHOWN).map(one).collect();
        let _ = writeln!(text, "  {}{more}", cells.join(" "));
    }
    if count.div_ceil(columns) > SHOWN {
        text.push_str("  …\n");
    }
    Ok(text)
}

fn element(data: &Data, elem: Elem, at: usize) -> String {
    match int_format(elem) {
        Some(_) => data.get_i64(elem, at).to_string(),
        None => data.get_f64(elem, at).to_string(),
    }
}

/// Who wrote the bytes of a range last.
pub(super) fn writers(machine: &Machine<'_>, object: &Object, range: &Range) -> String {
    let writers = machine.last_writers(range.core, range.space, range.start, range.end);
    let mut text = String::new();
    for writer in writers {
        let _ = writeln!(
            text,
            "{}+{:#x}..{:#x}  {} of {}: `{}`",
            range.space,
            writer.start,
            writer.end,
            writer.pc,
            writer.core,
            instruction(object, writer.core.kind(), writer.pc)
        );
    }
    match text.is_empty() {
        true => "no instruction has written there\n".to_owned(),
        false => text,
    }
}

/// The registers that are not zero.
pub(super) fn registers(machine: &Machine<'_>, core: CoreId) -> String {
    let mut text = String::new();
    for number in 0..Reg::COUNT as u8 {
        let value = machine.register(core, Reg(number)).unwrap_or(0);
        if value != 0 {
            let _ = writeln!(text, "x{number:<9} {value:#018x}  {}", value as i64);
        }
    }
    for &spr in Spr::ALL {
        let value = machine.special(core, spr).unwrap_or(0);
        if value != 0 {
            let _ = writeln!(text, "{:<10} {value:#018x}  {}", spr.name(), value as i64);
        }
    }
    if let Some(lanes) = machine.lanes(core) {
        let _ = writeln!(text, "lanes      {lanes:x?}");
    }
    text
}

/// Instructions around a place.
pub(super) fn listing(object: &Object, kind: CoreKind, pc: u32, sources: &SourceMap) -> String {
    let end = (object.code(kind).len() as u32).min(pc.saturating_add(AROUND + 1));
    let mut text = String::new();
    let mut last = None;
    for at in pc.saturating_sub(AROUND)..end {
        let from = source(object, kind, at, sources);
        let mark = if at == pc { '>' } else { ' ' };
        let _ = write!(text, "{mark}{at:>5}  {}", instruction(object, kind, at));
        // The line is said once, and not where the instruction is its own source.
        let place = from.filter(|from| !from.ends_with(&instruction(object, kind, at)));
        if let Some(place) = place.as_ref().filter(|_| place != last) {
            let _ = write!(text, "    // {place}");
        }
        last = place;
        text.push('\n');
    }
    text
}

/// Queues, flags, counters, waits.
pub(super) fn info(machine: &Machine<'_>, object: &Object, core: CoreId) -> String {
    let mut text = format!("{core}\n");
    for pipe in Pipe::ALL {
        for pc in machine.queue(core, pipe) {
            let _ = writeln!(
                text,
                "  {pipe} has {pc}: {}",
                instruction(object, core.kind(), pc)
            );
        }
    }
    for (src, dst, id) in machine.flags(core) {
        let _ = writeln!(text, "  flag {src} -> {dst} #{id} is set");
    }
    for (id, value) in machine.counters(core).into_iter().enumerate() {
        if value != 0 {
            let _ = writeln!(text, "  counter {id} is {value}");
        }
    }
    for wait in machine.waits(core) {
        let _ = writeln!(
            text,
            "  {} at {} waits for {}",
            wait.pipe, wait.pc, wait.reason
        );
    }
    for tensor in machine.tensors() {
        let meta = tensor.meta;
        let _ = writeln!(
            text,
            "  {} is {} {:?} at {}+{:#x}",
            meta.name,
            meta.elem.name(),
            meta.shape,
            Space::Gm,
            tensor.address
        );
    }
    text
}
