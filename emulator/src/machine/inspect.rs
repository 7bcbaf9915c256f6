//! A machine from outside: cores, registers, memories, queues, flags and counters. Looking changes nothing.

use isa::inst::{Lanes, Reg, Regs, Spr};
use isa::object::ParamMeta;
use isa::types::{Pipe, Space};

use super::Machine;
use crate::core::Core;
use crate::fault::{CoreId, Wait};

/// What a change from outside adds to the count of changes, so that no run comes to the same count.
const OUTSIDE: u64 = 1 << 40;

/// Bytes of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// What is there; zero where nothing has been written.
    pub bytes: Vec<u8>,
    /// Whether each byte holds a value.
    pub set: Vec<bool>,
}

/// A tensor in global memory.
#[derive(Copy, Clone, Debug)]
pub struct Tensor<'m> {
    /// Its name, type and shape.
    pub meta: &'m ParamMeta,
    /// Its first address.
    pub address: u64,
}

impl<'s> Machine<'s> {
    /// The cores of the launch, in order.
    pub fn cores(&self) -> impl Iterator<Item = CoreId> {
        self.cores.iter().map(|core| core.id)
    }

    /// The core whose turn it is, where the order says so.
    pub fn turn(&self) -> Option<CoreId> {
        let at = match &self.adversary {
            None => self.round.turn.min(self.cores.len().saturating_sub(1)),
            Some(adversary) => adversary.current(),
        };
        self.cores.get(at).map(|core| core.id)
    }

    pub(super) fn core(&self, id: CoreId) -> Option<&Core<'s>> {
        self.cores.iter().find(|core| core.id == id)
    }

    /// Where the scalar unit of a core goes next; none if its program has ended, or for a core that does not run.
    pub fn pc(&self, core: CoreId) -> Option<u32> {
        let core = self.core(core)?;
        (!core.ended).then_some(core.next as u32)
    }

    /// A general register, as the scalar unit has it.
    pub fn register(&self, core: CoreId, reg: Reg) -> Option<u64> {
        Some(self.core(core)?.context.reg(reg))
    }

    /// A special register.
    pub fn special(&self, core: CoreId, spr: Spr) -> Option<u64> {
        Some(self.core(core)?.context.spr(spr))
    }

    /// The lanes that vector instructions process.
    pub fn lanes(&self, core: CoreId) -> Option<Lanes> {
        Some(self.core(core)?.context.lanes())
    }

    /// Changes a general register; false if there is no such core.
    pub fn set_register(&mut self, core: CoreId, reg: Reg, value: u64) -> bool {
        let found = self.cores.iter_mut().find(|known| known.id == core);
        found.is_some_and(|core| {
            core.context.x[reg.index()] = value;
            core.version += OUTSIDE;
            true
        })
    }

    /// The tensors, in the order of the parameters.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        let params = self.setup.object.kernel.params.iter();
        let addresses = self.setup.tensors.iter();
        params.zip(addresses).map(|(meta, &region)| Tensor {
            meta,
            address: self.setup.gm.region(region).start,
        })
    }

    /// The bytes of a range; none if the memory does not hold all of it. Any core will do for global memory.
    pub fn read(&self, core: CoreId, space: Space, address: u64, len: usize) -> Option<Bytes> {
        let mut bytes = vec![0; len];
        if space == Space::Gm {
            let span = self.setup.gm.span("", address, len as u64).ok()?;
            span.region.read(span.offset, &mut bytes);
            let set = (0..len).map(|at| span.region.bits(span.offset + at, 1) != 0);
            let set = set.collect();
            return Some(Bytes { bytes, set });
        }
        let memory = &self.core(core)?.memories[space as usize];
        let start = usize::try_from(address).ok()?;
        bytes.copy_from_slice(memory.bytes.get(start..start.checked_add(len)?)?);
        let set = (start..start + len).map(|at| memory.shadow.first_unset(at, 1).is_none());
        let set = set.collect();
        Some(Bytes { bytes, set })
    }

    /// Writes bytes, which hold values then; false if the memory does not hold all of the range, or is an input.
    pub fn write(&mut self, core: CoreId, space: Space, address: u64, data: &[u8]) -> bool {
        if space == Space::Gm {
            let span = self.setup.gm.span("", address, data.len() as u64);
            return span.is_ok_and(|span| {
                if span.region.is_full() {
                    return false;
                }
                span.region.write(span.offset, data);
                span.region.set(span.offset, data.len());
                true
            });
        }
        let image = matches!(space, Space::L0a | Space::L0b);
        let Some(core) = self.cores.iter_mut().find(|known| known.id == core) else {
            return false;
        };
        let memory = &mut core.memories[space as usize];
        let inside = memory.inside("", address, data.len() as u64);
        // The cube reads L0A and L0B as they were packed; nobody but a load writes them.
        let Ok(at) = inside
            .map_err(drop)
            .and_then(|at| (!image).then_some(at).ok_or(()))
        else {
            return false;
        };
        memory.bytes[at..at + data.len()].copy_from_slice(data);
        memory.shadow.set(at, data.len());
        memory.touch(at + data.len());
        core.version += OUTSIDE;
        true
    }

    /// The instructions that wait in a queue of a core, the next one first.
    pub fn queue(&self, core: CoreId, pipe: Pipe) -> Vec<u32> {
        self.core(core)
            .map_or(Vec::new(), |core| core.queued(pipe).collect())
    }

    /// The flags of a core that are set: who sets, who waits, and the number.
    pub fn flags(&self, core: CoreId) -> Vec<(Pipe, Pipe, u8)> {
        self.core(core).map_or(Vec::new(), Core::set_flags)
    }

    /// The cross-core counters of a core.
    pub fn counters(&self, core: CoreId) -> [u32; 16] {
        self.core(core).map_or([0; 16], |core| core.counters)
    }

    /// What the blocked queues of a core wait for.
    pub fn waits(&self, core: CoreId) -> Vec<Wait> {
        // Asking tries the heads of the queues once more, so a copy is asked.
        self.core(core)
            .map_or(Vec::new(), |core| core.clone().waits())
    }

    /// Steps since the launch.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
