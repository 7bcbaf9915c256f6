//! Which flags one place needs in one block.
//!
//! The operations of the block that touch the place are its *items*; a loop or an `if` counts as one item that does
//! everything its blocks do. Two items conflict if different pipes do them and one writes. A *forward* edge orders two
//! items of one execution of the block; a *backward* edge orders an item of one execution before an item of a later one
//! that gets the same memory. Edges that follow from others are left out.

use isa::types::Pipe;

/// An operation of the block, and how each pipe touches the place in it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Position in the block.
    pub(super) at: usize,
    /// Pipe, reads, writes.
    pub(super) touches: Vec<(Pipe, bool, bool)>,
}

impl Item {
    /// Whether two pipes conflict inside this item.
    pub(super) fn is_mixed(&self) -> bool {
        let writes = self.touches.iter().any(|&(_, _, writes)| writes);
        writes && self.touches.len() > 1
    }

    fn touch(&self, pipe: Pipe) -> Option<(bool, bool)> {
        self.touches
            .iter()
            .find(|t| t.0 == pipe)
            .map(|&(_, reads, writes)| (reads, writes))
    }
}

/// A flag: set on `src` after item `set`, waited for on `dst` before item `wait`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) src: Pipe,
    pub(super) dst: Pipe,
    /// Position of the item after which it is set.
    pub(super) set: usize,
    /// Position of the item before which it is waited for.
    pub(super) wait: usize,
    /// Whether the wait belongs to a later execution of the block.
    pub(super) back: bool,
}

/// The edges that order all conflicts of one place in one block; `repeats` if the block runs more than once with the
/// same memory.
pub(super) fn edges(items: &[Item], repeats: bool) -> Vec<Edge> {
    let mut all = Vec::new();
    for src in Pipe::ALL {
        for dst in Pipe::ALL {
            let pairs = conflicts(items, src, dst);
            forward(src, dst, &pairs, &mut all);
            if repeats {
                backward(src, dst, &pairs, &mut all);
            }
        }
    }
    reduce(all)
}

/// Pairs of positions, the first done by `src` and the second later by `dst`, sorted by the second.
fn conflicts(items: &[Item], src: Pipe, dst: Pipe) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    if src == dst {
        return pairs;
    }
    for (number, second) in items.iter().enumerate() {
        let Some((reads, writes)) = second.touch(dst) else {
            continue;
        };
        for first in &items[..number] {
            let clash = |(first_reads, first_writes): (bool, bool)| {
                (first_writes && reads) || (writes && (first_reads || first_writes))
            };
            if first.touch(src).is_some_and(clash) {
                pairs.push((first.at, second.at));
            }
        }
    }
    pairs
}

/// The fewest flags that order all pairs: each lies before the earliest end that none so far covers.
fn forward(src: Pipe, dst: Pipe, pairs: &[(usize, usize)], all: &mut Vec<Edge>) {
    let mut open: Option<Edge> = None;
    for &(set, wait) in pairs {
        match &mut open {
            Some(edge) if set < edge.wait => edge.set = edge.set.max(set),
            _ => all.extend(open.replace(Edge {
                src,
                dst,
                set,
                wait,
                back: false,
            })),
        }
    }
    all.extend(open);
}

/// The reverse of all pairs in one flag: after the last use by `dst`, before the first one by `src` of the next turn.
fn backward(src: Pipe, dst: Pipe, pairs: &[(usize, usize)], all: &mut Vec<Edge>) {
    let first = pairs.iter().map(|pair| pair.0).min();
    let last = pairs.iter().map(|pair| pair.1).max();
    if let (Some(wait), Some(set)) = (first, last) {
        all.push(Edge {
            src: dst,
            dst: src,
            set,
            wait,
            back: true,
        });
    }
}

/// Leaves out every edge that follows from the remaining ones and the order within each pipe.
fn reduce(mut all: Vec<Edge>) -> Vec<Edge> {
    let mut at = 0;
    while at < all.len() {
        let edge = all.remove(at);
        if !follows(edge, &all) {
            all.insert(at, edge);
            at += 1;
        }
    }
    all
}

/// A point of a pipe: before item `n` is `2n`, after it `2n + 1`; `turn` 1 is the next execution with the same memory.
#[derive(Copy, Clone, PartialEq, Eq)]
struct Point {
    pipe: Pipe,
    time: usize,
    turn: u8,
}

/// Whether a chain of other edges already orders what `edge` orders.
fn follows(edge: Edge, others: &[Edge]) -> bool {
    let goal = Point {
        pipe: edge.dst,
        time: 2 * edge.wait,
        turn: u8::from(edge.back),
    };
    let mut reached = vec![Point {
        pipe: edge.src,
        time: 2 * edge.set + 1,
        turn: 0,
    }];
    let mut next = 0;
    while let Some(&here) = reached.get(next) {
        next += 1;
        if here.pipe == goal.pipe
            && (here.turn < goal.turn || (here.turn == goal.turn && here.time <= goal.time))
        {
            return true;
        }
        for other in others.iter().filter(|other| other.src == here.pipe) {
            for turn in here.turn..=1 {
                let start = if turn == here.turn { here.time } else { 0 };
                let point = Point {
                    pipe: other.dst,
                    time: 2 * other.wait,
                    turn: turn + u8::from(other.back),
                };
                if 2 * other.set + 1 >= start && point.turn <= 1 && !reached.contains(&point) {
                    reached.push(point);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(at: usize, touches: &[(Pipe, bool, bool)]) -> Item {
        Item {
            at,
            touches: touches.to_vec(),
        }
    }

    #[test]
    fn load_compute_store_needs_one_flag_each_way() {
        let items = [
            item(1, &[(Pipe::Mte2, false, true)]),
            item(2, &[(Pipe::V, true, true)]),
            item(3, &[(Pipe::Mte3, true, false)]),
        ];
        let found: Vec<_> = edges(&items, true)
            .into_iter()
            .map(|e| (e.src, e.dst, e.set, e.wait, e.back))
            .collect();
        assert_eq!(
            found,
            [
                (Pipe::V, Pipe::Mte3, 2, 3, false),
                (Pipe::Mte2, Pipe::V, 1, 2, false),
                (Pipe::Mte3, Pipe::Mte2, 3, 1, true),
            ]
        );
    }

    #[test]
    fn two_readers_each_give_the_slot_back() {
        let items = [
            item(0, &[(Pipe::Mte2, false, true)]),
            item(1, &[(Pipe::V, true, false)]),
            item(2, &[(Pipe::S, true, false)]),
        ];
        let found = edges(&items, true);
        assert_eq!(found.iter().filter(|e| e.back).count(), 2);
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn alternating_pipes_need_a_flag_for_each_turn() {
        let items = [
            item(0, &[(Pipe::V, false, true)]),
            item(1, &[(Pipe::S, true, true)]),
            item(2, &[(Pipe::V, true, true)]),
            item(3, &[(Pipe::S, true, false)]),
        ];
        let found: Vec<_> = edges(&items, false)
            .into_iter()
            .map(|e| (e.src, e.dst, e.set, e.wait))
            .collect();
        assert_eq!(
            found,
            [
                (Pipe::S, Pipe::V, 1, 2),
                (Pipe::V, Pipe::S, 0, 1),
                (Pipe::V, Pipe::S, 2, 3)
            ]
        );
    }
}
