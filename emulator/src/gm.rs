//! Global memory: the parameter block, the tensors and the workspace, shared by all cores of a run.
//!
//! Bytes are atomics used with relaxed order (see `shared`), so that cores on different host threads may share them; a
//! program without unordered conflicts gives the same bytes whatever the threads do. Every region stands alone in the
//! address space with a gap behind it, so that an access beyond a tensor is found and not read as the next one.

mod shared;

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use isa::types::Space;

use crate::fault::{FaultKind, Stop};
use crate::memory::{byte_mask, for_blocks};

/// Where the parameter block starts; anything but zero, so that a null address is a fault.
const FIRST_ADDRESS: u64 = 0x1000_0000;
/// Alignment of a region: one line of L2.
const REGION_ALIGN: u64 = 512;
/// Unmapped bytes behind a region.
const GUARD: u64 = 1 << 20;

/// One contiguous piece of global memory.
#[derive(Debug)]
pub(crate) struct Region<'a> {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) len: u64,
    /// Whether the program may not write it: a parameter that is only read.
    read_only: bool,
    /// The bytes of an input, which stay with the caller.
    fixed: Option<&'a [u8]>,
    bytes: Vec<AtomicU8>,
    /// Whether each byte holds a value, 32 in a word; empty if nobody asks.
    shadow: Vec<AtomicU32>,
}

/// A copy of a region's bytes and of which hold values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    shadow: Vec<u32>,
}

/// A checked range inside a region.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Span<'g> {
    pub(crate) region: &'g Region<'g>,
    pub(crate) offset: usize,
}

/// All of global memory.
#[derive(Debug)]
pub(crate) struct Global<'a> {
    regions: Vec<Region<'a>>,
    /// Whether anybody asks which bytes hold values.
    watched: bool,
}

impl<'a> Global<'a> {
    /// Nothing yet.
    pub(crate) fn new(watched: bool) -> Global<'a> {
        Global {
            regions: Vec::new(),
            watched,
        }
    }

    /// Adds a region of `len` bytes without values and returns its number.
    pub(crate) fn add(&mut self, name: &str, len: u64, read_only: bool) -> usize {
        let blocks = match self.watched {
            true => len.div_ceil(32) as usize,
            false => 0,
        };
        let shadow = vec![0; blocks].into_iter().map(AtomicU32::new).collect();
        self.push(name, len, read_only, shared::zeros(len as usize), shadow)
    }

    /// Adds a region that has addresses and no bytes, and returns its number.
    pub(crate) fn add_bare(&mut self, name: &str, len: u64, read_only: bool) -> usize {
        self.push(name, len, read_only, Vec::new(), Vec::new())
    }

    /// Adds an input, whose bytes are read where they are, and returns its number.
    pub(crate) fn add_input(&mut self, name: &str, data: &'a [u8]) -> usize {
        let number = self.push(name, data.len() as u64, true, Vec::new(), Vec::new());
        self.regions[number].fixed = Some(data);
        number
    }

    fn push(
        &mut self,
        name: &str,
        len: u64,
        read_only: bool,
        bytes: Vec<AtomicU8>,
        shadow: Vec<AtomicU32>,
    ) -> usize {
        self.regions.push(Region {
            name: name.to_owned(),
            start: self.next_start(),
            len,
            read_only,
            fixed: None,
            bytes,
            shadow,
        });
        self.regions.len() - 1
    }

    fn next_start(&self) -> u64 {
        match self.regions.last() {
            None => FIRST_ADDRESS,
            Some(r) => (r.start + r.len + GUARD).next_multiple_of(REGION_ALIGN),
        }
    }

    /// Every region, in the order of addresses.
    pub(crate) fn regions(&self) -> &[Region<'a>] {
        &self.regions
    }

    pub(crate) fn region(&self, number: usize) -> &Region<'a> {
        &self.regions[number]
    }

    /// Takes the bytes of a region out of it; none of an input, which are the caller's.
    pub(crate) fn take(&mut self, number: usize) -> Vec<u8> {
        shared::into_bytes(std::mem::take(&mut self.regions[number].bytes))
    }

    /// First address of all and the address behind the last.
    pub(crate) fn extent(&self) -> (u64, u64) {
        let end = self
            .regions
            .last()
            .map_or(FIRST_ADDRESS, |r| r.start + r.len);
        (FIRST_ADDRESS, end)
    }

    /// Finds the region that holds all of an access.
    pub(crate) fn span(
        &self,
        operand: &'static str,
        address: u64,
        bytes: u64,
    ) -> Result<Span<'_>, Stop> {
        let holder = self.regions.iter().find(|r| {
            address >= r.start
                && address
                    .checked_add(bytes)
                    .is_some_and(|e| e <= r.start + r.len)
        });
        match holder {
            Some(region) => Ok(Span {
                region,
                offset: (address - region.start) as usize,
            }),
            None => Err(self.outside(operand, address, bytes)),
        }
    }

    /// The fault of an access that no region holds.
    #[cold]
    fn outside(&self, operand: &'static str, address: u64, bytes: u64) -> Stop {
        let before = self.regions.iter().rfind(|r| r.start <= address);
        let nearest = match before {
            None => "every tensor".to_owned(),
            Some(r) => format!(
                "`{}`, which has {} bytes (the access starts at byte {})",
                r.name,
                r.len,
                address - r.start
            ),
        };
        Box::new(FaultKind::OutOfBounds {
            operand,
            space: Space::Gm,
            address,
            bytes,
            nearest,
        })
    }
}

impl Region<'_> {
    /// Refuses to write what is only read.
    pub(crate) fn writable(
        &self,
        operand: &'static str,
        address: u64,
        bytes: u64,
    ) -> Result<(), Stop> {
        match self.read_only {
            false => Ok(()),
            true => Err(Box::new(FaultKind::OutOfBounds {
                operand,
                space: Space::Gm,
                address,
                bytes,
                nearest: format!("what may be written: `{}` is an input", self.name),
            })),
        }
    }

    /// The bytes of a range, if they can be lent out: those of an input.
    pub(crate) fn lend(&self, offset: usize, len: usize) -> Option<&[u8]> {
        self.fixed.map(|bytes| &bytes[offset..offset + len])
    }

    /// Whether it has bytes: a region of a run without values has none.
    pub(crate) fn has_bytes(&self) -> bool {
        self.fixed.is_some() || !self.bytes.is_empty()
    }

    /// Whether the program may not write it, so that every byte has had its value since before the launch.
    pub(crate) fn is_full(&self) -> bool {
        self.read_only
    }

    /// Whether anybody asks which of its bytes hold values.
    pub(crate) fn is_watched(&self) -> bool {
        !self.shadow.is_empty()
    }

    /// Copies bytes out of the region.
    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) {
        match self.fixed {
            Some(bytes) => out.copy_from_slice(&bytes[offset..offset + out.len()]),
            None => shared::load(&self.bytes[offset..offset + out.len()], out),
        }
    }

    /// Copies bytes into the region; the shadow is the caller's business.
    pub(crate) fn write(&self, offset: usize, data: &[u8]) {
        debug_assert!(self.fixed.is_none(), "`writable` has refused inputs");
        shared::store(&self.bytes[offset..offset + data.len()], data);
    }

    /// Marks bytes as holding a value.
    pub(crate) fn set(&self, offset: usize, len: usize) {
        if !self.is_watched() {
            return;
        }
        for_blocks(offset, len, |block, bits| {
            if bits == u32::MAX {
                self.shadow[block].store(u32::MAX, Relaxed);
            } else {
                self.shadow[block].fetch_or(bits, Relaxed);
            }
        });
    }

    /// Sets and clears up to 32 bytes inside one block after a pattern whose bit 0 is the first.
    pub(crate) fn put_bits(&self, offset: usize, len: usize, bits: u32) {
        if !self.is_watched() {
            return;
        }
        for_blocks(offset, len, |block, mask| {
            let piece = bits << mask.trailing_zeros() & mask;
            let merged = |old: u32| Some(old & !mask | piece);
            // The closure never refuses, so the result carries no information.
            let _ = self.shadow[block].fetch_update(Relaxed, Relaxed, merged);
        });
    }

    /// The first byte of a range without a value.
    pub(crate) fn first_unset(&self, offset: usize, len: usize) -> Option<usize> {
        if !self.is_watched() {
            return None;
        }
        let mut found = None;
        for_blocks(offset, len, |block, bits| {
            let missing = bits & !self.shadow[block].load(Relaxed);
            if missing != 0 && found.is_none() {
                found = Some(block * 32 + missing.trailing_zeros() as usize);
            }
        });
        found
    }

    /// The shadow bits of up to 32 bytes from any address, the first in bit 0.
    pub(crate) fn bits(&self, offset: usize, len: usize) -> u32 {
        if !self.is_watched() {
            return byte_mask(0, len);
        }
        let shift = offset % 32;
        let low = u64::from(self.shadow[offset / 32].load(Relaxed));
        let high = match shift + len > 32 {
            true => u64::from(self.shadow[offset / 32 + 1].load(Relaxed)),
            false => 0,
        };
        (((high << 32 | low) >> shift) as u32) & byte_mask(0, len)
    }

    /// A copy of what the program may change; none of an input.
    pub(crate) fn image(&self) -> Option<Image> {
        let shadow = self.shadow.iter().map(|bits| bits.load(Relaxed)).collect();
        (!self.read_only).then(|| Image {
            bytes: self.to_vec(),
            shadow,
        })
    }

    /// Makes the region what it was when the copy was taken of it.
    pub(crate) fn restore(&self, image: &Image) {
        self.write(0, &image.bytes);
        for (bits, &value) in self.shadow.iter().zip(&image.shadow) {
            bits.store(value, Relaxed);
        }
    }

    /// A copy of the bytes that the program may change.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; self.bytes.len()];
        self.read(0, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_and_length_round_trips() {
        let mut gm = Global::new(true);
        let number = gm.add("x", 100, false);
        let region = gm.region(number);
        for offset in 0..20 {
            for len in 0..40 {
                let data: Vec<u8> = (0..len).map(|i| (i * 7 + offset) as u8).collect();
                region.write(offset, &data);
                let mut back = vec![0; len];
                region.read(offset, &mut back);
                assert_eq!(back, data, "offset {offset} length {len}");
            }
        }
    }

    #[test]
    fn neighbours_of_a_partial_write_keep_their_value() {
        let mut gm = Global::new(true);
        let number = gm.add("x", 32, false);
        let region = gm.region(number);
        region.write(0, &[9; 32]);
        region.write(3, &[1, 2, 3]);
        assert_eq!(region.to_vec()[..8], [9, 9, 9, 1, 2, 3, 9, 9]);
        region.set(3, 3);
        assert_eq!(region.first_unset(3, 4), Some(6));
        assert_eq!(region.bits(2, 6), 0b1110);
    }

    #[test]
    fn regions_stand_apart() {
        let mut gm = Global::new(true);
        let (a, b) = (gm.add("a", 100, false), gm.add("b", 100, false));
        let (a, b) = (gm.region(a).start, gm.region(b).start);
        assert!(gm.span("src", a + 96, 4).is_ok());
        assert!(gm.span("src", a + 97, 4).is_err());
        assert!(gm.span("src", b, 100).is_ok());
        assert!(gm.span("src", 0, 1).is_err());
    }
}
