//! Flags of one phase on one kind of core: every place, merged and numbered.
//!
//! A buffer is ordered in the block of its `Next`, with one flag id per copy, so that as many generations are in flight
//! as there are copies; inside loops that use one generation, with a single id. A tensor that one core both writes and
//! reads is ordered like a buffer of one copy. Where ids run out, buffers give up their overlap, the last flags become
//! barriers.

use std::collections::{BTreeMap, BTreeSet};

use ir::tile::{Block, Buf, Func, Inst, Op};
use isa::types::Pipe;

use super::edges::{Edge, Item, edges};
use super::edits::{Edits, When};
use crate::plan::access::{self, Place};

/// Event ids per ordered pair of pipes: davinci-facts §2.2.
const IDS: u32 = 8;

/// A flag with the buffers whose copies it counts.
#[derive(Clone, Debug)]
struct Flag {
    block: Block,
    edge: Edge,
    /// Ids it takes: one per copy.
    slots: u32,
    /// The buffer whose current copy selects the id, where the flag is set or waited for first.
    slot: Option<Buf>,
    /// Buffers it orders.
    bufs: BTreeSet<Buf>,
}

/// What orders a phase.
#[derive(Default)]
struct Order {
    flags: Vec<Flag>,
    /// Positions before which every pipe drains.
    guards: BTreeSet<(Block, usize)>,
}

/// Inserts the flags of one root block.
pub(super) fn order_pipes(func: &Func, root: Block, edits: &mut Edits) {
    let mut serial = BTreeSet::new();
    let mut order = plan(func, root, &serial);
    while let Some(pair) = crowded(&order.flags) {
        match widest(&order.flags, pair) {
            Some(bufs) => {
                serial.extend(bufs);
                order = plan(func, root, &serial);
            }
            None => drain_instead(&mut order, pair),
        }
    }
    emit(func, root, &order, edits);
}

fn plan(func: &Func, root: Block, serial: &BTreeSet<Buf>) -> Order {
    let mut order = Order::default();
    let mut sites = BTreeMap::new();
    next_sites(func, root, &mut sites);
    for (buf, sites) in sites {
        place_buffer(func, root, buf, &sites, serial, &mut order);
    }
    for place in shared_tensors(func, root) {
        let scope = Scope {
            place,
            from: 0,
            to: usize::MAX,
            slots: 1,
            repeats: false,
        };
        place_scope(func, root, scope, &mut order);
    }
    order.flags = merge(std::mem::take(&mut order.flags));
    order
}

/// Where the copies of each buffer turn.
pub(super) fn next_sites(
    func: &Func,
    block: Block,
    sites: &mut BTreeMap<Buf, Vec<(Block, usize)>>,
) {
    for (position, &inst) in func.blocks[block].insts.iter().enumerate() {
        let op = &func.insts[inst].op;
        if let Op::Next { buf } = op {
            sites.entry(*buf).or_default().push((block, position));
        }
        for inner in op.blocks() {
            next_sites(func, inner, sites);
        }
    }
}

/// Tensors that one pipe of this core writes and another one touches.
fn shared_tensors(func: &Func, root: Block) -> Vec<Place> {
    let mut touched: BTreeMap<Place, (BTreeSet<Pipe>, bool)> = BTreeMap::new();
    for &inst in &func.blocks[root].insts {
        for access in access::lifted(func, inst) {
            if matches!(access.place, Place::Tensor(_)) {
                let (pipes, written) = touched.entry(access.place).or_default();
                pipes.insert(access.pipe);
                *written |= access.writes;
            }
        }
    }
    touched
        .into_iter()
        .filter(|(_, (pipes, written))| *written && pipes.len() > 1)
        .map(|(place, _)| place)
        .collect()
}

/// The part of a block in which a place holds one thing.
#[derive(Copy, Clone)]
struct Scope {
    place: Place,
    from: usize,
    to: usize,
    slots: u32,
    repeats: bool,
}

/// A buffer that turns at one place follows its copies; one that turns at several drains the pipes at each turn.
fn place_buffer(
    func: &Func,
    root: Block,
    buf: Buf,
    sites: &[(Block, usize)],
    serial: &BTreeSet<Buf>,
    order: &mut Order,
) {
    let place = Place::Buf(buf);
    if let [(block, at)] = *sites {
        let slots = if serial.contains(&buf) || block == root {
            1
        } else {
            func.bufs[buf].depth.max(1)
        };
        let scope = Scope {
            place,
            from: at + 1,
            to: usize::MAX,
            slots,
            repeats: block != root,
        };
        return place_scope(func, block, scope, order);
    }
    for (number, &(block, at)) in sites.iter().enumerate() {
        order.guards.insert((block, at));
        let to = sites[number + 1..]
            .iter()
            .find(|site| site.0 == block)
            .map_or(usize::MAX, |site| site.1);
        place_scope(
            func,
            block,
            Scope {
                place,
                from: at + 1,
                to,
                slots: 1,
                repeats: false,
            },
            order,
        );
    }
}

fn place_scope(func: &Func, block: Block, scope: Scope, order: &mut Order) {
    let items = items(func, block, scope);
    let buf = match scope.place {
        Place::Buf(buf) => Some(buf),
        Place::Tensor(_) => None,
    };
    for edge in edges(&items, scope.repeats) {
        let slot = buf.filter(|_| scope.slots > 1);
        order.flags.push(Flag {
            block,
            edge,
            slots: scope.slots,
            slot,
            bufs: buf.into_iter().collect(),
        });
    }
    for item in items.iter().filter(|item| item.is_mixed()) {
        place_nested(func, block, item.at, scope.place, order);
    }
}

fn items(func: &Func, block: Block, scope: Scope) -> Vec<Item> {
    let insts = &func.blocks[block].insts;
    let touches = |inst: Inst| -> Vec<(Pipe, bool, bool)> {
        let here = access::lifted(func, inst)
            .into_iter()
            .filter(|a| a.place == scope.place);
        here.map(|a| (a.pipe, a.reads, a.writes)).collect()
    };
    (scope.from..insts.len().min(scope.to))
        .map(|at| Item {
            at,
            touches: touches(insts[at]),
        })
        .filter(|item| !item.touches.is_empty())
        .collect()
}

/// Pipes that meet inside a loop are ordered there; around an `if` in which they meet every pipe drains.
fn place_nested(func: &Func, block: Block, at: usize, place: Place, order: &mut Order) {
    let op = &func.insts[func.blocks[block].insts[at]].op;
    let repeats = matches!(op, Op::For { .. });
    if !repeats {
        order.guards.insert((block, at));
        order.guards.insert((block, at + 1));
    }
    for inner in op.blocks() {
        place_scope(
            func,
            inner,
            Scope {
                place,
                from: 0,
                to: usize::MAX,
                slots: 1,
                repeats,
            },
            order,
        );
    }
}

/// Joins flags of one block, direction and number of copies where one can stand for the other.
fn merge(flags: Vec<Flag>) -> Vec<Flag> {
    let mut groups: BTreeMap<(Block, Pipe, Pipe, bool, u32), Vec<Flag>> = BTreeMap::new();
    for flag in flags {
        let Edge { src, dst, back, .. } = flag.edge;
        groups
            .entry((flag.block, src, dst, back, flag.slots))
            .or_default()
            .push(flag);
    }
    let mut merged = Vec::new();
    for ((_, _, _, back, _), mut group) in groups {
        group.sort_by_key(|flag| (flag.edge.wait, flag.edge.set));
        let mut open: Option<Flag> = None;
        for flag in group {
            match &mut open {
                Some(into) if can_join(into.edge, flag.edge, back) => join(into, flag),
                _ => merged.extend(open.replace(flag)),
            }
        }
        merged.extend(open);
    }
    merged
}

/// `next` waits no earlier than `open`. A forward flag must be set before it is waited for; backward ones join where
/// they overlap, so that neither holds back what the other left free.
fn can_join(open: Edge, next: Edge, back: bool) -> bool {
    if back {
        next.wait <= open.set
    } else {
        next.set < open.wait
    }
}

/// The wait stays where it is; the set moves to the later of both. A forward flag is set first, so the buffer of the
/// later set has turned by then; a backward one is waited for first.
fn join(into: &mut Flag, flag: Flag) {
    if flag.edge.set > into.edge.set {
        into.edge.set = flag.edge.set;
        if !into.edge.back {
            into.slot = flag.slot;
        }
    }
    into.bufs.extend(flag.bufs);
}

/// A pair of pipes with more flags than ids.
fn crowded(flags: &[Flag]) -> Option<(Pipe, Pipe)> {
    let mut used: BTreeMap<(Pipe, Pipe), u32> = BTreeMap::new();
    for flag in flags {
        let ids = used.entry((flag.edge.src, flag.edge.dst)).or_default();
        *ids = ids.saturating_add(flag.slots);
    }
    used.into_iter()
        .find(|&(_, ids)| ids > IDS)
        .map(|(pair, _)| pair)
}

/// The buffers of the flag of that pair that takes the most ids, if any takes several.
fn widest(flags: &[Flag], pair: (Pipe, Pipe)) -> Option<BTreeSet<Buf>> {
    let of_pair = flags
        .iter()
        .filter(|flag| (flag.edge.src, flag.edge.dst) == pair && flag.slots > 1);
    of_pair
        .max_by_key(|flag| flag.slots)
        .map(|flag| flag.bufs.clone())
}

/// Replaces the last flag of a pair by a barrier where it is waited for.
fn drain_instead(order: &mut Order, pair: (Pipe, Pipe)) {
    let last = order
        .flags
        .iter()
        .rposition(|flag| (flag.edge.src, flag.edge.dst) == pair);
    if let Some(at) = last {
        let flag = order.flags.remove(at);
        order.guards.insert((flag.block, flag.edge.wait));
    }
}

fn emit(func: &Func, root: Block, order: &Order, edits: &mut Edits) {
    let mut free: BTreeMap<(Pipe, Pipe), u32> = BTreeMap::new();
    for flag in &order.flags {
        let Edge {
            src,
            dst,
            set,
            wait,
            back,
        } = flag.edge;
        let next = free.entry((src, dst)).or_default();
        let id = *next;
        *next += flag.slots;
        let slot = flag.slot;
        edits.after(
            flag.block,
            set,
            When::Set,
            Op::SetFlag { src, dst, id, slot },
        );
        edits.before(
            flag.block,
            wait,
            When::Wait,
            Op::WaitFlag { src, dst, id, slot },
        );
        if back {
            for id in id..id + flag.slots {
                edits.first(
                    root,
                    Op::SetFlag {
                        src,
                        dst,
                        id,
                        slot: None,
                    },
                );
                edits.last(
                    func,
                    root,
                    Op::WaitFlag {
                        src,
                        dst,
                        id,
                        slot: None,
                    },
                );
            }
        }
    }
    for &(block, at) in &order.guards {
        edits.before(block, at, When::Guard, Op::Barrier { pipe: None });
    }
}
