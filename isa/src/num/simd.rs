//! The loops of `bulk`, compiled once more for AVX2 with F16C and for AVX-512, and chosen when the processor has them.
//!
//! The only module of `num` with `unsafe`, `exp` below it counted in: a call of a function compiled for those features follows their detection,
//! and the loads and stores of eight items take their pointers from arrays of exactly eight. Each public function
//! says whether it did the work; elsewhere none does, and the portable loop of `bulk` runs. Nothing is contracted: the
//! loops say where they fuse, which is nowhere.

#[cfg(target_arch = "x86_64")]
mod exp;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{
    apply, apply_f16, apply2, apply2_f16, exp_in_place, f16_to_f32, f32_to_f16, run,
};

#[cfg(not(target_arch = "x86_64"))]
pub(super) use elsewhere::{
    apply, apply_f16, apply2, apply2_f16, exp_in_place, f16_to_f32, f32_to_f16, run,
};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_ORD_Q, _CMP_UNORD_Q, _mm_loadu_si128, _mm_storeu_si128, _mm256_and_ps,
        _mm256_blendv_ps, _mm256_cmp_ps, _mm256_cvtph_ps, _mm256_cvtps_ph, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps, _mm256_storeu_ps,
        _mm256_storeu_si256, _mm512_cmp_ps_mask, _mm512_cvtph_ps, _mm512_cvtps_ph, _mm512_loadu_ps,
        _mm512_mask_mov_ps, _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps,
        _mm512_storeu_ps,
    };

    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    use super::super::bulk::{Half, Loops, Single, apply_portable, apply2_portable};
    use super::super::convert;
    use super::super::{F32_NAN, Overflow, Round};

    /// What the processor has: nothing of use, AVX2 with F16C, or AVX-512 too; not known yet at first.
    const UNKNOWN: u8 = 0;
    const PLAIN: u8 = 1;
    const AVX2: u8 = 2;
    const AVX512: u8 = 3;

    /// The answer of the processor, once asked: one load where four questions would be.
    static LEVEL: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[inline]
    fn level() -> u8 {
        match LEVEL.load(Relaxed) {
            UNKNOWN => detect(),
            level => level,
        }
    }

    #[cold]
    fn detect() -> u8 {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let level = match (avx2, avx512) {
            (true, true) => AVX512,
            (true, false) => AVX2,
            (false, _) => PLAIN,
        };
        LEVEL.store(level, Relaxed);
        level
    }

    #[inline]
    fn available() -> bool {
        level() >= AVX2
    }

    /// Whether registers are twice as wide.
    #[inline]
    fn is_wide() -> bool {
        level() == AVX512
    }

    /// Runs loops, compiled for the widest registers there are, or gives them back.
    pub(in super::super) fn run<L: Loops>(loops: L) -> Option<L> {
        #[expect(unsafe_code, reason = "the features of the callees were detected")]
        if is_wide() {
            unsafe { run_avx512(loops) }
        } else if available() {
            unsafe { run_avx2(loops) }
        } else {
            return Some(loops);
        }
        None
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn run_avx512(loops: impl Loops) {
        loops.run();
    }

    #[target_feature(enable = "avx2,f16c")]
    fn run_avx2(loops: impl Loops) {
        loops.run();
    }

    /// The portable loop over one operand, compiled for the widest registers there are.
    pub(in super::super) fn apply<T: Copy, S: Copy>(
        dst: &mut [T],
        src: &[S],
        function: impl Fn(S) -> T,
    ) -> bool {
        let usable = available();
        #[expect(unsafe_code, reason = "the features of the callees were detected")]
        if is_wide() {
            unsafe { apply_avx512(dst, src, function) }
            return true;
        } else if usable {
            unsafe { apply_avx2(dst, src, function) }
        }
        usable
    }

    /// The portable loop over two operands, compiled for the widest registers there are.
    pub(in super::super) fn apply2<T: Copy, A: Copy, B: Copy>(
        dst: &mut [T],
        a: &[A],
        b: &[B],
        function: impl Fn(A, B) -> T,
    ) -> bool {
        let usable = available();
        #[expect(unsafe_code, reason = "the features of the callees were detected")]
        if is_wide() {
            unsafe { apply2_avx512(dst, a, b, function) }
            return true;
        } else if usable {
            unsafe { apply2_avx2(dst, a, b, function) }
        }
        usable
    }

    /// A function on f32 over f16 items.
    pub(in super::super) fn apply_f16<H: Half>(
        dst: &mut [H],
        src: &[H],
        overflow: Overflow,
        function: impl Fn(f32) -> f32,
    ) -> bool {
        let usable = available();
        if usable {
            #[expect(unsafe_code, reason = "the features of the callee were detected")]
            unsafe {
                apply_half(dst, src, overflow, function);
            }
        }
        usable
    }

    /// A function of two f32 over f16 items.
    pub(in super::super) fn apply2_f16<H: Half>(
        dst: &mut [H],
        a: &[H],
        b: &[H],
        overflow: Overflow,
        function: impl Fn(f32, f32) -> f32,
    ) -> bool {
        let usable = available();
        #[expect(unsafe_code, reason = "the features of the callees were detected")]
        if is_wide() {
            unsafe { apply2_half_avx512(dst, a, b, overflow, function) }
            return true;
        } else if usable {
            unsafe { apply2_half(dst, a, b, overflow, function) }
        }
        usable
    }

    /// The exponential of each item.
    pub(in super::super) fn exp_in_place<S: Single>(items: &mut [S]) -> bool {
        let usable = is_wide();
        if usable {
            #[expect(unsafe_code, reason = "the features of the callee were detected")]
            unsafe {
                super::exp::exp_avx512(items);
            }
        }
        usable
    }

    /// Widens f16 to f32.
    pub(in super::super) fn f16_to_f32<H: Half, S: Single>(dst: &mut [S], src: &[H]) -> bool {
        let usable = available();
        #[expect(unsafe_code, reason = "the features of the callees were detected")]
        if is_wide() {
            unsafe { widen_avx512(dst, src) }
            return true;
        } else if usable {
            unsafe { widen(dst, src) }
        }
        usable
    }

    /// Rounds f32 to f16, to nearest even.
    pub(in super::super) fn f32_to_f16<H: Half, S: Single>(
        dst: &mut [H],
        src: &[S],
        overflow: Overflow,
    ) -> bool {
        let usable = available();
        if is_wide() {
            #[expect(unsafe_code, reason = "the features of the callee were detected")]
            unsafe {
                narrow_avx512(dst, src, overflow);
            }
            return true;
        }
        if usable {
            #[expect(unsafe_code, reason = "the features of the callee were detected")]
            unsafe {
                match overflow {
                    Overflow::Saturate => narrow_saturate(dst, src),
                    Overflow::Keep | Overflow::Wrap => narrow_keep(dst, src),
                }
            }
        }
        usable
    }

    #[target_feature(enable = "avx2,f16c")]
    fn apply_avx2<T: Copy, S: Copy>(dst: &mut [T], src: &[S], function: impl Fn(S) -> T) {
        apply_portable(dst, src, function);
    }

    #[target_feature(enable = "avx2,f16c")]
    fn apply2_avx2<T: Copy, A: Copy, B: Copy>(
        dst: &mut [T],
        a: &[A],
        b: &[B],
        function: impl Fn(A, B) -> T,
    ) {
        apply2_portable(dst, a, b, function);
    }

    #[target_feature(enable = "avx2,f16c")]
    fn apply_half<H: Half>(
        dst: &mut [H],
        src: &[H],
        overflow: Overflow,
        function: impl Fn(f32) -> f32,
    ) {
        let length = dst.len().min(src.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<8>();
        let (from, from_rest) = src[..length].as_chunks::<8>();
        for (to, from) in to.iter_mut().zip(from) {
            let mut wide = [0.0; 8];
            widen(&mut wide, from);
            let result = wide.map(&function);
            match overflow {
                Overflow::Saturate => narrow_saturate(to, &result),
                Overflow::Keep | Overflow::Wrap => narrow_keep(to, &result),
            }
        }
        apply_portable(to_rest, from_rest, |x| {
            let result = function(convert::f16_to_f32(x.bits()));
            H::from_bits(convert::f32_to_f16(result, Round::Even, overflow))
        });
    }

    #[target_feature(enable = "avx2,f16c")]
    fn apply2_half<H: Half>(
        dst: &mut [H],
        a: &[H],
        b: &[H],
        overflow: Overflow,
        function: impl Fn(f32, f32) -> f32,
    ) {
        let length = dst.len().min(a.len()).min(b.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<8>();
        let (a, a_rest) = a[..length].as_chunks::<8>();
        let (b, b_rest) = b[..length].as_chunks::<8>();
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            let (mut wide_a, mut wide_b) = ([0.0; 8], [0.0; 8]);
            widen(&mut wide_a, a);
            widen(&mut wide_b, b);
            let result: [f32; 8] = std::array::from_fn(|n| function(wide_a[n], wide_b[n]));
            match overflow {
                Overflow::Saturate => narrow_saturate(to, &result),
                Overflow::Keep | Overflow::Wrap => narrow_keep(to, &result),
            }
        }
        apply2_portable(to_rest, a_rest, b_rest, |a, b| {
            let wide = |x: H| convert::f16_to_f32(x.bits());
            let result = function(wide(a), wide(b));
            H::from_bits(convert::f32_to_f16(result, Round::Even, overflow))
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn apply2_half_avx512<H: Half>(
        dst: &mut [H],
        a: &[H],
        b: &[H],
        overflow: Overflow,
        function: impl Fn(f32, f32) -> f32,
    ) {
        let length = dst.len().min(a.len()).min(b.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<16>();
        let (a, a_rest) = a[..length].as_chunks::<16>();
        let (b, b_rest) = b[..length].as_chunks::<16>();
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            let (wide_a, wide_b) = (widen_16(a), widen_16(b));
            let result: [f32; 16] = std::array::from_fn(|n| function(wide_a[n], wide_b[n]));
            narrow_16(to, &result, overflow);
        }
        apply2_portable(to_rest, a_rest, b_rest, |a, b| {
            let wide = |x: H| convert::f16_to_f32(x.bits());
            let result = function(wide(a), wide(b));
            H::from_bits(convert::f32_to_f16(result, Round::Even, overflow))
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn widen_avx512<H: Half, S: Single>(dst: &mut [S], src: &[H]) {
        let length = dst.len().min(src.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<16>();
        let (from, from_rest) = src[..length].as_chunks::<16>();
        for (to, from) in to.iter_mut().zip(from) {
            *to = widen_16(from).map(S::from_value);
        }
        apply_portable(to_rest, from_rest, |x| {
            S::from_value(convert::f16_to_f32(x.bits()))
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn narrow_avx512<H: Half, S: Single>(dst: &mut [H], src: &[S], overflow: Overflow) {
        let length = dst.len().min(src.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<16>();
        let (from, from_rest) = src[..length].as_chunks::<16>();
        for (to, from) in to.iter_mut().zip(from) {
            narrow_16(to, &from.map(S::value), overflow);
        }
        apply_portable(to_rest, from_rest, |x| {
            H::from_bits(convert::f32_to_f16(x.value(), Round::Even, overflow))
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn widen_16<H: Half>(from: &[H; 16]) -> [f32; 16] {
        const { assert!(size_of::<H>() == 2) };
        let mut to = [0.0; 16];
        #[expect(
            unsafe_code,
            reason = "arrays of sixteen items of two and four bytes; no alignment needed"
        )]
        unsafe {
            let wide = _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast()));
            _mm512_storeu_ps(to.as_mut_ptr(), canonical_16(wide));
        }
        to
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn narrow_16<H: Half>(to: &mut [H; 16], from: &[f32; 16], overflow: Overflow) {
        const { assert!(size_of::<H>() == 2) };
        const NEAREST_EVEN: i32 = 0;
        #[expect(
            unsafe_code,
            reason = "arrays of sixteen items of four and two bytes; no alignment needed"
        )]
        unsafe {
            let x = _mm512_loadu_ps(from.as_ptr());
            let prepared = match overflow {
                Overflow::Saturate => {
                    let (least, greatest) = (_mm512_set1_ps(-65504.0), _mm512_set1_ps(65504.0));
                    let ordered = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x);
                    let clamped = _mm512_max_ps(least, _mm512_min_ps(greatest, x));
                    _mm512_maskz_mov_ps(ordered, clamped)
                }
                Overflow::Keep | Overflow::Wrap => canonical_16(x),
            };
            let narrow = _mm512_cvtps_ph::<NEAREST_EVEN>(prepared);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), narrow);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn canonical_16(x: __m512) -> __m512 {
        let unordered = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
        _mm512_mask_mov_ps(x, unordered, _mm512_set1_ps(F32_NAN))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn apply_avx512<T: Copy, S: Copy>(dst: &mut [T], src: &[S], function: impl Fn(S) -> T) {
        apply_portable(dst, src, function);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn apply2_avx512<T: Copy, A: Copy, B: Copy>(
        dst: &mut [T],
        a: &[A],
        b: &[B],
        function: impl Fn(A, B) -> T,
    ) {
        apply2_portable(dst, a, b, function);
    }

    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    fn widen<H: Half, S: Single>(dst: &mut [S], src: &[H]) {
        const { assert!(size_of::<H>() == 2 && size_of::<S>() == 4) };
        let length = dst.len().min(src.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<8>();
        let (from, from_rest) = src[..length].as_chunks::<8>();
        for (to, from) in to.iter_mut().zip(from) {
            #[expect(
                unsafe_code,
                reason = "arrays of eight items of four and two bytes; no alignment needed"
            )]
            unsafe {
                let wide = _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()));
                _mm256_storeu_ps(to.as_mut_ptr().cast(), canonical(wide));
            }
        }
        apply_portable(to_rest, from_rest, |x| {
            S::from_value(convert::f16_to_f32(x.bits()))
        });
    }

    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    fn narrow_saturate<H: Half, S: Single>(dst: &mut [H], src: &[S]) {
        let (least, greatest) = (_mm256_set1_ps(-65504.0), _mm256_set1_ps(65504.0));
        // Clamping first gives the same as clamping the rounded value, because both ends are f16 values.
        narrow(dst, src, Overflow::Saturate, |x| {
            let ordered = _mm256_cmp_ps::<_CMP_ORD_Q>(x, x);
            _mm256_and_ps(ordered, _mm256_max_ps(least, _mm256_min_ps(greatest, x)))
        });
    }

    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    fn narrow_keep<H: Half, S: Single>(dst: &mut [H], src: &[S]) {
        narrow(dst, src, Overflow::Keep, |x| canonical(x));
    }

    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    fn narrow<H: Half, S: Single>(
        dst: &mut [H],
        src: &[S],
        overflow: Overflow,
        prepare: impl Fn(__m256) -> __m256,
    ) {
        const { assert!(size_of::<H>() == 2 && size_of::<S>() == 4) };
        const NEAREST_EVEN: i32 = 0;
        let length = dst.len().min(src.len());
        let (to, to_rest) = dst[..length].as_chunks_mut::<8>();
        let (from, from_rest) = src[..length].as_chunks::<8>();
        for (to, from) in to.iter_mut().zip(from) {
            #[expect(
                unsafe_code,
                reason = "arrays of eight items of four and two bytes; no alignment needed"
            )]
            unsafe {
                let prepared = prepare(_mm256_loadu_ps(from.as_ptr().cast()));
                _mm_storeu_si128(
                    to.as_mut_ptr().cast(),
                    _mm256_cvtps_ph::<NEAREST_EVEN>(prepared),
                );
            }
        }
        apply_portable(to_rest, from_rest, |x| {
            H::from_bits(convert::f32_to_f16(x.value(), Round::Even, overflow))
        });
    }

    #[target_feature(enable = "avx2,f16c")]
    #[inline]
    fn canonical(x: __m256) -> __m256 {
        let unordered = _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x);
        _mm256_blendv_ps(x, _mm256_set1_ps(F32_NAN), unordered)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use super::super::Overflow;

    /// Leaves the work to the portable loops.
    pub(in super::super) fn run<L>(loops: L) -> Option<L> {
        Some(loops)
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn apply<T, S>(_: &mut [T], _: &[S], _: impl Fn(S) -> T) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn apply2<T, A, B>(
        _: &mut [T],
        _: &[A],
        _: &[B],
        _: impl Fn(A, B) -> T,
    ) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn apply_f16<H>(
        _: &mut [H],
        _: &[H],
        _: Overflow,
        _: impl Fn(f32) -> f32,
    ) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn apply2_f16<H>(
        _: &mut [H],
        _: &[H],
        _: &[H],
        _: Overflow,
        _: impl Fn(f32, f32) -> f32,
    ) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn exp_in_place<S>(_: &mut [S]) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn f16_to_f32<H, S>(_: &mut [S], _: &[H]) -> bool {
        false
    }

    /// Leaves the work to the portable loop.
    pub(in super::super) fn f32_to_f16<H, S>(_: &mut [H], _: &[S], _: Overflow) -> bool {
        false
    }
}
