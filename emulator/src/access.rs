//! What every access to a local memory goes through: values where they are used, and order against other queues.

use isa::types::Space;

use crate::core::Core;
use crate::fault::{FaultKind, OtherAccess, Stop};
use crate::hazard::{self, Known};

impl Core<'_> {
    /// Notes a read of a range that lies inside, and demands values there if the caller uses them.
    #[inline]
    pub(crate) fn reads(
        &mut self,
        operand: &'static str,
        space: Space,
        at: usize,
        len: usize,
        use_values: bool,
    ) -> Result<(), Stop> {
        if use_values && self.launch.sanitize.uninit {
            self.memories[space as usize].demand(operand, at, len)?;
        }
        if self.launch.sanitize.hazards {
            let known = self.order.known[self.lane];
            let found = self.tracks[space as usize].read(&self.order, &known, self.lane, at, len);
            if let Some(conflict) = found {
                return Err(self.conflict(operand, space, false, conflict));
            }
        }
        Ok(())
    }

    /// Notes a write of a range that lies inside.
    #[inline]
    pub(crate) fn writes(
        &mut self,
        operand: &'static str,
        space: Space,
        at: usize,
        len: usize,
    ) -> Result<(), Stop> {
        if !self.launch.sanitize.hazards {
            return Ok(());
        }
        let known = self.order.known[self.lane];
        self.writes_knowing(operand, space, at, len, &known)
    }

    /// As [`Core::writes`], where the lane knows more than usual about its own work.
    pub(crate) fn writes_knowing(
        &mut self,
        operand: &'static str,
        space: Space,
        at: usize,
        len: usize,
        known: &Known,
    ) -> Result<(), Stop> {
        if self.launch.sanitize.hazards {
            let found = self.tracks[space as usize].write(&self.order, known, self.lane, at, len);
            if let Some(conflict) = found {
                return Err(self.conflict(operand, space, true, conflict));
            }
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn conflict(
        &self,
        operand: &'static str,
        space: Space,
        write: bool,
        conflict: hazard::Conflict,
    ) -> Stop {
        Box::new(FaultKind::Unordered {
            operand,
            space,
            address: conflict.address as u64,
            pipe: hazard::lane_pipe(self.lane),
            write,
            other: Box::new(OtherAccess {
                core: self.id,
                pipe: hazard::lane_pipe(conflict.lane),
                write: conflict.write,
                pc: self.order.pc_of(conflict.lane, conflict.count),
            }),
        })
    }
}
