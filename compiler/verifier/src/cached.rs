//! What a core's scalar data cache may hide: old bytes in a line that is there, and stores that are not written back.
//!
//! A line is taken to be there from the scalar unit's first access to it until a `dcci`. It can only be old if the scalar
//! unit has waited for somebody since it came, because what nobody waited for is a race already; so loads from such lines
//! are refused, whoever wrote. Knows no addresses but those of lines.

use std::collections::BTreeMap;

use isa::chip::Chip;

/// Bytes that stores are told apart by: those of the largest.
const WORD: u64 = 8;
/// No `dcci` yet.
const NEVER: u32 = u32::MAX;

/// The lines of one core, by their number; `None` stands for lines that data chooses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    bytes: u64,
    /// The instruction that brought each, and whether the scalar unit has waited since.
    here: BTreeMap<Option<u64>, (u32, bool)>,
    /// Words of [`WORD`] bytes with stores: the latest one, and the count of the `dcci` that wrote it back.
    kept: BTreeMap<u64, (u32, u32)>,
}

impl Lines {
    /// None yet, on a chip.
    pub(crate) fn new(chip: &Chip) -> Lines {
        Lines {
            bytes: chip.scalar.cache_line.max(1),
            here: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Begins again.
    pub(crate) fn clear(&mut self) {
        self.here.clear();
        self.kept.clear();
    }

    /// The line of an address.
    pub(crate) fn line(&self, address: u64) -> u64 {
        address / self.bytes
    }

    /// The scalar unit has waited for somebody.
    pub(crate) fn wait(&mut self) {
        for (_, waited) in self.here.values_mut() {
            *waited = true;
        }
    }

    /// A load; an error is the instruction that brought a line that may be old.
    pub(crate) fn load(&mut self, line: Option<u64>, pc: u32) -> Result<(), u32> {
        let old = |&(_, &(_, waited)): &(&Option<u64>, &(u32, bool))| waited;
        let found = match line {
            Some(_) => {
                let lines = self.here.iter();
                let mut same = lines.filter(|&(&known, _)| known == line || known.is_none());
                same.find(old)
            }
            None => self.here.iter().find(old),
        };
        if let Some((_, &(by, _))) = found {
            return Err(by);
        }
        self.here.entry(line).or_insert((pc, false));
        Ok(())
    }

    /// A store.
    pub(crate) fn store(&mut self, address: u64, pc: u32) {
        let line = Some(self.line(address));
        self.here.entry(line).or_insert((pc, false));
        self.kept.insert(address / WORD, (pc, NEVER));
    }

    /// A `dcci` of one line, or of all.
    pub(crate) fn clean(&mut self, line: Option<u64>, count: u32) {
        let cleaned = |known: &Option<u64>| line.is_none() || *known == line;
        self.here.retain(|known, _| !cleaned(known));
        for (word, (_, back)) in &mut self.kept {
            if cleaned(&Some(word * WORD / self.bytes)) {
                *back = (*back).min(count);
            }
        }
    }

    /// Whether there were stores.
    pub(crate) fn has_stores(&self) -> bool {
        !self.kept.is_empty()
    }

    /// A store to a word of these bytes that was not written back, as far as somebody knows; its instruction.
    pub(crate) fn hidden(&self, (start, end): (u64, u64), knows: u32) -> Option<u32> {
        if self.kept.is_empty() {
            return None;
        }
        let words = start / WORD..=end.saturating_sub(1) / WORD;
        let unseen = |&(_, back): &&(u32, u32)| *back == NEVER || *back > knows;
        let mut kept = self.kept.range(words).map(|(_, kept)| kept);
        kept.find(unseen).map(|&(pc, _)| pc)
    }

    /// What may be there either way.
    pub(crate) fn join(&mut self, other: &Lines) {
        for (&line, &(pc, waited)) in &other.here {
            let mine = self.here.entry(line).or_insert((pc, waited));
            mine.1 |= waited;
        }
        for (&word, &(pc, back)) in &other.kept {
            let mine = self.kept.entry(word).or_insert((pc, back));
            mine.1 = mine.1.max(back);
        }
    }
}
