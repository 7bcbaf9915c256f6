//! Global memory: tensors where a launch puts them, which bytes hold values, and who used them last.
//!
//! Inputs are only read, so nothing is kept of them but their place. Of what may be written each block of 32 bytes keeps
//! who wrote it and who has read it since. Tensors are apart from each other, as the launch convention says; where
//! exactly they lie decides nothing. Knows no instructions.

use isa::object::{KernelMeta, ParamDir};

use crate::bits::mask;
use crate::cross::{Heard, heard_of};
use crate::order::Known;
use crate::refusal::{Reason, Verb};
use isa::types::Space;

/// Where the parameter block lies.
pub(crate) const PARAMETERS: u64 = 0x1000_0000;
/// Bytes between tensors.
const GUARD: u64 = 1 << 20;
const BLOCK: u64 = 32;

/// How global memory is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Read,
    Write,
    /// An atomic store in that mode; those of one mode need no order among themselves.
    Atomic(u8),
}

/// A piece of work of a core, as others see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) core: u32,
    pub(crate) lane: u8,
    pub(crate) count: u32,
    pub(crate) pc: u32,
    pub(crate) sort: Sort,
}

/// Who uses global memory, and what it knows.
pub(crate) struct User<'a> {
    pub(crate) who: Who,
    pub(crate) known: &'a Known,
    pub(crate) heard: &'a Heard,
    pub(crate) operand: &'static str,
}

impl User<'_> {
    /// Whether an earlier use is known to be over.
    fn follows(&self, other: &Who) -> bool {
        let lane = usize::from(other.lane);
        if other.core == self.who.core {
            let in_order = other.lane == self.who.lane && other.sort == Sort::Read;
            return in_order || self.known[lane] >= other.count;
        }
        let told = heard_of(self.heard, other.core);
        told.is_some_and(|counts| counts[lane] >= other.count)
    }

    fn conflicts(&self, other: &Who) -> bool {
        let reads = |who: &Who| who.sort == Sort::Read;
        let alike = matches!(other.sort, Sort::Atomic(_)) && other.sort == self.who.sort;
        let same = other.core == self.who.core
            && other.lane == self.who.lane
            && other.count == self.who.count;
        let harmless = alike || same || reads(other) && reads(&self.who);
        !(harmless || self.follows(other))
    }
}

/// What is kept of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Which bytes hold values.
    set: u32,
    /// Who wrote all of it last, one more than its index; 0 for nobody.
    writer: u32,
    /// The first of a list of others: readers, atomic stores, writers of parts; one more than its index.
    others: u32,
}

/// A use of some bytes of a block.
#[derive(Clone, Copy, Debug)]
struct Other {
    who: u32,
    bits: u32,
    next: u32,
}

/// A tensor.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) dir: ParamDir,
    elem: u64,
    blocks: Vec<Block>,
}

impl Region {
    fn contains(&self, address: u64) -> bool {
        address >= self.start && address <= self.start + self.len
    }
}

/// All of global memory.
#[derive(Debug)]
pub(crate) struct Global {
    pub(crate) regions: Vec<Region>,
    /// The words of the parameter block.
    pub(crate) words: Vec<u64>,
    users: Vec<Who>,
    others: Vec<Other>,
}

/// What is wrong with a use, and who the other side is.
pub(crate) type Wrong = (Reason, Option<Who>);

impl Global {
    /// Lays the tensors out; none if they are larger than any memory.
    pub(crate) fn new(kernel: &KernelMeta) -> Option<Global> {
        let mut regions: Vec<Region> = Vec::new();
        let sizes: Vec<u64> = kernel.launch_words().collect();
        let words = kernel.params.len() + sizes.len();
        let mut next = PARAMETERS + (words as u64) * 8 + GUARD;
        for param in &kernel.params {
            let len = param.bytes().filter(|&bytes| bytes < 1 << 40)?;
            let start = next.next_multiple_of(512);
            next = start + len + GUARD;
            let blocks = match param.dir {
                ParamDir::In => 0,
                ParamDir::Out | ParamDir::Work => len.div_ceil(BLOCK),
            };
            regions.push(Region {
                name: param.name.clone(),
                start,
                len,
                dir: param.dir,
                elem: param.elem.bytes(),
                blocks: vec![Block::default(); usize::try_from(blocks).ok()?],
            });
        }
        let addresses = regions.iter().map(|region| region.start);
        let words = addresses.chain(sizes).collect();
        Some(Global {
            regions,
            words,
            users: Vec::new(),
            others: Vec::new(),
        })
    }

    /// The region that an address points into, or just behind.
    pub(crate) fn region_of(&self, address: u64) -> Option<usize> {
        self.regions
            .iter()
            .position(|region| region.contains(address))
    }

    /// The word of the parameter block at an address.
    pub(crate) fn parameter(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(PARAMETERS)?;
        let word = usize::try_from(offset / 8).ok()?;
        self.words.get(word).copied().filter(|_| offset % 8 == 0)
    }

    /// The region that holds all of a span.
    pub(crate) fn span(
        &self,
        operand: &'static str,
        (start, end): (u64, u64),
    ) -> Result<usize, Reason> {
        let holds = |region: &Region| start >= region.start && end <= region.start + region.len;
        if let Some(region) = self.regions.iter().position(holds) {
            return Ok(region);
        }
        let before = self.regions.iter().rfind(|region| region.start <= start);
        let nearest = match before {
            None => "every tensor".to_owned(),
            Some(region) => format!("`{}`, which has {} bytes", region.name, region.len),
        };
        Err(Reason::OutOfBounds {
            operand,
            address: before.map_or(start, |region| start - region.start),
            bytes: end.saturating_sub(start),
            nearest,
        })
    }

    /// Refuses to write an input.
    pub(crate) fn writable(&self, operand: &'static str, region: usize) -> Result<(), Reason> {
        match self.regions[region].dir {
            ParamDir::In => Err(Reason::ReadOnly {
                operand,
                tensor: self.regions[region].name.clone(),
            }),
            ParamDir::Out | ParamDir::Work => Ok(()),
        }
    }

    /// Whether its bytes are the caller's, so that they hold values and nobody writes them.
    pub(crate) fn is_input(&self, region: usize) -> bool {
        self.regions[region].dir == ParamDir::In
    }

    /// Enters a piece of work; its number is for [`Global::touch`].
    pub(crate) fn enter(&mut self, who: Who) -> u32 {
        self.users.push(who);
        self.users.len() as u32
    }

    /// A use of a range of a region that may be written.
    pub(crate) fn touch(
        &mut self,
        (user, number): (&User<'_>, u32),
        region: usize,
        (start, end): (u64, u64),
    ) -> Result<(), Wrong> {
        let base = self.regions[region].start;
        let mut at = start - base;
        let end = end - base;
        while at < end {
            let block = at / BLOCK;
            let stop = end.min((block + 1) * BLOCK);
            let bits = mask((at % BLOCK) as u32, (stop - block * BLOCK) as u32);
            if let Some(other) = self.block(user, number, (region, block as usize), bits) {
                return Err(self.race(user, region, (at + base, stop + base), other));
            }
            at = stop;
        }
        Ok(())
    }

    fn race(&self, user: &User<'_>, region: usize, bytes: (u64, u64), other: Who) -> Wrong {
        let verb = |sort: Sort| match sort {
            Sort::Read => Verb::Reads,
            Sort::Write | Sort::Atomic(_) => Verb::Writes,
        };
        let base = self.regions[region].start;
        let reason = Reason::Race {
            operand: user.operand,
            verb: verb(user.who.sort),
            space: Space::Gm,
            bytes: (bytes.0 - base, bytes.1 - base),
            tensor: Some(self.regions[region].name.clone()),
            other: verb(other.sort),
        };
        (reason, Some(other))
    }

    /// A use of some bytes of a block; the earlier one that it conflicts with.
    fn block(
        &mut self,
        user: &User<'_>,
        number: u32,
        (region, block): (usize, usize),
        bits: u32,
    ) -> Option<Who> {
        let entry = self.regions[region].blocks[block];
        if entry.writer != 0 && entry.writer != number {
            let writer = self.users[entry.writer as usize - 1];
            if user.conflicts(&writer) {
                return Some(writer);
            }
        }
        let mut next = entry.others;
        let mut mine = 0;
        while next != 0 {
            let other = self.others[next as usize - 1];
            let who = self.users[other.who as usize - 1];
            if other.bits & bits != 0 && user.conflicts(&who) {
                return Some(who);
            }
            let same = who.core == user.who.core && who.lane == user.who.lane;
            if same && who.sort == user.who.sort {
                mine = next;
            }
            next = other.next;
        }
        self.note(user, number, (region, block), (bits, mine));
        None
    }

    fn note(
        &mut self,
        user: &User<'_>,
        number: u32,
        (region, block): (usize, usize),
        (bits, mine): (u32, u32),
    ) {
        let region = &mut self.regions[region];
        let entry = &mut region.blocks[block];
        let writes = user.who.sort != Sort::Read;
        let tail = region.len - (block as u64) * BLOCK;
        let whole =
            tail >= BLOCK && bits == u32::MAX || tail < BLOCK && bits == mask(0, tail as u32);
        if writes {
            entry.set |= bits;
        }
        if user.who.sort == Sort::Write && whole {
            // All others come before it, so who follows it follows them.
            entry.writer = number;
            entry.others = 0;
            return;
        }
        if mine != 0 {
            let other = &mut self.others[mine as usize - 1];
            other.who = number;
            other.bits |= bits;
            return;
        }
        self.others.push(Other {
            who: number,
            bits,
            next: entry.others,
        });
        entry.others = self.others.len() as u32;
    }

    /// The first byte of a range of a region that may be written that holds no value.
    pub(crate) fn hole(&self, region: usize, (start, end): (u64, u64)) -> Option<u64> {
        let region = &self.regions[region];
        let (mut at, end) = (start - region.start, end - region.start);
        while at < end {
            let block = at / BLOCK;
            let stop = end.min((block + 1) * BLOCK);
            let bits = mask((at % BLOCK) as u32, (stop - block * BLOCK) as u32);
            let missing = bits & !region.blocks[block as usize].set;
            if missing != 0 {
                return Some(block * BLOCK + u64::from(missing.trailing_zeros()));
            }
            at = stop;
        }
        None
    }

    /// Whether a byte of a region holds a value.
    pub(crate) fn has_value(&self, region: usize, address: u64) -> bool {
        self.is_input(region) || self.hole(region, (address, address + 1)).is_none()
    }

    /// The refusal of a byte of a region without a value.
    pub(crate) fn uninitialised(
        &self,
        operand: &'static str,
        region: usize,
        address: u64,
    ) -> Reason {
        Reason::Uninitialised {
            operand,
            space: Space::Gm,
            address,
            tensor: Some(self.regions[region].name.clone()),
        }
    }

    /// The first result that is not written completely.
    pub(crate) fn unwritten(&self) -> Option<Reason> {
        let results = self.regions.iter().enumerate();
        for (number, region) in results.filter(|(_, region)| region.dir == ParamDir::Out) {
            let all = (region.start, region.start + region.len);
            if let Some(byte) = self.hole(number, all) {
                return Some(Reason::OutputUnwritten {
                    tensor: region.name.clone(),
                    element: byte / region.elem.max(1),
                });
            }
        }
        None
    }
}
