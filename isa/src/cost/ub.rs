//! The banks of UB (davinci-facts §7.1): 16 groups of 3 banks; address bits 8:5 are the group, 17:16 the bank.
//!
//! A group serves one block read and one block write a cycle, so a repeat takes as many cycles as the busiest group has
//! reads, or writes. Writes trail by one repeat: where they meet the next repeat's reads in the same bank of a group, the
//! repeat loses `clash_milli` thousandths of a cycle. A repeat that reads what the one before writes waits `dependent`
//! cycles.

use crate::chip::Chip;
use crate::form::{VecForm, Walk};
use crate::inst::Regs;
use smallvec::SmallVec;

const BLOCK: u64 = crate::types::BLOCK_BYTES;
const GROUPS: u64 = 16;
const BANK_BYTES: u64 = 1 << 16;
/// Repeats beyond this are priced as the average of those before: no legal instruction has as many.
const MOST_REPEATS: u64 = 8192;

/// One stream of blocks, read or written.
struct Port {
    /// Blocks of a repeat per group, a byte each, for a repeat that starts in group 0.
    counts: u128,
    /// Groups that `counts` names.
    groups: u16,
    at: u64,
    /// Bytes from one repeat to the next.
    rep: u64,
    /// Bytes from the first to behind the last block of a repeat.
    extent: u64,
}

impl Port {
    fn start(&self, repeat: u64) -> u64 {
        self.at.wrapping_add(repeat.wrapping_mul(self.rep))
    }

    fn phase(&self, repeat: u64) -> u32 {
        (self.start(repeat) / BLOCK % GROUPS) as u32
    }

    fn counts(&self, repeat: u64) -> u128 {
        self.counts.rotate_left(8 * self.phase(repeat))
    }

    fn groups(&self, repeat: u64) -> u16 {
        self.groups.rotate_left(self.phase(repeat))
    }

    fn bank(&self, repeat: u64) -> u64 {
        self.start(repeat) / BANK_BYTES
    }

    fn overlaps(&self, repeat: u64, other: &Port, other_repeat: u64) -> bool {
        let (a, b) = (self.start(repeat), other.start(other_repeat));
        a < b.wrapping_add(other.extent) && b < a.wrapping_add(self.extent)
    }
}

/// Cycles of all repeats.
pub(super) fn cycles(form: &VecForm, base: u64, regs: &(impl Regs + ?Sized), chip: &Chip) -> u64 {
    let repeats = form.repeats(regs);
    let (reads, writes) = ports(form, regs);
    let steady = is_steady(&reads, &writes, repeats);
    let walked = repeats.min(if steady { GROUPS + 1 } else { MOST_REPEATS });
    let busy = |repeat| busiest(&reads, repeat).max(busiest(&writes, repeat));
    // Ports that keep step turn the groups together, and the busiest one is as busy in every repeat.
    let always = (keep_step(&reads) && keep_step(&writes)).then(|| busy(0));
    let one = |repeat| {
        let busiest = always.unwrap_or_else(|| busy(repeat));
        1000 * base.max(busiest) + wait_milli(repeat, &reads, &writes, chip)
    };
    let first: u64 = (0..walked).map(one).sum();
    let rest = repeats - walked;
    if rest == 0 {
        return first.div_ceil(1000);
    }
    // Groups come round every 16 repeats, and the first repeat has no writes before it.
    let round: u64 = (walked - GROUPS..walked).map(one).sum();
    first
        .saturating_add(rest.saturating_mul(round).div_ceil(GROUPS))
        .div_ceil(1000)
}

/// Most operands of one direction: those of `vsel`.
type Ports = SmallVec<[Port; 3]>;

fn ports(form: &VecForm, regs: &(impl Regs + ?Sized)) -> (Ports, Ports) {
    let port = |at: u64, walk: Walk| {
        Some(match walk {
            Walk::Lanes { elem, blk, rep } => {
                new_port(at, (form.lanes * elem).div_ceil(BLOCK), blk, rep)
            }
            Walk::Bits => new_port(at, 1, BLOCK, form.lanes / 8),
            Walk::BitRows { rep } => new_port(at, 1, BLOCK, rep),
            Walk::Run { bytes, rep } => new_port(at, bytes.div_ceil(BLOCK), BLOCK, rep),
            Walk::Results { elem, group, rep } => {
                new_port(at, (form.lanes / group * elem).div_ceil(BLOCK), BLOCK, rep)
            }
            Walk::Blocks { blk, rep } => new_port(at, 8, blk, rep),
            // The base cost of a gather has the reads, wherever they are.
            Walk::Anywhere => return None,
        })
    };
    let side = |wanted: fn(crate::inst::Dir) -> bool| {
        let operands = form.operands.iter().filter(|operand| wanted(operand.dir));
        operands
            .filter_map(|operand| port(operand.at.get(regs), operand.walk))
            .collect()
    };
    (
        side(crate::inst::Dir::reads),
        side(crate::inst::Dir::writes),
    )
}

fn new_port(at: u64, blocks: u64, blk: u64, rep: u64) -> Port {
    // A block that is used eight times is fetched once.
    let blocks = if blk == 0 { 1 } else { blocks };
    let group = |block: u64| (block * (blk / BLOCK) % GROUPS) as u32;
    let counts = (0..blocks).map(|block| 1_u128 << (8 * group(block))).sum();
    let groups = (0..blocks).fold(0, |groups, block| groups | 1 << group(block));
    Port {
        counts,
        groups,
        at,
        rep,
        extent: (blocks - 1) * blk + BLOCK,
    }
}

/// Whether every operand stays in one bank, and a repeat depends on the one before always or never.
fn is_steady(reads: &[Port], writes: &[Port], repeats: u64) -> bool {
    let last = repeats.saturating_sub(1);
    let stays =
        |port: &Port| port.bank(0) == port.bank(last) && port.rep.checked_mul(last).is_some();
    let same_pace = |port: &Port| writes.iter().all(|write| write.rep == port.rep);
    reads.iter().chain(writes).all(stays) && reads.iter().all(same_pace)
}

/// Whether all ports go on by the same whole blocks from one repeat to the next.
fn keep_step(ports: &[Port]) -> bool {
    let first = ports.first().map_or(0, |port| port.rep);
    first.is_multiple_of(BLOCK) && ports.iter().all(|port| port.rep == first)
}

/// What a repeat waits for those before it.
fn wait_milli(repeat: u64, reads: &[Port], writes: &[Port], chip: &Chip) -> u64 {
    if repeat == 0 {
        return 0;
    }
    let pairs = || {
        reads
            .iter()
            .flat_map(|read| writes.iter().map(move |write| (read, write)))
    };
    let clashes = |(read, write): (&Port, &Port)| {
        read.bank(repeat) == write.bank(repeat - 1)
            && read.groups(repeat) & write.groups(repeat - 1) != 0
    };
    let depends = |(read, write): (&Port, &Port)| read.overlaps(repeat, write, repeat - 1);
    if pairs().any(depends) {
        1000 * chip.vector.dependent
    } else if pairs().any(clashes) {
        chip.vector.clash_milli
    } else {
        0
    }
}

/// Blocks of the group that has most.
fn busiest(ports: &[Port], repeat: u64) -> u64 {
    let counts: u128 = ports.iter().map(|port| port.counts(repeat)).sum();
    u64::from(counts.to_le_bytes().into_iter().fold(0, u8::max))
}
