//! What the scalar unit's data cache hides: old bytes in a line that is there, and stores that nothing has written back.
//!
//! Values are always those of memory, and `clock` has lines for time alone; here only mistakes are looked for. Nothing says
//! when hardware drops a line or writes one back, so a line is taken to be there from the scalar unit's first access to it
//! until a `dcci`, and a store to stay in it as long. The end of a program writes everything back (*we choose*). A line
//! knows which of its bytes were stored, so neighbours in a line do not overwrite each other (*we choose*). Order is
//! `hazard`'s business: what is found here is ordered and still wrong.

use std::collections::BTreeMap;

use crate::core::Core;
use crate::cross::{Heard, Logged, Ranges, Use};
use crate::fault::{FaultKind, Hidden, OtherAccess, Stop};
use crate::hazard::{self, Known, STORES};
use isa::types::Pipe;

/// What a core's data cache may hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cached {
    /// Lines by their number.
    lines: BTreeMap<u64, Line>,
    stores: Stores,
}

/// A line, and what the scalar unit knew when it came.
#[derive(Clone, Debug)]
struct Line {
    known: Known,
    heard: Heard,
}

/// The latest scalar stores, and what has written them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stores {
    all: Ranges<Store>,
    /// Those that are in the cache still.
    kept: Ranges<()>,
}

#[derive(Copy, Clone, Debug)]
struct Store {
    pc: u32,
    /// The count of the scalar unit's `dcci` that wrote it back; none is as high as that of no `dcci` at all.
    back: u32,
}

/// No `dcci` yet.
const NEVER: u32 = u32::MAX;

impl Stores {
    /// Notes a store.
    pub(crate) fn put(&mut self, start: u64, end: u64, pc: u32) {
        self.all.put(start, end, Store { pc, back: NEVER });
        self.kept.put(start, end, ());
    }

    /// Writes back what a range holds.
    pub(crate) fn write_back(&mut self, start: u64, end: u64, count: u32) {
        for (from, to) in self.kept.take(start, end) {
            for store in self.all.inside(from, to) {
                store.back = store.back.min(count);
            }
        }
    }

    /// The first store to a range that was not written back as far as somebody knows: its address and instruction.
    pub(crate) fn hidden(
        &self,
        start: u64,
        end: u64,
        knows: impl Fn(u32) -> bool,
    ) -> Option<(u64, u32)> {
        let mut stores = self.all.overlapping(start, end);
        let found = stores.find(|(_, store)| store.back == NEVER || !knows(store.back));
        found.map(|(from, store)| (from.max(start), store.pc))
    }
}

impl Core<'_> {
    /// What other cores knew of, as far as this core had heard, when the line came that a scalar load reads; none if it
    /// comes now, or if this is no scalar load.
    pub(crate) fn line_of_load(&self, address: u64, sort: Use) -> Option<Heard> {
        let scalar = sort == Use::Read && self.lane == Pipe::S.index();
        let line = self.cached.lines.get(&self.line(address));
        line.filter(|_| scalar).map(|line| line.heard.clone())
    }

    fn line(&self, address: u64) -> u64 {
        address / self.launch.chip.scalar.cache_line.max(1)
    }

    /// Looks at an access of global memory that is in order, as the data cache sees it.
    pub(crate) fn cache_access(
        &mut self,
        operand: &'static str,
        (address, len): (u64, usize),
        sort: Use,
    ) -> Result<(), Stop> {
        let end = address + len as u64;
        if self.lane == STORES {
            self.cached.stores.put(address, end, self.pc);
        } else if self.lane == Pipe::S.index() {
            self.check_line(operand, address, len)?;
        } else {
            let heard = self.order.known[self.lane][Pipe::S.index()];
            let hidden = self
                .cached
                .stores
                .hidden(address, end, |count| count <= heard);
            if let Some((address, pc)) = hidden {
                let pc = Some(pc);
                let hidden = Hidden::Store {
                    write: sort != Use::Read,
                };
                return Err(self.hides(operand, address, hidden, (Pipe::S, pc)));
            }
            return Ok(());
        }
        let (known, heard) = (
            self.order.known[Pipe::S.index()],
            &self.heard[Pipe::S.index()],
        );
        let arrives = || Line {
            known,
            heard: heard.clone(),
        };
        for line in self.line(address)..=self.line(end - 1) {
            self.cached.lines.entry(line).or_insert_with(arrives);
        }
        Ok(())
    }

    /// Looks whether a queue of this core has written what a scalar load reads from a line that was there before.
    fn check_line(&mut self, operand: &'static str, address: u64, len: usize) -> Result<(), Stop> {
        let Some(line) = self.cached.lines.get(&self.line(address)) else {
            return Ok(());
        };
        let mut known = line.known;
        // Its own stores go through the line.
        known[STORES] = u32::MAX;
        match self.written_since(address, len, &known) {
            None => Ok(()),
            Some(write) => {
                let by = (
                    hazard::lane_pipe(write.lane),
                    self.order.pc_of(write.lane, write.count),
                );
                Err(self.hides(operand, write.address as u64, Hidden::OldLine, by))
            }
        }
    }

    fn hides(
        &self,
        operand: &'static str,
        address: u64,
        hidden: Hidden,
        (pipe, pc): (Pipe, Option<u32>),
    ) -> Stop {
        Box::new(FaultKind::Cached {
            operand,
            address,
            pipe: hazard::lane_pipe(self.lane),
            hidden,
            other: Box::new(OtherAccess {
                core: self.id,
                pipe,
                write: true,
                pc,
            }),
        })
    }

    /// Cleans the lines of a range, and lets them go.
    pub(crate) fn clean_lines(&mut self, start: u64, end: u64) {
        if !self.launch.sanitize.hazards {
            return;
        }
        let count = self.order.issued[Pipe::S.index()];
        let (first, last) = (self.line(start), self.line(end));
        let cached = &mut self.cached;
        cached.stores.write_back(start, end, count);
        cached.lines.retain(|&line, _| line < first || line >= last);
        if self.launch.many {
            self.log.push(Logged {
                operand: "base",
                start,
                len: end - start,
                sort: Use::Clean,
                lane: Pipe::S.index(),
                count,
                pc: self.pc,
                heard: None,
                since: None,
            });
        }
    }

    /// Cleans the line of an address.
    pub(crate) fn clean_line(&mut self, address: u64) {
        let bytes = self.launch.chip.scalar.cache_line.max(1);
        let start = address / bytes * bytes;
        self.clean_lines(start, start.saturating_add(bytes));
    }
}
