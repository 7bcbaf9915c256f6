//! Contents of tensors as little-endian bytes, element access, and inputs drawn for tests.
//!
//! Owns the storage format: elements one after the other, the last dimension fastest, a bool in one byte. Knows no
//! files and no shapes beyond a number of elements.

use isa::num;
use isa::types::Elem;

use super::{Overflow, Round};

/// The bytes of one tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// Little-endian elements without padding.
    pub bytes: Vec<u8>,
}

/// Width in bits and signedness of an integer type; bool counts as an unsigned bit. `None` for floats.
pub const fn int_format(elem: Elem) -> Option<(u32, bool)> {
    match elem {
        Elem::I64 => Some((64, true)),
        Elem::I32 => Some((32, true)),
        Elem::I16 => Some((16, true)),
        Elem::I8 => Some((8, true)),
        Elem::U8 => Some((8, false)),
        Elem::Bool => Some((1, false)),
        Elem::F32 | Elem::F16 | Elem::Bf16 => None,
    }
}

/// The number of elements of a shape; `None` if it is not a positive number that fits.
pub fn element_count(shape: &[i64]) -> Option<usize> {
    let mut count = 1i64;
    for &extent in shape {
        count = count.checked_mul(extent).filter(|_| extent >= 1)?;
    }
    usize::try_from(count).ok()
}

impl Data {
    /// `count` elements of zero bytes.
    pub fn zeros(elem: Elem, count: usize) -> Data {
        Data {
            bytes: vec![0; count.saturating_mul(elem.bytes() as usize)],
        }
    }

    /// Elements rounded to nearest even from f64; f16 and bf16 keep infinities and NaN, integers saturate.
    pub fn from_f64(elem: Elem, values: &[f64]) -> Data {
        let mut data = Data::zeros(elem, values.len());
        for (position, &value) in values.iter().enumerate() {
            data.set_f64(elem, position, value);
        }
        data
    }

    /// The elements of an f32 tensor.
    pub fn from_f32s(values: &[f32]) -> Data {
        Data {
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    /// Elements of an integer or bool type, keeping the low bits.
    pub fn from_i64(elem: Elem, values: &[i64]) -> Data {
        let mut data = Data::zeros(elem, values.len());
        for (position, &value) in values.iter().enumerate() {
            data.set_bits(elem, position, value as u64);
        }
        data
    }

    /// The number of whole elements.
    pub fn count(&self, elem: Elem) -> usize {
        self.bytes.len() / elem.bytes() as usize
    }

    /// The bits of an element, zero-extended; 0 beyond the end.
    pub fn bits(&self, elem: Elem, position: usize) -> u64 {
        let size = elem.bytes() as usize;
        let mut word = [0; 8];
        if let Some(bytes) = element(&self.bytes, size, position) {
            word[..size].copy_from_slice(bytes);
        }
        u64::from_le_bytes(word)
    }

    /// Writes the low bits of `bits`; does nothing beyond the end.
    pub fn set_bits(&mut self, elem: Elem, position: usize, bits: u64) {
        let size = elem.bytes() as usize;
        let start = position.saturating_mul(size);
        let end = start.saturating_add(size);
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(&bits.to_le_bytes()[..size]);
        }
    }

    /// An integer or bool element; of floats the bits.
    pub fn get_i64(&self, elem: Elem, position: usize) -> i64 {
        let bits = self.bits(elem, position) as i64;
        match int_format(elem) {
            Some((1, _)) => i64::from(bits != 0),
            Some((width, signed)) => num::wrap_int(bits, width, signed),
            None => bits,
        }
    }

    /// The value of an element; exact except for integers beyond 2^53.
    pub fn get_f64(&self, elem: Elem, position: usize) -> f64 {
        let bits = self.bits(elem, position);
        match elem {
            Elem::F32 => f64::from(f32::from_bits(bits as u32)),
            Elem::F16 => f64::from(num::f16_to_f32(bits as u16)),
            Elem::Bf16 => f64::from(num::bf16_to_f32(bits as u16)),
            Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                self.get_i64(elem, position) as f64
            }
        }
    }

    /// Writes a value rounded as [`Data::from_f64`] says; a bool is whether the value differs from 0.
    pub fn set_f64(&mut self, elem: Elem, position: usize, value: f64) {
        let bits = match elem {
            Elem::F32 => u64::from(num::f64_to_f32(value, Round::Even).to_bits()),
            Elem::F16 => u64::from(num::f64_to_f16(value, Round::Even, Overflow::Keep)),
            Elem::Bf16 => u64::from(num::f64_to_bf16(value, Round::Even, Overflow::Keep)),
            Elem::Bool => u64::from(value != 0.0),
            Elem::I64 => whole(value, 64, true),
            Elem::I32 => whole(value, 32, true),
            Elem::I16 => whole(value, 16, true),
            Elem::I8 => whole(value, 8, true),
            Elem::U8 => whole(value, 8, false),
        };
        self.set_bits(elem, position, bits);
    }
}

fn whole(value: f64, bits: u32, signed: bool) -> u64 {
    num::f64_to_int(value, Round::Even, Overflow::Saturate, bits, signed) as u64
}

fn element(bytes: &[u8], size: usize, position: usize) -> Option<&[u8]> {
    let start = position.checked_mul(size)?;
    bytes.get(start..start.checked_add(size)?)
}

/// Draws the contents of an input from `seed`, the tensor's name, type and shape: the same on every host.
///
/// Floats are uniform in [-1, 1] and rounded to the type; i8 and u8 cover their whole range, wider integers
/// -100 to 100; a bool is a fair coin. Empty if the shape has no valid number of elements.
pub fn draw(elem: Elem, shape: &[i64], seed: u64, name: &str) -> Data {
    let Some(count) = element_count(shape) else {
        return Data::default();
    };
    let mut random = Random::keyed(seed, name, elem, shape);
    let mut data = Data::zeros(elem, count);
    for position in 0..count {
        match elem {
            Elem::F32 | Elem::F16 | Elem::Bf16 => data.set_f64(elem, position, random.unit()),
            Elem::I64 | Elem::I32 | Elem::I16 => {
                data.set_bits(elem, position, random.between(-100, 100) as u64);
            }
            Elem::I8 | Elem::U8 => data.set_bits(elem, position, random.next() >> 32),
            Elem::Bool => data.set_bits(elem, position, random.next() >> 63),
        }
    }
    data
}

/// The splitmix64 generator: a counter, mixed.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator with this start.
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    fn keyed(seed: u64, name: &str, elem: Elem, shape: &[i64]) -> Random {
        let mut random = Random::new(seed);
        let shape_words = shape.iter().map(|&extent| extent as u64);
        let name_words = name.bytes().chain(elem.name().bytes()).map(u64::from);
        for word in name_words.chain(shape_words) {
            random.state = random.next() ^ word;
        }
        random
    }

    /// The next 64 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless generator is no iterator"
    )]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    /// A multiple of 2^-52 in [-1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (2.0 / 9_007_199_254_740_992.0) - 1.0
    }

    /// An integer from `low` to `high`; the tiny bias of the remainder does not matter here.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low).max(0) as u64;
        let choice = match span.checked_add(1) {
            Some(count) => (self.next() >> 8) % count,
            None => self.next(),
        };
        low.wrapping_add(choice as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_little_endian_and_dense() {
        let data = Data::from_f64(Elem::F16, &[1.0, -2.0]);
        assert_eq!(data.bytes, [0x00, 0x3c, 0x00, 0xc0]);
        assert_eq!(data.get_f64(Elem::F16, 1), -2.0);
        let bytes = Data::from_i64(Elem::I8, &[-1, 200]);
        assert_eq!(bytes.get_i64(Elem::I8, 1), -56);
        assert_eq!(bytes.get_i64(Elem::U8, 1), 200);
        assert_eq!(Data::from_f32s(&[1.5]).bits(Elem::F32, 0), 0x3fc0_0000);
        assert_eq!(bytes.bits(Elem::I8, 2), 0);
    }

    #[test]
    fn drawing_depends_on_name_shape_and_seed_only() {
        let draw_a = |seed, name, shape: &[i64]| draw(Elem::F32, shape, seed, name);
        assert_eq!(draw_a(1, "a", &[4, 5]), draw_a(1, "a", &[4, 5]));
        assert_ne!(draw_a(1, "a", &[4, 5]), draw_a(2, "a", &[4, 5]));
        assert_ne!(draw_a(1, "a", &[4, 5]), draw_a(1, "b", &[4, 5]));
        assert_ne!(draw_a(1, "a", &[4, 5]), draw_a(1, "a", &[5, 4]));
        let values = draw_a(3, "x", &[1000]);
        let mean = (0..1000).map(|i| values.get_f64(Elem::F32, i)).sum::<f64>() / 1000.0;
        assert!(mean.abs() < 0.1, "{mean}");
        assert!((0..1000).all(|i| values.get_f64(Elem::F32, i).abs() <= 1.0));
    }

    #[test]
    fn i8_draws_reach_both_ends() {
        let data = draw(Elem::I8, &[10_000], 0, "q");
        let all: Vec<i64> = (0..10_000).map(|i| data.get_i64(Elem::I8, i)).collect();
        assert_eq!(all.iter().min(), Some(&-128));
        assert_eq!(all.iter().max(), Some(&127));
    }
}
