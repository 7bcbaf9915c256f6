//! A list of what instructions have accessed, for whoever watches memory.

use isa::effects::Access;
use isa::inst::Inst;

use super::late::is_small;
use super::{Core, Halt};

/// An access of an instruction that has been executed.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) pc: u32,
    pub(crate) access: Access,
}

impl Core<'_> {
    /// Begins to list accesses.
    pub(crate) fn watch_accesses(&mut self) {
        self.seen_accesses.get_or_insert_default();
        self.plain = false;
    }

    /// Runs `execute`, the instruction, and lists what it accesses.
    pub(super) fn execute_seen(
        &mut self,
        inst: &Inst,
        execute: impl FnOnce(&mut Self) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        if self.seen_accesses.is_none() {
            return execute(self);
        }
        let (pc, effects) = (self.pc, inst.effects(&self.context));
        execute(self)?;
        if let Some(list) = &mut self.seen_accesses {
            let small = effects.into_iter().filter(is_small);
            list.extend(small.map(|access| Seen { pc, access }));
        }
        Ok(())
    }
}
