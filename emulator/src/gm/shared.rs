//! Bytes that cores on different host threads share: each an atomic of its own, copied in and out in larger pieces.
//!
//! The pieces are copied by instructions that the compiler does not see into, because its own copies may not meet a
//! concurrent write, and a program that races may make them meet. What such a program reads is then any mixture of old
//! and new bytes, as from atomics one by one, which the portable twin uses. Knows no addresses of the machine.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// So many bytes, zero; pages appear when they are touched.
pub(super) fn zeros(len: usize) -> Vec<AtomicU8> {
    // In place: neither this nor `into_bytes` touches the bytes.
    vec![0; len].into_iter().map(AtomicU8::new).collect()
}

/// The bytes, when nobody shares them any more.
pub(super) fn into_bytes(bytes: Vec<AtomicU8>) -> Vec<u8> {
    bytes.into_iter().map(AtomicU8::into_inner).collect()
}

/// Copies bytes out.
pub(super) fn load(from: &[AtomicU8], to: &mut [u8]) {
    assert!(from.len() == to.len(), "as many bytes as asked for");
    let done = copy::load(from, to);
    load_portable(&from[done..], &mut to[done..]);
}

/// Copies bytes in.
pub(super) fn store(to: &[AtomicU8], from: &[u8]) {
    assert!(to.len() == from.len(), "as many bytes as there is room for");
    let done = copy::store(to, from);
    store_portable(&to[done..], &from[done..]);
}

fn load_portable(from: &[AtomicU8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.load(Relaxed);
    }
}

fn store_portable(to: &[AtomicU8], from: &[u8]) {
    for (to, &from) in to.iter().zip(from) {
        to.store(from, Relaxed);
    }
}

#[cfg(target_arch = "x86_64")]
mod copy {
    //! Copies of 16 bytes and more with SSE2, which every x86-64 has, and of 256 and more with AVX-512.
    #![expect(
        unsafe_code,
        reason = "loads and stores inside two slices of one length; the twin is tested equal"
    )]

    use std::arch::asm;
    use std::sync::atomic::AtomicU8;

    /// Bytes of the smallest piece.
    const PIECE: usize = 16;
    /// Bytes that four registers of AVX-512 hold.
    const WIDE: usize = 256;

    /// Copies pieces from the start; how many bytes that were.
    pub(super) fn load(from: &[AtomicU8], to: &mut [u8]) -> usize {
        let whole = from.len().min(to.len()) / PIECE * PIECE;
        // SAFETY: both slices have `whole` bytes, and atomics may be read while others write them.
        unsafe { copy(from.as_ptr().cast(), to.as_mut_ptr(), whole) };
        whole
    }

    /// Copies pieces from the start; how many bytes that were.
    pub(super) fn store(to: &[AtomicU8], from: &[u8]) -> usize {
        let whole = from.len().min(to.len()) / PIECE * PIECE;
        // SAFETY: both slices have `whole` bytes, and atomics may be written through a shared reference.
        unsafe { copy(from.as_ptr(), to.as_ptr().cast_mut().cast(), whole) };
        whole
    }

    /// Copies bytes with the widest registers that there are.
    ///
    /// # Safety
    /// There are `len` bytes to read and to write, and a multiple of [`PIECE`] of them.
    unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
        let wide = match len >= WIDE && is_x86_feature_detected!("avx512f") {
            true => len / WIDE * WIDE,
            false => 0,
        };
        // SAFETY: `wide` is at most `len`, and is above zero only where the processor has the registers.
        unsafe {
            if wide > 0 {
                wide_pieces(from, to, wide);
            }
            pieces(from.add(wide), to.add(wide), len - wide);
        }
    }

    /// Copies bytes, as many as make whole wide pieces.
    ///
    /// # Safety
    /// There are `len` bytes to read and to write, above zero and a multiple of [`WIDE`] of them.
    #[target_feature(enable = "avx512f")]
    unsafe fn wide_pieces(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: `at` goes from zero to `len` in steps of four registers.
        unsafe {
            asm!(
                "2:",
                "vmovdqu64 {a}, [{from} + {at}]",
                "vmovdqu64 {b}, [{from} + {at} + 64]",
                "vmovdqu64 {c}, [{from} + {at} + 128]",
                "vmovdqu64 {d}, [{from} + {at} + 192]",
                "vmovdqu64 [{to} + {at}], {a}",
                "vmovdqu64 [{to} + {at} + 64], {b}",
                "vmovdqu64 [{to} + {at} + 128], {c}",
                "vmovdqu64 [{to} + {at} + 192], {d}",
                "add {at}, 256",
                "cmp {at}, {len}",
                "jb 2b",
                from = in(reg) from,
                to = in(reg) to,
                len = in(reg) len,
                at = inout(reg) 0_usize => _,
                a = out(zmm_reg) _,
                b = out(zmm_reg) _,
                c = out(zmm_reg) _,
                d = out(zmm_reg) _,
                options(nostack),
            );
        }
    }

    /// Copies bytes, as many as make whole pieces.
    ///
    /// # Safety
    /// There are `len` bytes to read and to write, and a multiple of [`PIECE`] of them.
    unsafe fn pieces(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: `at` stays below `len`, in steps of four pieces while there are as many and then of one.
        unsafe {
            asm!(
                "cmp {fours}, 0",
                "je 3f",
                "2:",
                "movdqu {a}, [{from} + {at}]",
                "movdqu {b}, [{from} + {at} + 16]",
                "movdqu {c}, [{from} + {at} + 32]",
                "movdqu {d}, [{from} + {at} + 48]",
                "movdqu [{to} + {at}], {a}",
                "movdqu [{to} + {at} + 16], {b}",
                "movdqu [{to} + {at} + 32], {c}",
                "movdqu [{to} + {at} + 48], {d}",
                "add {at}, 64",
                "cmp {at}, {fours}",
                "jb 2b",
                "3:",
                "cmp {at}, {len}",
                "jae 4f",
                "movdqu {a}, [{from} + {at}]",
                "movdqu [{to} + {at}], {a}",
                "add {at}, 16",
                "jmp 3b",
                "4:",
                from = in(reg) from,
                to = in(reg) to,
                len = in(reg) len,
                fours = in(reg) len / 64 * 64,
                at = inout(reg) 0_usize => _,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack),
            );
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod copy {
    //! No copies of pieces for this processor: the bytes are copied one by one.

    use std::sync::atomic::AtomicU8;

    pub(super) fn load(_from: &[AtomicU8], _to: &mut [u8]) -> usize {
        0
    }

    pub(super) fn store(_to: &[AtomicU8], _from: &[u8]) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_copy_what_single_bytes_copy() {
        for len in (0..200).chain([255, 256, 257, 511, 512, 700, 1041]) {
            for start in 0..3 {
                let data: Vec<u8> = (0..len).map(|n| (n * 7 + start + 1) as u8).collect();
                let (fast, slow) = (zeros(1100), zeros(1100));
                store(&fast[start..start + len], &data);
                store_portable(&slow[start..start + len], &data);
                let (mut quick, mut one_by_one) = (vec![9; 1100], vec![9; 1100]);
                load(&fast[..start + len], &mut quick[..start + len]);
                load_portable(&slow[..start + len], &mut one_by_one[..start + len]);
                assert_eq!(quick, one_by_one, "{len} bytes from {start}");
                assert_eq!(into_bytes(fast), into_bytes(slow), "{len} bytes at {start}");
            }
        }
    }
}
