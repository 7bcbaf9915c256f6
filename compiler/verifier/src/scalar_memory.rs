//! Loads and stores of the scalar unit: order, values, and the lines of its data cache. One access at a time.

use isa::effects::ScalarAccess;
use isa::inst::{Dir, ScalarMem};
use isa::types::Space;

use crate::core::{Core, Target};
use crate::gm::Sort;
use crate::order::{SCALAR, STORES};
use crate::refusal::{Cached, Reason};
use crate::shape::Global;
use crate::work::{Stop, alone, piece, whole};
use crate::world::World;

impl Core {
    /// A load or a store of the scalar unit: what it may rely on and what it does.
    pub(crate) fn touch_scalar(
        &mut self,
        world: &mut World<'_>,
        access: &ScalarAccess,
    ) -> Result<Option<u64>, Stop> {
        let size = access.size.bytes();
        let unknown = self.regs.is_unknown(access.base);
        let address = access.address(&self.regs);
        if !unknown && !address.is_multiple_of(size) {
            return Err(alone(Reason::ControlFlow(
                "a scalar access that is not aligned",
            )));
        }
        let stores = access.dir == Dir::Out;
        let pc = self.pc;
        let (lane, count) = match stores {
            false => (SCALAR, self.begin(SCALAR, pc)),
            true => (STORES, self.begin_store(pc)),
        };
        let value = match access.mem {
            ScalarMem::Gm => {
                let use_ = Global {
                    operand: "base",
                    pointer: access.base,
                    writes: stores,
                    pieces: piece(Space::Gm, access.dir, 0, size),
                };
                if !unknown
                    && !stores
                    && let Some(word) = world.gm.parameter(address).filter(|_| size == 8)
                {
                    self.levels.pin(1 << access.base.index());
                    return Ok(Some(word));
                }
                // Nothing else has an alignment in global memory.
                self.levels.pin_but_for(access.base, size);
                let slopes = self.levels.of(access.base);
                let target = match unknown {
                    false => Target::Address(address, slopes),
                    true => self.target(world, &use_).map_err(alone)?,
                };
                let sort = if stores { Sort::Write } else { Sort::Read };
                self.touch_global(
                    (&mut world.gm, &mut world.trail),
                    &use_,
                    target,
                    (lane, count, pc, sort),
                )?;
                self.touch_line(&world.gm, target, (stores, pc))?;
                if !stores {
                    self.demand_global(&world.gm, target, size)?;
                }
                None
            }
            ScalarMem::Ub if unknown => {
                return Err(alone(Reason::Unknown(
                    "data decides a scalar's place in UB",
                )));
            }
            ScalarMem::Ub => {
                self.levels.pin(1 << access.base.index());
                if address + size > world.chip.space_bytes(Space::Ub) {
                    return Err(alone(Reason::OutOfBounds {
                        operand: "base",
                        address,
                        bytes: size,
                        nearest: "ub".to_owned(),
                    }));
                }
                self.touch_ub(world, access.dir, (address, size), (lane, count))?;
                None
            }
        };
        if stores {
            self.order.known[SCALAR][STORES] = self.order.issued[STORES];
        }
        Ok(value)
    }

    /// Stores complete in order among themselves and after the scalar unit's earlier reads.
    fn begin_store(&mut self, pc: u32) -> u32 {
        let now = self.begin(STORES, pc);
        let mut known = self.order.known[SCALAR];
        known[SCALAR] = self.order.issued[SCALAR];
        known[STORES] = now - 1;
        self.order.learn(STORES, &known);
        let heard = self.heard[SCALAR].clone();
        crate::cross::hear(&mut self.heard[STORES], &heard);
        now
    }

    fn touch_ub(
        &mut self,
        world: &mut World<'_>,
        dir: Dir,
        (address, size): (u64, u64),
        (lane, now): (usize, u32),
    ) -> Result<(), Stop> {
        // Order is kept by whole blocks: there are many places for single words, and buffers are blocks.
        let block = address / 32 * 32;
        let bytes = world.footprints.of(&piece(Space::Ub, dir, block, 32));
        let known = self.order.known[lane];
        if let Some(clash) = self
            .local
            .touch(&world.footprints, (bytes, dir), (lane, now), &known)
        {
            return Err(self.clash("base", Space::Ub, dir == Dir::Out, clash));
        }
        let (start, end) = (address as u32, (address + size) as u32);
        if dir == Dir::Out {
            if let Some(ranges) = &mut self.ranges {
                ranges.put(&world.footprints, bytes, None);
            }
            if !self.store_in_branch(start, end) {
                self.local.set(Space::Ub, start, end);
            }
            return Ok(());
        }
        match self.local.first_hole(Space::Ub, start, end) {
            Some(hole) => Err(alone(Reason::Uninitialised {
                operand: "base",
                space: Space::Ub,
                address: hole.into(),
                tensor: None,
            })),
            None => Ok(()),
        }
    }

    fn demand_global(&self, gm: &crate::gm::Global, target: Target, size: u64) -> Result<(), Stop> {
        let (region, span) = match target {
            Target::Address(at, _) => {
                let span = (at, at + size);
                (gm.span("base", span).map_err(alone)?, span)
            }
            Target::Region(region) => (region, whole(gm, region).span()),
        };
        if gm.is_input(region) {
            return Ok(());
        }
        match gm.hole(region, span) {
            Some(address) => Err(alone(gm.uninitialised("base", region, address))),
            None => Ok(()),
        }
    }

    /// Notes a scalar access to a line of the data cache, which must not be an old one. Inputs never change.
    fn touch_line(
        &mut self,
        gm: &crate::gm::Global,
        target: Target,
        (stores, pc): (bool, u32),
    ) -> Result<(), Stop> {
        let (region, address) = match target {
            Target::Address(at, _) => (gm.region_of(at), Some(at)),
            Target::Region(region) => (Some(region), None),
        };
        if region.is_none_or(|region| gm.is_input(region)) {
            return Ok(());
        }
        // Another round may touch other lines.
        self.levels.fail();
        if let Some(address) = address.filter(|_| stores) {
            self.cached.store(address, pc);
            return Ok(());
        }
        let line = address.map(|address| self.cached.line(address));
        let loaded = self.cached.load(line, pc);
        loaded.map_err(|by| (Reason::Cached(Cached::OldLine), Some(self.scalar_place(by))))
    }
}
