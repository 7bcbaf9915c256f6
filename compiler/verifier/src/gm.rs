//! Global memory: tensors where a launch puts them, which bytes hold values, and who used them last.
//!
//! Inputs are only read, so nothing is kept of them but their place. Of what may be written `blocks` keeps
//! who used which bytes last. Tensors are apart from each other, as the launch convention says; where
//! exactly they lie decides nothing. Knows no instructions.

use isa::effects::Access;
use isa::object::{KernelMeta, ParamDir};

use crate::blocks::Blocks;
use crate::cross::{Heard, heard_of};
use crate::order::Known;
use crate::refusal::{Reason, Verb};
use isa::types::Space;

/// Where the parameter block lies.
pub(crate) const PARAMETERS: u64 = 0x1000_0000;
/// Bytes between tensors.
const GUARD: u64 = 1 << 20;

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

    pub(crate) fn conflicts(&self, other: &Who) -> bool {
        let reads = |who: &Who| who.sort == Sort::Read;
        let alike = matches!(other.sort, Sort::Atomic(_)) && other.sort == self.who.sort;
        let same = other.core == self.who.core
            && other.lane == self.who.lane
            && other.count == self.who.count;
        let harmless = alike || same || reads(other) && reads(&self.who);
        !(harmless || self.follows(other))
    }
}

/// A tensor.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) dir: ParamDir,
    elem: u64,
    blocks: Blocks,
    /// Parts that groups have for themselves which are proved from another one.
    pub(crate) reserved: Vec<(u64, u64)>,
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
    pub(crate) users: Vec<Who>,
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
                ParamDir::Out | ParamDir::Work => len,
            };
            regions.push(Region {
                name: param.name.clone(),
                start,
                len,
                dir: param.dir,
                elem: param.elem.bytes(),
                blocks: Blocks::new(blocks)?,
                reserved: Vec::new(),
            });
        }
        let addresses = regions.iter().map(|region| region.start);
        let words = addresses.chain(sizes).collect();
        Some(Global {
            regions,
            words,
            users: Vec::new(),
        })
    }

    /// The region that an address points into, or just behind.
    pub(crate) fn region_of(&self, address: u64) -> Option<usize> {
        self.regions
            .iter()
            .position(|region| region.contains(address))
    }

    /// The addresses around one that point into the same region, or into none.
    pub(crate) fn around(&self, address: u64) -> (i64, i64) {
        if address > i64::MAX as u64 {
            return (i64::MIN, -1);
        }
        if let Some(region) = self.region_of(address) {
            let region = &self.regions[region];
            return (region.start as i64, (region.start + region.len) as i64);
        }
        let ends = self.regions.iter().map(|region| region.start + region.len);
        let below = ends.filter(|&end| end < address).max();
        let starts = self.regions.iter().map(|region| region.start);
        let above = starts.filter(|&start| start > address).min();
        (
            below.map_or(i64::MIN, |end| end as i64 + 1),
            above.map_or(i64::MAX, |start| start as i64 - 1),
        )
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

    /// The region that holds all of an access, moved to an address.
    pub(crate) fn within(
        &self,
        operand: &'static str,
        pieces: &Access,
        at: u64,
    ) -> Result<usize, Reason> {
        self.span(operand, crate::work::moved(pieces, at).span())
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
        let meets = |part: &(u64, u64)| part.0 < end - base && start - base < part.1;
        if self.regions[region].reserved.iter().any(meets) {
            let what = "groups of cores that share scratch memory";
            return Err((Reason::Unknown(what), None));
        }
        let touched = self.regions[region].blocks.touch(
            &self.users,
            (user, number),
            (start - base, end - base),
        );
        match touched {
            Some((bytes, other)) => Err(self.race(user, region, bytes, other)),
            None => Ok(()),
        }
    }

    /// Whether somebody has used a part of a region.
    pub(crate) fn is_used(&self, region: usize, (start, end): (u64, u64)) -> bool {
        let region = &self.regions[region];
        let meets = |part: &(u64, u64)| part.0 < end && start < part.1;
        region.reserved.iter().any(meets) || region.blocks.is_used((start, end))
    }

    fn race(&self, user: &User<'_>, region: usize, bytes: (u64, u64), other: Who) -> Wrong {
        let verb = |sort: Sort| match sort {
            Sort::Read => Verb::Reads,
            Sort::Write | Sort::Atomic(_) => Verb::Writes,
        };
        let reason = Reason::Race {
            operand: user.operand,
            verb: verb(user.who.sort),
            space: Space::Gm,
            bytes,
            tensor: Some(self.regions[region].name.clone()),
            other: verb(other.sort),
        };
        (reason, Some(other))
    }

    /// The first byte of a range of a region that may be written that holds no value.
    pub(crate) fn hole(&self, region: usize, (start, end): (u64, u64)) -> Option<u64> {
        let region = &self.regions[region];
        region
            .blocks
            .hole((start - region.start, end - region.start))
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
