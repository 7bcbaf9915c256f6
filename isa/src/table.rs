//! THE table: one row per instruction, nothing else.
//!
//! Rows are grouped by the pipe that executes them, so the file reads like the manual. A row gives opcode, mnemonic,
//! struct name and typed operands; access is in the operand type. Opcodes are written, never counted, and never reused.
//! Sources: davinci-facts §3 and §10 (its rows in parentheses). Where a detail is not public the doc says *we choose*.

use crate::operand::{
    Adj, BitKind, BlockGap, Bt, Burst, ByteGap, CInit, Cond, ConvKind, DeqTy, ElemSize, Fb, FixSrc,
    FmaTy, FuseTy, Gm, Half, In, InOut, IndexOrder, L0a, L0b, L0c, L1, Label, MemSize, MergeEnd,
    MmadTy, Out, PipeOp, QuantMode, Relu, Rep, RoundWord, SImm, ScalarConv, ScalarMem, ScalarTy,
    ShiftTy, Spr, SquareSize, St1, St2, St3, StCmp, StMask, StRed, StSel, StSrc, StoreKind, UImm,
    Ub, UnitFlag, Val, VecScalar, VecTy, XIn, XInOut, XOut, XVal,
};

instructions! {
    engine S executes ScalarUnit {
        /// Does nothing for one cycle. (row 21)
        0x00 nop Nop {};
        /// Ends the program of this core. (row 21)
        0x01 end End {};
        /// Stops with a fault that carries `code`. (row 21)
        0x02 trap Trap { code: UImm<16> };
        /// Loads a 64-bit constant. (row 1)
        0x03 li Li { dst: XOut, value: SImm<64> };
        /// Copies a register. (row 2)
        0x04 mov Mov { dst: XOut, a: XIn };
        /// Adds, 64-bit, wrapping. (row 3)
        0x05 add Add { dst: XOut, a: XVal, b: XVal };
        /// Subtracts, 64-bit, wrapping. (row 3)
        0x06 sub Sub { dst: XOut, a: XVal, b: XVal };
        /// Multiplies, 64-bit, wrapping. (row 4)
        0x07 mul Mul { dst: XOut, a: XVal, b: XVal };
        /// Multiplies and adds: `dst = a * b + c`, 64-bit, wrapping. (row 4)
        0x08 madd Madd { dst: XOut, a: XIn, b: XVal, c: XVal };
        /// Divides, signed, truncating; by zero is a fault. (row 5)
        0x09 div Div { dst: XOut, a: XVal, b: XVal };
        /// Remainder, signed, sign of the dividend; by zero is a fault. (row 5)
        0x0a rem Rem { dst: XOut, a: XVal, b: XVal };
        /// Bitwise and. (row 6)
        0x0b and And { dst: XOut, a: XVal, b: XVal };
        /// Bitwise or. (row 6)
        0x0c or Or { dst: XOut, a: XVal, b: XVal };
        /// Bitwise exclusive or. (row 6)
        0x0d xor Xor { dst: XOut, a: XVal, b: XVal };
        /// Shifts left by `b` mod 64. (row 7)
        0x0e shl Shl { dst: XOut, a: XVal, b: XVal };
        /// Shifts right logically by `b` mod 64. (row 7)
        0x0f shr Shr { dst: XOut, a: XVal, b: XVal };
        /// Shifts right arithmetically by `b` mod 64. (row 7)
        0x10 sar Sar { dst: XOut, a: XVal, b: XVal };
        /// Smaller of two signed values. (row 8)
        0x11 min Min { dst: XOut, a: XVal, b: XVal };
        /// Larger of two signed values. (row 8)
        0x12 max Max { dst: XOut, a: XVal, b: XVal };
        /// Compares and writes 0 or 1. (row 9)
        0x13 cmp Cmp { cond: Cond, ty: ScalarTy, dst: XOut, a: XVal, b: XVal };
        /// Selects: `dst = c != 0 ? a : b`. (row 10)
        0x14 sel Sel { dst: XOut, c: XIn, a: XVal, b: XVal };
        /// Scalar f32 addition on the low halves, rounded to nearest even. (row 12)
        0x15 fadd Fadd { dst: XOut, a: XIn, b: XIn };
        /// Scalar f32 subtraction. (row 12)
        0x16 fsub Fsub { dst: XOut, a: XIn, b: XIn };
        /// Scalar f32 multiplication. (row 12)
        0x17 fmul Fmul { dst: XOut, a: XIn, b: XIn };
        /// Loads 1, 2, 4 or 8 bytes, zero-extended, from global memory (through the data cache) or UB. (row 14)
        ///
        /// The data cache is not coherent with the copies: a line that is there keeps its old bytes when a copy or another
        /// core writes them, until `dcci` or `dcci_line`. The model has lines for time alone: values are always those of
        /// memory, and a run that looks for mistakes finds a forgotten `dcci` (F0013).
        0x18 ld Ld { size: MemSize, mem: ScalarMem, dst: XOut, base: XIn, offset: SImm<24> };
        /// Stores the low 1, 2, 4 or 8 bytes to global memory (through the data cache) or UB. (row 15)
        ///
        /// A store to global memory stays in its line until `dcci` or `dcci_line` writes that back for others to see; the end
        /// of the program writes back what is left (we choose).
        0x19 st St { size: MemSize, mem: ScalarMem, base: XIn, offset: SImm<24>, src: XIn };
        /// Reads a special register. (row 16)
        0x1a rdspr Rdspr { dst: XOut, spr: Spr };
        /// Writes a special register; ordered with all later instructions of every pipe. (row 16)
        0x1b wrspr Wrspr { spr: Spr, src: XVal };
        /// Jumps to a label. (row 17)
        0x1c jmp Jmp { target: Label };
        /// Branches to a label if the comparison of two signed 64-bit values holds. (row 18)
        0x1d bcc Bcc { cond: Cond, a: XIn, b: XVal, target: Label };
        /// Hardware loop: runs the instructions up to the matching `endloop` `count` times; a count below 1 skips them. `end` is the label of that `endloop`. (row 19)
        0x1e r#loop Loop { count: XVal, end: Label };
        /// Ends the innermost hardware loop. (row 19)
        0x1f endloop Endloop {};
        /// Calls a subroutine; the return address goes on the hardware call stack (16 deep, we choose). (row 20)
        0x20 call Call { target: Label };
        /// Returns from a subroutine. (row 20)
        0x21 ret Ret {};
        /// Sets the vector mask: `lo` covers lanes 0-63, `hi` lanes 64-127; leaves count mode. (row 107)
        0x22 vsetmask Vsetmask { lo: XIn, hi: XIn };
        /// Enters count mode: the following vector instructions process exactly `count` elements in all. (row 107)
        0x23 vsetcount Vsetcount { count: XVal };
        /// Queues in `src` the setting of flag (src, dst, id) after all earlier work of `src` has completed. (row 22)
        0x24 set_flag SetFlag { src: PipeOp, dst: PipeOp, id: Val<3> };
        /// Queues in `dst` a wait for flag (src, dst, id), which is then cleared. (row 23)
        0x25 wait_flag WaitFlag { src: PipeOp, dst: PipeOp, id: Val<3> };
        /// Holds later instructions of a pipe until its earlier ones have completed; `all` stops the scalar unit until every pipe has drained. (row 24)
        0x26 bar Bar { pipe: PipeOp };
        /// After `pipe` has drained sets the cross-core counter `id` of the peers: mode 0 all cores of this kind (this one included), mode 1 the vector cores of this group (this one included), mode 2 the cores of the other kind in this group. A counter of 4 bits goes up by 1 when every core that names it as a peer in that mode has set it once more. (row 25)
        0x27 xset Xset { pipe: PipeOp, mode: UImm<2>, id: Val<4> };
        /// Holds `pipe` while the cross-core counter `id` of this core is 0, then takes 1 from it; `mode` is that of the sets. (row 26)
        0x28 xwait Xwait { pipe: PipeOp, mode: UImm<2>, id: Val<4> };
        /// Cleans and invalidates the scalar data cache: stores are written back, lines dropped. (row 27)
        0x29 dcci Dcci {};
        /// Waits until all stores of the scalar unit have completed. (row 27)
        0x2a dsb Dsb {};
        /// Bitwise complement. (row 6)
        0x2b not Not { dst: XOut, a: XIn };
        /// Absolute value of a signed value; that of the least one is itself. (row 8)
        0x2c abs Abs { dst: XOut, a: XIn };
        /// Negates, wrapping. (row 8)
        0x2d neg Neg { dst: XOut, a: XIn };
        /// Divides, unsigned; by zero is a fault. (row 5)
        0x2e udiv Udiv { dst: XOut, a: XVal, b: XVal };
        /// Remainder, unsigned; by zero is a fault. (row 5)
        0x2f urem Urem { dst: XOut, a: XVal, b: XVal };
        /// Counts the zeros above the highest one; 64 if there is none. (row 11)
        0x30 clz Clz { dst: XOut, a: XIn };
        /// Counts ones or zeros. (row 11)
        0x31 popc Popc { bit: BitKind, dst: XOut, a: XIn };
        /// Finds the lowest one or zero; -1 if there is none (we choose). (row 11)
        0x32 ffs Ffs { bit: BitKind, dst: XOut, a: XIn };
        /// Makes bit `b` mod 64 of `a` one or zero. (row 11)
        0x33 bset Bset { bit: BitKind, dst: XOut, a: XIn, b: XVal };
        /// Scalar f32: the larger; NaN if either is NaN, -0 below +0 (we choose). (row 12)
        0x34 fmax Fmax { dst: XOut, a: XIn, b: XIn };
        /// Scalar f32: the smaller; NaN if either is NaN, -0 below +0 (we choose). (row 12)
        0x35 fmin Fmin { dst: XOut, a: XIn, b: XIn };
        /// Scalar f32 division, correctly rounded (we choose). (row 12)
        0x36 fdiv Fdiv { dst: XOut, a: XIn, b: XIn };
        /// Scalar f32 square root, correctly rounded (we choose). (row 12)
        0x37 fsqrt Fsqrt { dst: XOut, a: XIn };
        /// Converts between f32 and s32 or f16. (row 13)
        ///
        /// The last letter is the rounding of f32 and s32: `r` nearest even, `a` nearest with ties away, `f` floor, `c`
        /// ceiling, `z` toward zero; `o` rounds f16 to odd. f32 to s32 writes a sign-extended value and follows CTRL\[53\],
        /// f32 to f16 follows CTRL\[48\]; s32 reads the low half.
        0x38 cvt Cvt { kind: ScalarConv, dst: XOut, a: XIn };
        /// Jumps to the instruction of its section whose number is in a register. (row 17)
        0x39 jmpr Jmpr { target: XIn };
        /// Calls the subroutine whose instruction number is in a register. (row 20)
        0x3a callr Callr { target: XIn };
        /// Cleans and invalidates the line of the scalar data cache that holds an address: the next load from it misses. (row 27)
        0x3b dcci_line DcciLine { base: XIn, offset: SImm<24> };
        /// Sets vector address register `va`: eight block numbers (address / 32) of 16 bits, four in `lo`, four in `hi`, lowest first. (row 108)
        0x3c vseta Vseta { va: UImm<3>, lo: XIn, hi: XIn };
        /// Loads 1, 2, 4 or 8 bytes as `ld` does, sign-extended. (row 14)
        0x3d lds Lds { size: MemSize, mem: ScalarMem, dst: XOut, base: XIn, offset: SImm<24> };
        /// Loads as `ld` does from `base`, to which it then adds `step`; if both are one register, it keeps what is loaded (we choose). (row 14)
        0x3e ld_post LdPost { size: MemSize, mem: ScalarMem, dst: XOut, base: XInOut, step: SImm<24> };
        /// Waits until stores of the scalar unit have completed: those to global memory, those to UB, or the earlier ones before later ones. They complete in order here, so each kind waits for all (we choose). (row 27)
        0x3f dsb_kind DsbKind { kind: StoreKind };
    }

    engine M executes CubeUnit {
        /// Multiplies an L0A tile (m×k, zZ) by an L0B tile (k×n, nZ) into L0C (NZ). (rows 28-34)
        ///
        /// Extents need not be multiples of the fractal; a zero extent makes it a no-op. `init` 0 accumulates onto L0C,
        /// 1 starts from zero, 2 starts from the bias table (one word per column at `bias`). Per element k ascends, one
        /// rounding a step: f16 and bf16 products are exact, f32 products are rounded first (we choose: it is the
        /// language's no-contraction rule), s8, u8, u8 by s8 and s4 are exact in s32 and wrap. `f16f16` rounds each sum to f16 and
        /// keeps it in a word of L0C as f32 (we choose). CTRL\[46\] rounds f32 operands to 11 mantissa bits first (HF32), to
        /// nearest even, or with CTRL\[47\] to nearest with ties to zero: of the 10 bits that the 950 documents and the 11
        /// that figures of the 910B suggest we choose 11, with which products are exact; product and sum then round once.
        /// CTRL\[45\] pads k of f32 operands to 16 instead of 8, so that fractals along k come in pairs. With the unit flag
        /// on, every 512 B of the result that have rows wait until their flag is 0; `unit_last` then sets it, `unit_keep`
        /// leaves it to a later `mmad`.
        0x40 mmad Mmad { ty: MmadTy, dst: InOut<L0c>, a: In<L0a>, b: In<L0b>, m: Val<12>, k: Val<12>, n: Val<12>, init: CInit, bias: In<Bt>, unit: UnitFlag };
        /// Multiplies a plain vector of k elements in L0A by an L0B tile (k×n, nZ); the result is row 0 of a row of L0C fractals. (row 35)
        ///
        /// As `mmad` with m = 1, which would read the vector from the first rows of k/K0 fractals; not for s4 and `f16f16`.
        0x41 gemv Gemv { ty: MmadTy, dst: InOut<L0c>, a: In<L0a>, b: In<L0b>, k: Val<12>, n: Val<12>, init: CInit, bias: In<Bt>, unit: UnitFlag };
    }

    engine Mte1 executes Mte1Unit {
        /// Fills L0A with a value: `rep` runs of `len` fractals of 512 B, `gap` fractals between runs. (row 41)
        ///
        /// `value` holds an element of 16 or 32 bits in its low bits.
        0x44 fill_l0a FillL0a { size: ElemSize, dst: Out<L0a>, value: VecScalar, rep: Val<15>, len: Val<15>, gap: Val<15> };
        /// Fills L0B with a value, as `fill_l0a`. (row 41)
        0x45 fill_l0b FillL0b { size: ElemSize, dst: Out<L0b>, value: VecScalar, rep: Val<15>, len: Val<15>, gap: Val<15> };
        /// Fills L1 with a value: `rep` runs of `len` blocks of 32 B, `gap` blocks between runs. (row 41)
        0x46 fill_l1 FillL1 { size: ElemSize, dst: Out<L1>, value: VecScalar, rep: Val<15>, len: Val<15>, gap: Val<15> };
        /// Copies `len` blocks of 32 B of f16 bias values from L1 to the bias table, each widened to f32. (row 42)
        0x47 mov_l1_bt_f16 MovL1BtF16 { dst: Out<Bt>, src: In<L1>, len: Val<8> };
        /// Copies `rep` fractals of 512 B from L1 to L0A; strides in fractals. (row 37)
        ///
        /// Source fractals lie `src_stride` apart (start to start); destination fractals have `dst_gap` fractals between them.
        0x48 ld2d_a Ld2dA { dst: Out<L0a>, src: In<L1>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8> };
        /// Copies `rep` fractals of 512 B from L1 to L0B; strides in fractals, as in `ld2d_a`. (row 38)
        0x49 ld2d_b Ld2dB { dst: Out<L0b>, src: In<L1>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8> };
        /// Transposing load to L0A. (row 39)
        ///
        /// A repeat turns a square: b16 one fractal 16×16; b8 two fractals 32×32; b32 two fractals 16×16; b4 four fractals
        /// 64×64, two elements a byte. Each further source (destination) fractal of a square lies `src_pair` (`dst_pair`)
        /// fractals after the one before. Element (r, c)
        /// of the square goes to (c, r); the square is read row by row, for b8 rows 0-15 in the first fractal and 16-31
        /// in the second, for b4 sixteen rows a fractal, for b32 columns 0-7 in the first and 8-15 in the second; it is written the same way. The first
        /// destination fractal of a repeat lies `dst_gap` + 1 fractals after that of the repeat before.
        0x4a ld2dt_a Ld2dtA { size: SquareSize, dst: Out<L0a>, src: In<L1>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8>, src_pair: Val<12>, dst_pair: Val<8> };
        /// Transposing load to L0B; see `ld2dt_a`. (row 39)
        0x4b ld2dt_b Ld2dtB { size: SquareSize, dst: Out<L0b>, src: In<L1>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8>, src_pair: Val<12>, dst_pair: Val<8> };
        /// Copies `len` blocks of 32 B of bias words from L1 to the bias table. (row 42)
        0x4c mov_l1_bt MovL1Bt { dst: Out<Bt>, src: In<L1>, len: Val<8> };
        /// Loads a part of the matrix of a convolution to L0A as fractals, reading an image NC1HWC0 in L1. (row 40)
        ///
        /// Row m of the matrix is position (m / Wo, m % Wo) of the window, column ((c1 * Kh + kh) * Kw + kw) * C0 + c0 an
        /// element of it; C0 = 32 B / element size. Where the window reaches into the padding stands spr `padding`.
        /// `part` holds columns 15:0, rows 31:16, first column 47:32 and first row 63:48 of the part; columns come in
        /// multiples of C0, rows are rounded up to 16, and what lies outside the matrix or the part is zero (we choose).
        /// `window` holds the strides along width 5:0 and height 11:6, the extents of the window 19:12 and 27:20 with
        /// their bit 8 in 44 and 45, the dilations 35:28 and 43:36, transposition 46, spr `fmatrix_b` instead of
        /// `fmatrix` 47, and the channels 63:48, a multiple of C0 (we choose the fields). The part is the left operand, or
        /// with transposition (b16 only) its transpose is; fractals lie row by row. Spr `l3d_rpt` repeats the load along
        /// the rows or the columns, the results one behind the other (we choose).
        0x4d ld3d_a Ld3dA { size: ElemSize, dst: Out<L0a>, src: In<L1>, part: XIn, window: XIn };
        /// Loads a part of the matrix of a convolution to L0B as fractals; see `ld3d_a`. (row 40)
        ///
        /// The transpose of the part is the right operand, or with transposition (b16 only) the part itself (we choose,
        /// as for `ld2d_b` and `ld2dt_b`); fractals lie along n first.
        0x4e ld3d_b Ld3dB { size: ElemSize, dst: Out<L0b>, src: In<L1>, part: XIn, window: XIn };
    }

    engine Mte2 executes Mte2Unit {
        /// Copies `count` bursts of `len` blocks of 32 B from global memory to L1; gaps in blocks, between the end of one burst and the start of the next. (row 43)
        ///
        /// A count or length of zero copies nothing, here and in every other copy (we choose).
        0x50 mov_gm_l1 MovGmL1 { dst: Out<L1>, src: In<Gm>, burst: Burst, src_gap: Val<16>, dst_gap: Val<16> };
        /// Reads an `n`×`d` row-major matrix (rows `src_stride` elements apart) and writes it as NZ fractals to L1. (row 44)
        ///
        /// Element (r, c) goes to ((c / C0) * `dst_rows` + r) * C0 + c % C0, with C0 = 32 B / element size; `dst_rows` is the
        /// padded row count. Columns up to the next multiple of C0 are filled with zero; rows beyond `n` are not written.
        0x51 nd2nz_gm_l1 Nd2nzGmL1 { size: ElemSize, dst: Out<L1>, src: In<Gm>, n: Val<14>, d: Val<16>, src_stride: Val<16>, dst_rows: Val<14> };
        /// Copies bursts of blocks of 32 B from global memory to UB. (row 46)
        0x52 mov_gm_ub MovGmUb { dst: Out<Ub>, src: In<Gm>, burst: Burst, src_gap: Val<16>, dst_gap: Val<16> };
        /// Copies `count` bursts of `len` bytes from global memory to UB; each starts at a block boundary and is followed by `dst_gap` blocks. (row 47)
        ///
        /// The rest of the last block of a burst is filled with the pad value of spr `padval` (its low bytes, repeated by
        /// element size); `src_gap` is in bytes.
        0x53 movpad_gm_ub MovpadGmUb { size: ElemSize, dst: Out<Ub>, src: In<Gm>, burst: Burst, src_gap: ByteGap, dst_gap: BlockGap };
        /// Copies `rep` fractals of 512 B from global memory to L0A; strides in fractals, as in `ld2d_a`. (row 48)
        0x54 mov_gm_l0a MovGmL0a { dst: Out<L0a>, src: In<Gm>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8> };
        /// Copies `rep` fractals of 512 B from global memory to L0B, as `mov_gm_l0a`. (row 48)
        0x55 mov_gm_l0b MovGmL0b { dst: Out<L0b>, src: In<Gm>, rep: Rep, src_stride: Val<16>, dst_gap: Val<8> };
        /// Reads several row-major matrices and writes each as NZ fractals to L1, with free strides. (row 44)
        ///
        /// `shape` holds the count of matrices 15:4, rows 31:16, columns 47:32 and the elements from one matrix to the
        /// next in global memory 63:48. `strides` holds the elements from row to row in global memory 15:0, and in L1 the
        /// blocks of 32 B from one column of blocks to the next 31:16 and from row to row 47:32, and the elements from
        /// one matrix to the next 63:48, whole blocks (we choose the fields). Columns up to the next multiple of C0 are
        /// filled with zero.
        0x56 nd2nzx_gm_l1 Nd2nzxGmL1 { size: ElemSize, dst: Out<L1>, src: In<Gm>, shape: XIn, strides: XIn };
        /// As `movpad_gm_ub`, with `left` and `right` elements of the pad value around the bytes of each burst. (row 47)
        ///
        /// Each side takes at most a block of 32 B. What is left of the last block is filled with the pad value too.
        0x57 movpadlr_gm_ub MovpadlrGmUb { size: ElemSize, dst: Out<Ub>, src: In<Gm>, burst: Burst, src_gap: ByteGap, dst_gap: BlockGap, left: Val<5>, right: Val<5> };
    }

    engine Mte3 executes Mte3Unit {
        /// Copies bursts of blocks of 32 B from UB to global memory. (row 49)
        ///
        /// Spr `atomic`, which every store of MTE3 and the fixpipe obeys, makes it combine each element with the one there:
        /// bits 1:0 say add (1), max (2) or min (3), bits 6:4 the type. Stores of one kind from several cores or queues
        /// need no order among themselves; their sums are taken in the order of the cores within a round, integers wrap,
        /// floats round to nearest even and overflow by CTRL\\[48\\] (we choose).
        0x58 mov_ub_gm MovUbGm { dst: Out<Gm>, src: In<Ub>, burst: Burst, src_gap: Val<16>, dst_gap: Val<16> };
        /// Copies `count` bursts of exactly `len` bytes from UB (each at a block boundary, `src_gap` blocks apart) to global memory (`dst_gap` bytes apart). (row 50)
        0x59 movpad_ub_gm MovpadUbGm { dst: Out<Gm>, src: In<Ub>, burst: Burst, src_gap: BlockGap, dst_gap: ByteGap };
        /// Copies bursts of blocks of 32 B from L1 to global memory. (row 51)
        0x5a mov_l1_gm MovL1Gm { dst: Out<Gm>, src: In<L1>, burst: Burst, src_gap: Val<16>, dst_gap: Val<16> };
    }

    engine Fix executes FixUnit {
        /// Drains an m×n tile of L0C (NZ, `src_rows` padded rows) to global memory: quantise or cast, ReLU, then NZ→ND rows `dst_stride` elements apart. (rows 54, 58)
        ///
        /// With `nz` the tile is written as NZ fractals of the output type, C0 blocks `dst_stride` blocks of 32 B apart: 8-bit
        /// outputs merge two fractals of L0C side by side into 16×32, 4-bit outputs four into 16×64, and 32-bit outputs are
        /// split into 16×8 each. `nz16` does not split those: its columns of 64 B are `dst_stride` blocks of 32 B apart.
        /// Where fractals are written, `n` is a multiple of 16, or of 8 where they are split. Casts round to nearest even
        /// and saturate. Scalar quantisation (row 58) takes its word from spr `quant`, the per-column forms from the
        /// fixpipe buffer at spr `fpc`, one 8-byte word per column; s8 forms write u8 where the word says so. The s16 forms
        /// shift and saturate; a slope multiplies what is shifted, rounded to even (we choose). s4 forms saturate to s4,
        /// two a byte, the even column in the low half; `n`, and with `nd` `dst_stride`, are even. Slopes of `prelu` are
        /// binary32, one per column. Spr `atomic` combines with what is in global memory, as for `mov_ub_gm`.
        0x60 fix_l0c_gm FixL0cGm { ty: FixSrc, quant: QuantMode, relu: Relu, nd: Adj, unit: UnitFlag, dst: Out<Gm>, src: In<L0c>, m: Val<14>, n: Val<12>, src_rows: Val<14>, dst_stride: Val<16> };
        /// Drains an m×n tile of L0C to L1 as NZ fractals of the output type with `dst_rows` padded rows. (row 55)
        0x61 fix_l0c_l1 FixL0cL1 { ty: FixSrc, quant: QuantMode, relu: Relu, unit: UnitFlag, dst: Out<L1>, src: In<L0c>, m: Val<14>, n: Val<12>, src_rows: Val<14>, dst_rows: Val<14> };
        /// Copies `len` blocks of 32 B of quantisation words from L1 to the fixpipe buffer. (row 57)
        0x62 mov_l1_fb MovL1Fb { dst: Out<Fb>, src: In<L1>, len: Val<8> };
    }

    engine V executes VectorUnit {
        /// Adds lane by lane. (row 59)
        0x80 vadd Vadd { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Subtracts lane by lane. (row 60)
        0x81 vsub Vsub { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Multiplies lane by lane. (row 61)
        0x82 vmul Vmul { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Divides lane by lane, correctly rounded (we choose). (row 62)
        0x83 vdiv Vdiv { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Larger of two; NaN if either is NaN, -0 below +0 (we choose). (row 63)
        0x84 vmax Vmax { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Smaller of two; NaN if either is NaN, -0 below +0 (we choose). (row 63)
        0x85 vmin Vmin { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Bitwise and of 16-bit lanes, signed or not. (row 64)
        0x86 vand Vand { dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Bitwise or of 16-bit lanes, signed or not. (row 64)
        0x87 vor Vor { dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Bitwise complement of 16-bit lanes, signed or not. (row 65)
        0x88 vnot Vnot { dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Adds a scalar. (row 66)
        0x89 vadds Vadds { ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Multiplies by a scalar. (row 67)
        0x8a vmuls Vmuls { ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Larger of lane and scalar. (row 68)
        0x8b vmaxs Vmaxs { ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Smaller of lane and scalar. (row 69)
        0x8c vmins Vmins { ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Shifts integer lanes left by a scalar mod the bits of a lane (we choose). (row 70)
        0x8d vshl Vshl { ty: ShiftTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Shifts integer lanes right by a scalar mod the bits of a lane (we choose): signed ones arithmetically, unsigned ones logically. (row 70)
        0x8e vshr Vshr { ty: ShiftTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Adds a multiple: `dst = a * scalar + dst`, product rounded first (we choose, as `vmla` f16). (row 71)
        ///
        /// f16f32 has an f16 source and scalar and 64 lanes a repeat; its products are exact, so it rounds once.
        0x8f vaxpy Vaxpy { ty: FmaTy, dst: InOut<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Multiplies and accumulates: `dst = a * b + dst`; f16 rounds twice, f32 is fused. (row 72)
        ///
        /// f16f32 has f16 sources and 64 lanes a repeat; it rounds once.
        0x90 vmla Vmla { ty: FmaTy, dst: InOut<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Clamps below at zero; NaN stays NaN. (row 77)
        0x91 vrelu Vrelu { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Leaky ReLU: `a < 0 ? a * scalar : a`. (row 78)
        0x92 vlrelu Vlrelu { ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Absolute value. (row 79)
        0x93 vabs Vabs { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Exponential, as `num::exp_f32` defines it. (row 80)
        0x94 vexp Vexp { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Natural logarithm, as `num::ln_f32` defines it. (row 81)
        0x95 vln Vln { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Square root, correctly rounded. (row 82)
        0x96 vsqrt Vsqrt { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Reciprocal square root of low precision (we choose the bits: `num::vrsqrt_f32`). (row 83)
        0x97 vrsqrt Vrsqrt { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Reciprocal of low precision (we choose the bits: `num::vrec_f32`). (row 84)
        0x98 vrec Vrec { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Converts between element types with a rounding mode; a repeat covers 256 B of the wider type. (row 85)
        ///
        /// Overflow follows spr `ctrl`. f16 and bf16: bit 48 is 0 to saturate and make NaN zero, 1 to keep infinities and NaN.
        /// Integers: bit 53 is 1, as at launch, to saturate, 0 to keep the low bits; if bit 60 is 1, bit 59 decides instead, 0 to
        /// saturate, 1 to keep the low bits. NaN becomes 0.
        0x99 vconv Vconv { kind: ConvKind, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Compares lane by lane and writes one bit a lane, consecutively from `dst`. (row 87)
        ///
        /// Lowest bit first. A repeat writes the bytes up to its last active lane; bits of lanes that are off are 0 (we
        /// choose).
        0x9a vcmpv Vcmpv { cond: Cond, ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Compares with a scalar and writes one bit a lane, consecutively from `dst`; see `vcmpv`. (row 88)
        0x9b vcmpvs Vcmpvs { cond: Cond, ty: VecTy, dst: Out<Ub>, a: In<Ub>, scalar: VecScalar, rep: Rep, st: St2 };
        /// Selects by consecutive mask bits: `dst = bit ? a : b`. (row 89)
        ///
        /// The bits are those that `vcmpv` writes. Block strides go up to 7: four addresses leave no more room (we choose).
        0x9c vsel Vsel { ty: VecTy, dst: Out<Ub>, mask: In<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: StSel };
        /// Fills with a scalar. (row 90)
        0x9d vdup Vdup { ty: VecTy, dst: Out<Ub>, scalar: VecScalar, rep: Rep, st: St1 };
        /// Copies lanes with strides. (row 91)
        0x9e vcopy Vcopy { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Broadcasts: a repeat takes 8 consecutive elements and fills 8 blocks of 32 B, one each; not affected by mask or count. (row 92)
        0x9f vbrcb Vbrcb { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St1 };
        /// Writes `scalar` plus the number of the element, counted over all repeats. (row 93)
        0xa0 viota Viota { ty: VecTy, dst: Out<Ub>, scalar: VecScalar, rep: Rep, st: St1 };
        /// Sums each repeat to one element by a tree of adjacent pairs; lanes masked off count as +0. (row 94)
        0xa1 vcadd Vcadd { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Largest lane of each repeat; lanes masked off do not count. (row 95)
        0xa2 vcmax Vcmax { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Smallest lane of each repeat. (row 95)
        0xa3 vcmin Vcmin { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Sums each 32 B block to one element by adjacent pairs; 8 consecutive results a repeat. (row 96)
        ///
        /// A block without an active lane has no result. `dst_rep` counts elements: 8 puts all results side by side.
        0xa4 vcgadd Vcgadd { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Largest element of each 32 B block. (row 97)
        0xa5 vcgmax Vcgmax { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Smallest element of each 32 B block. (row 97)
        0xa6 vcgmin Vcgmin { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Adds adjacent pairs: half a repeat of results per repeat, consecutive; a pair without an active lane has no result. (row 98)
        ///
        /// `dst_rep` counts elements: 64 (f16) or 32 (f32) puts the results of the repeats side by side.
        0xa7 vcpadd Vcpadd { ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Copies bursts of blocks of 32 B inside UB. (row 53)
        0xa8 mov_ub_ub MovUbUb { dst: Out<Ub>, src: In<Ub>, burst: Burst, src_gap: Val<16>, dst_gap: Val<16> };
        /// Multiplies by the destination and adds: `dst = a * dst + b`. (row 73)
        ///
        /// f32 is fused; f16 rounds the product first, as `vmla` (we choose).
        0xa9 vmadd Vmadd { ty: VecTy, dst: InOut<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Multiplies by the destination, adds, and makes negative results +0: `dst = max(a * dst + b, 0)`. (row 75)
        0xaa vmaddrelu Vmaddrelu { ty: VecTy, dst: InOut<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Adds and makes negative results +0; s16 wraps first (we choose). (row 74)
        0xab vaddrelu Vaddrelu { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Subtracts and makes negative results +0; s16 wraps first (we choose). (row 74)
        0xac vsubrelu Vsubrelu { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Multiplies f16 lanes and converts to s8 or u8; a repeat has 128 lanes. (row 76)
        ///
        /// The product is rounded to f16, then to the nearest integer, ties to even (we choose). Overflow follows CTRL.
        0xad vmulconv Vmulconv { ty: FuseTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Adds, makes negative results +0 and converts: f16 to s8, f32 to f16, s16 to s8. (row 76)
        ///
        /// The sum is rounded in the type of the sources, then converted to nearest, ties to even (we choose). Overflow
        /// follows CTRL. A repeat covers 256 B of the sources.
        0xae vaddreluconv Vaddreluconv { ty: FuseTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Subtracts, makes negative results +0 and converts; see `vaddreluconv`. (row 76)
        0xaf vsubreluconv Vsubreluconv { ty: FuseTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Compares lane by lane and keeps one bit a lane in the register CMPMASK. (row 86)
        ///
        /// Lowest bit first; bits of lanes that are off are 0 (we choose). Each repeat replaces all 128 bits, so those of the
        /// last one stay. The register belongs to the vector unit, which orders its uses itself (we choose).
        0xb0 vcmp Vcmp { cond: Cond, ty: VecTy, a: In<Ub>, b: In<Ub>, rep: Rep, st: StCmp };
        /// Loads CMPMASK from 16 bytes. (row 86)
        0xb1 vsetcmp Vsetcmp { a: In<Ub> };
        /// Stores CMPMASK to 16 bytes. (row 86)
        0xb2 vgetcmp Vgetcmp { dst: Out<Ub> };
        /// Selects by the bits of CMPMASK, the same in every repeat: `dst = bit ? a : b`. (row 89)
        0xb3 vselc Vselc { ty: VecTy, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, rep: Rep, st: St3 };
        /// Selects by consecutive mask bits between a lane and a scalar in the low bits of a register: `dst = bit ? a : scalar`. (row 89)
        0xb4 vsels Vsels { ty: VecTy, dst: Out<Ub>, mask: In<Ub>, a: In<Ub>, scalar: XIn, rep: Rep, st: St2 };
        /// Largest lane of each repeat with its place; lanes masked off do not count. (row 95)
        ///
        /// `order` says what a result is: value and place (`vi`), place and value (`iv`), or the place alone (`i`). The place is
        /// the number of the lane in its repeat, as many bits wide as the lane; of equal lanes the first counts, and so does
        /// the first NaN if there is one (we choose). `dst_rep` counts results.
        0xb5 vcmaxi Vcmaxi { order: IndexOrder, ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Smallest lane of each repeat with its place; see `vcmaxi`. (row 95)
        0xb6 vcmini Vcmini { order: IndexOrder, ty: VecTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
        /// Gathers elements: lane n takes the element at `src` plus the n-th byte offset. (row 101)
        ///
        /// Offsets are 32 bits each, side by side over all repeats, and multiples of the element's size.
        0xb7 vgather Vgather { size: ElemSize, dst: Out<Ub>, offsets: In<Ub>, src: In<Ub>, rep: Rep, st: St1 };
        /// Gathers blocks of 32 B: a repeat takes 8 byte offsets of 32 bits, multiples of 32, and fills 8 blocks; not affected by mask or count. (row 102)
        0xb8 vgatherb Vgatherb { dst: Out<Ub>, offsets: In<Ub>, src: In<Ub>, rep: Rep, st: St1 };
        /// Keeps the lanes of a pattern and writes them side by side, over all repeats; their number goes to spr `rsvd_cnt`. (row 104)
        ///
        /// Pattern 1 keeps lanes 0, 2, 4…, 2 keeps 1, 3, 5…; 3 to 6 keep lane 0, 1, 2 or 3 of each four; 7 keeps all. Lanes
        /// masked off are left out.
        0xb9 vcompress Vcompress { size: ElemSize, pattern: UImm<3>, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StSrc };
        /// Keeps the lanes whose mask bit is one; see `vcompress`. (row 104)
        0xba vcompressm Vcompressm { size: ElemSize, dst: Out<Ub>, a: In<Ub>, mask: In<Ub>, rep: Rep, st: StMask };
        /// Sorts 32 scores with their indices a repeat, descending; not affected by mask or count. (row 105)
        ///
        /// Writes pairs of 8 B: the score in the low 2 or 4 bytes (the rest 0), then the index of 32 bits. Equal scores keep
        /// their order; NaN stands before every number and +0 before -0 (we choose).
        0xbb vsort32 Vsort32 { ty: VecTy, dst: Out<Ub>, a: In<Ub>, index: In<Ub>, rep: Rep };
        /// Merges up to four descending lists of pairs of 8 B as `vsort32` writes them; of equal scores that of the first list comes first. (row 106)
        ///
        /// `lengths` holds four numbers of pairs, 16 bits each, at most 4095; a list of none is left out. It ends when all lists
        /// are exhausted, or the first one; how many pairs it took from each list goes to spr `mrg_cnt`. With more repeats the
        /// four lists are of one length and adjacent, and each repeat takes the next four (facts §3.7; ADK MrgSort).
        0xbc vmrg4 Vmrg4 { ty: VecTy, end: MergeEnd, dst: Out<Ub>, a: In<Ub>, b: In<Ub>, c: In<Ub>, d: In<Ub>, lengths: XIn, rep: Rep };
        /// Transposes a 16×16 matrix of 16-bit elements, 512 B on both sides; not affected by mask or count. (row 99)
        0xbd vtranspose Vtranspose { dst: Out<Ub>, a: In<Ub> };
        /// Transposes 16 blocks into 16 blocks, which two vector address registers each name; not affected by mask or count. (row 100)
        ///
        /// `src` and `dst` are the first of two registers. b16: element k of block e becomes element e of block k. b32: element
        /// e of blocks 0-7 becomes block 2e, of blocks 8-15 block 2e + 1. b8: as b16 on one half of each block. Repeats go on
        /// `dst_rep` and `src_rep` blocks further.
        0xbe vnchwconv Vnchwconv { size: ElemSize, dst_half: Half, src_half: Half, dst: UImm<3>, src: UImm<3>, rep: Rep, dst_rep: Val<16>, src_rep: Val<16> };
        /// Converts with the scale in spr `deqscale`; a repeat covers 256 B of the source. (row 85)
        ///
        /// s32f16: to f32, times the scale, to f16, each to nearest even (we choose). s16b8: as the fixpipe's REQ8 without its
        /// shift: times the scale, to the nearest integer, plus the offset, saturated to s8 or u8.
        0xbf vdeq Vdeq { ty: DeqTy, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: St2 };
        /// Converts f16 to s4, two to a byte, the first in the low half; a repeat of 128 lanes fills 64 consecutive bytes. (row 85)
        ///
        /// A byte without an active lane keeps what it has; the other half of a byte with one is 0 (we choose). `dst_rep`
        /// counts bytes. Overflow follows CTRL as in `vconv`.
        0xc0 vconv_s4 VconvS4 { round: RoundWord, dst: Out<Ub>, a: In<Ub>, rep: Rep, st: StRed };
    }
}
