//! Several operations in one on lanes of one type: multiply-adds onto the destination, sums with a ReLU.

use isa::inst::*;
use isa::num::{self, Overflow};

use super::mixed::put_words;
use super::repeat::{Bytes, Three, floats, no_such_lanes, widened};
use crate::core::{Core, Halt};
use crate::fault::Stop;

impl Core<'_> {
    /// `dst = last(a * dst + b)`: f32 fused, f16 with the product rounded first.
    pub(super) fn multiply_onto(
        &mut self,
        ty: VecTy,
        o: Three,
        last: impl Fn(f32) -> f32,
    ) -> Result<(), Stop> {
        let overflow = self.overflow();
        match ty {
            VecTy::F32 => self.each_three(4, o, true, |out, x, y| {
                let (x, y, d) = (floats(x), floats(y), floats(out));
                let fused = |n: usize| last(num::fma_f32(x[n], d[n], y[n])).to_bits();
                put_words(out, (0..64).map(fused));
            }),
            VecTy::F16 => self.each_three(2, o, true, |out, x, y| {
                let sum = rounded_twice(&widened(x), &widened(out), &widened(y), overflow);
                let result = sum.map(&last);
                num::f32_to_f16_slice(out.as_chunks_mut::<2>().0, &result, overflow);
            }),
            VecTy::S16 | VecTy::S32 => Err(no_such_lanes(ty)),
        }
    }

    /// `dst = max(a ± b, 0)`.
    pub(super) fn sum_relu(
        &mut self,
        ty: VecTy,
        o: Three,
        float: impl Fn(f32, f32) -> f32 + Copy,
        int: impl Fn(i32, i32) -> i32 + Copy,
    ) -> Result<(), Halt> {
        let overflow = self.overflow();
        let clamped = move |a, b| num::max_f32(float(a, b), 0.0);
        // Wraps in 16 bits before it clamps.
        let clamped_int = move |a, b| i32::from(int(a, b) as i16).max(0);
        self.any_two(ty, o, overflow, clamped, clamped_int)
    }
}

/// The f16 product, rounded, plus an addend, not rounded yet.
fn rounded_twice(x: &[f32; 128], y: &[f32; 128], z: &[f32; 128], overflow: Overflow) -> [f32; 128] {
    let mut wide = [0.0; 128];
    num::apply2_slice(&mut wide, x, y, num::mul_f32);
    let mut product: Bytes = [0; 256];
    num::f32_to_f16_slice(product.as_chunks_mut::<2>().0, &wide, overflow);
    let mut sum = [0.0; 128];
    num::apply2_slice(&mut sum, &widened(&product), z, num::add_f32);
    sum
}

/// The ReLU of a fused operation.
pub(super) fn relu(x: f32) -> f32 {
    num::max_f32(x, 0.0)
}
