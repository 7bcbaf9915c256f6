//! The memory map as text: `--emit=memory`.

use std::fmt::Write as _;

use ir::tile::{Buf, Func};
use isa::chip::Chip;
use isa::types::Space;

use super::{Life, lives, plan};

/// Draws the address map: per space every buffer with address, bytes, copies and when it lives.
///
/// Uses the addresses that the function carries; those of a function that is not placed are planned here.
pub fn report(func: &Func, chip: &Chip) -> String {
    let planned = plan(func, chip).ok();
    let addr = |buf: Buf| {
        let of_plan = planned
            .as_ref()
            .and_then(|plan| plan.addr.get(&buf).copied());
        func.bufs[buf].addr.or(of_plan)
    };
    let lives = lives(func);
    let mut out = format!("memory of `{}` on {}\n", func.name, func.target);
    for space in Space::ALL {
        let mut rows: Vec<(&Life, Option<u32>)> = lives
            .iter()
            .filter(|life| func.bufs[life.buf].space == space)
            .map(|life| (life, addr(life.buf)))
            .collect();
        if rows.is_empty() {
            continue;
        }
        rows.sort_by_key(|(life, at)| (*at, life.buf));
        section(&mut out, func, chip, space, &rows);
    }
    out
}

fn section(
    out: &mut String,
    func: &Func,
    chip: &Chip,
    space: Space,
    rows: &[(&Life, Option<u32>)],
) {
    let bytes = |buf: Buf| {
        let data = &func.bufs[buf];
        data.copy_bytes()
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(data.depth))
    };
    let peak = rows
        .iter()
        .map(|(life, at)| u64::from(at.unwrap_or(0)).saturating_add(bytes(life.buf)))
        .max();
    let _ = writeln!(
        out,
        "\n{space}: {} of {} bytes",
        peak.unwrap_or(0),
        chip.usable_bytes(space)
    );
    for (life, at) in rows {
        let data = &func.bufs[life.buf];
        let start = at.map_or_else(|| "unplaced".to_owned(), |at| format!("{at:#07x}"));
        let _ = writeln!(
            out,
            "  {start}  {:>8} B  {} x {}  {}[{}, {}]  {}",
            bytes(life.buf),
            data.depth,
            data.name,
            data.elem,
            data.rows,
            data.cols,
            when(life),
        );
    }
}

fn when(life: &Life) -> String {
    let ranges: Vec<String> = life
        .ranges
        .iter()
        .map(|range| {
            let pipes: Vec<&str> = range.pipes.iter().map(|pipe| pipe.name()).collect();
            format!(
                "phase {} ops {}..={} by {}",
                range.phase,
                range.start,
                range.end,
                pipes.join(" ")
            )
        })
        .collect();
    ranges.join(", ")
}
