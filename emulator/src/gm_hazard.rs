//! Unordered conflicts of one core's queues in global memory, by pages that appear when they are touched.
//!
//! Inputs cannot be written, so nothing is kept for them. For conflicts between cores see `cross`, which reads the log that
//! is written here.

use std::collections::HashMap;

use isa::types::Space;

use crate::core::Core;
use crate::cross::{Logged, Use};
use crate::fault::Stop;
use crate::hazard::{Conflict, Known, Track};

/// Bytes of a page.
const PAGE: u64 = 4096;

/// The pages that a core has touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    pages: HashMap<u64, Track>,
}

impl Core<'_> {
    /// Notes a read of global memory.
    pub(crate) fn gm_reads(
        &mut self,
        operand: &'static str,
        address: u64,
        len: usize,
    ) -> Result<(), Stop> {
        self.gm_access(operand, address, len, Use::Read)
    }

    /// Notes a write of global memory.
    pub(crate) fn gm_writes(
        &mut self,
        operand: &'static str,
        address: u64,
        len: usize,
    ) -> Result<(), Stop> {
        self.gm_access(operand, address, len, Use::Write)
    }

    /// Notes an atomic store to global memory in that mode.
    pub(crate) fn gm_combines(
        &mut self,
        operand: &'static str,
        address: u64,
        len: usize,
        mode: u8,
    ) -> Result<(), Stop> {
        self.gm_access(operand, address, len, Use::Atomic(mode))
    }

    fn gm_access(
        &mut self,
        operand: &'static str,
        address: u64,
        len: usize,
        sort: Use,
    ) -> Result<(), Stop> {
        if !self.launch.sanitize.hazards || len == 0 {
            return Ok(());
        }
        let span = self.launch.gm.span(operand, address, len as u64)?;
        if span.region.is_full() {
            return Ok(());
        }
        if self.launch.many {
            let since = self.line_of_load(address, sort);
            self.log.push(Logged {
                operand,
                start: address,
                len: len as u64,
                sort,
                lane: self.lane,
                count: self.order.issued[self.lane],
                pc: self.pc,
                heard: self.heard[self.lane].clone(),
                since,
            });
        }
        let mut at = address;
        let end = address + len as u64;
        while at < end {
            let stop = end.min((at / PAGE + 1) * PAGE);
            if let Some(conflict) = self.page_access(at, (stop - at) as usize, sort) {
                let write = sort != Use::Read;
                return Err(self.conflict(operand, Space::Gm, write, conflict));
            }
            at = stop;
        }
        self.cache_access(operand, (address, len), sort)
    }

    /// The first write to a range that is not among what was known, the scalar unit's own left out.
    pub(crate) fn written_since(
        &self,
        address: u64,
        len: usize,
        known: &Known,
    ) -> Option<Conflict> {
        // A scalar access is aligned, so it stays inside a page.
        let page = address / PAGE;
        let track = self.pages.pages.get(&page)?;
        let offset = (address % PAGE) as usize;
        let found = track.written_since(known, self.lane, offset, len)?;
        Some(Conflict {
            address: (page * PAGE) as usize + found.address,
            ..found
        })
    }

    fn page_access(&mut self, at: u64, len: usize, sort: Use) -> Option<Conflict> {
        let page = at / PAGE;
        let track = self
            .pages
            .pages
            .entry(page)
            .or_insert_with(|| Track::new(PAGE as usize));
        let (order, lane) = (&self.order, self.lane);
        let known = order.known[lane];
        let offset = (at % PAGE) as usize;
        let found = match sort {
            Use::Read | Use::Clean => track.read(order, &known, lane, offset, len),
            Use::Write => track.write(order, &known, lane, offset, len),
            Use::Atomic(_) => track.atomic(order, &known, lane, offset, len),
        };
        let base = (page * PAGE) as usize;
        found.map(|c| Conflict {
            address: base + c.address,
            ..c
        })
    }
}
