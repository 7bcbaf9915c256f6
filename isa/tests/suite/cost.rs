//! Costs against the published rows that one instruction stream can show (davinci-facts §9.3 rows 1 to 5).

use isa::chip::Chip;
use isa::cost::{Cost, cost};
use isa::inst::*;

fn chip() -> Chip {
    Chip::builtin("910b2").expect("it is built in")
}

fn of(inst: impl Into<Inst>) -> Cost {
    cost(&inst.into(), &NoRegs, &chip())
}

/// Cycles of `count` equal instructions in a row on an idle pipe.
fn stream(one: Cost, count: u32) -> u32 {
    one.head + one.occ * count + one.tail
}

fn mmad(ty: MmadTy, m: u32, n: u32, k: u32) -> Mmad {
    Mmad {
        ty,
        dst: InOut::imm(0),
        a: In::imm(0),
        b: In::imm(0),
        m: Val::Imm(m),
        k: Val::Imm(k),
        n: Val::Imm(n),
        init: Val::Imm(1),
        bias: In::imm(0),
        unit: UnitFlag::Off,
    }
}

fn vadd(dst: u32, a: u32, b: u32, rep: u32) -> Vadd {
    Vadd {
        ty: VecTy::F32,
        dst: Out::imm(dst),
        a: In::imm(a),
        b: In::imm(b),
        rep: Val::Imm(rep),
        st: St3::FLAT,
    }
}

fn within(value: u32, published: u32, percent: u32) -> bool {
    value.abs_diff(published) * 100 <= published * percent
}

#[test]
fn looped_mmads_meet_rows_1_and_2() {
    let wide = stream(of(mmad(MmadTy::F16, 128, 256, 64)), 8);
    let narrow = stream(of(mmad(MmadTy::F16, 128, 128, 64)), 8);
    assert_eq!((wide, narrow), (4221, 2173));
    assert!(within(wide, 4225, 3) && within(narrow, 2172, 5));
}

#[test]
fn mmad_rates_follow_the_type() {
    let busy = |ty| of(mmad(ty, 64, 64, 64)).occ - 9;
    assert_eq!(
        [MmadTy::F16, MmadTy::Bf16, MmadTy::S8, MmadTy::F32].map(busy),
        [64, 64, 32, 256]
    );
    assert_eq!(
        of(mmad(MmadTy::F16, 17, 1, 1)).occ,
        2 + 9,
        "part of a fractal costs a whole one"
    );
}

#[test]
fn bank_conflicts_meet_row_3() {
    let isolated = |inst: Vadd| stream(of(inst), 1);
    // Sources 256 B apart modulo 512, destination in another bank.
    let free = isolated(vadd(0x20000, 0, 0x4100, 64));
    // Both sources at multiples of 512: every group is read twice.
    let reads = isolated(vadd(0x20000, 0, 0x4000, 64));
    // The destination trails into the groups that a source is read from, in its bank.
    let clash = isolated(vadd(0x8100, 0, 0x14100, 64));
    assert!(within(free, 86, 5), "{free}");
    assert!(within(reads, 150, 5), "{reads}");
    assert!(within(clash, 135, 10), "{clash}");
    assert_eq!(
        isolated(vadd(0x8000, 0, 0x14100, 64)),
        free,
        "an aligned destination costs nothing extra"
    );
}

#[test]
fn one_group_serves_its_blocks_one_by_one() {
    let st = St2 {
        dst_blk: 1,
        a_blk: 16,
        dst_rep: 8,
        a_rep: 1,
    };
    let gather = Vcopy {
        ty: VecTy::F32,
        dst: Out::imm(0x10000),
        a: In::imm(0),
        rep: Val::Imm(10),
        st,
    };
    assert_eq!(of(gather).occ, 80);
}

#[test]
fn dependent_repeats_wait() {
    let st = St3 {
        dst_rep: 0,
        a_rep: 0,
        b_rep: 0,
        ..St3::FLAT
    };
    let chain = Vadd {
        st,
        ..vadd(0, 0, 0x10100, 5)
    };
    assert_eq!(of(chain).occ, 5 + 4 * 18);
}

#[test]
fn long_repeats_cost_as_their_parts() {
    for (dst, a, b) in [
        (0x20000, 0, 0x4100),
        (0x20000, 0, 0x4000),
        (0x8100, 0, 0x14100),
    ] {
        let whole = of(vadd(dst, a, b, 160)).occ;
        let parts: u32 = (0..10)
            .map(|i| of(vadd(dst + i * 4096, a + i * 4096, b + i * 4096, 16)).occ)
            .sum();
        assert!(whole.abs_diff(parts) <= 20, "{whole} {parts}");
    }
}

/// Registers with one value in each.
struct All(u64);

impl Regs for All {
    fn reg(&self, _reg: Reg) -> u64 {
        self.0
    }

    fn spr(&self, _spr: Spr) -> u64 {
        0
    }

    fn lanes(&self) -> Lanes {
        Lanes::ALL
    }
}

#[test]
fn gathers_sorts_and_merges_cost_what_their_rows_say() {
    let busy = |text: &str, value: u64| {
        let inst = parse_inst(text, &|_| None).expect("it parses");
        cost(&inst, &All(value), &chip()).occ
    };
    // Facts 10.6 rows 101, 102, 104: 24r + 3 and 12r + 3, a floor of 11, 14 a repeat.
    let gather = |size: &str| format!("vgather.{size} ub+0x10000, ub+0x0, ub+0x8000, 10, st(1,8)");
    assert_eq!(busy(&gather("b16"), 0), 243);
    assert_eq!(busy(&gather("b32"), 0), 123);
    let blocks = |rep: u32| format!("vgatherb ub+0x10000, ub+0x0, ub+0x8000, {rep}, st(1,8)");
    assert_eq!([2, 20].map(|rep| busy(&blocks(rep), 0)), [11, 40]);
    assert_eq!(
        busy("vcompress.b16 1, ub+0x10000, ub+0x0, 10, st(1,8)", 0),
        140
    );
    // Row 105: 16 a repeat of 32. Row 106: half a cycle a pair and 20.
    assert_eq!(
        busy("vsort32.f32 ub+0x10000, ub+0x0, ub+0x8000, 4", 0),
        4 * 16
    );
    let merge = "vmrg4.f32.all ub+0x10000, ub+0x0, ub+0x100, ub+0x200, ub+0x300, x1, 2";
    assert_eq!(busy(merge, 0x0020_0020_0020_0020), 2 * 128 / 2 + 20);
    // Rows 99, 100, 85: 2 a square, 2 a repeat, s64 2 a repeat.
    assert_eq!(busy("vtranspose ub+0x10000, ub+0x0", 0), 3);
    assert_eq!(busy("vnchwconv.b16.low.low 0, 2, 10, 16, 16", 0), 20);
    let wide = "vconv.f32.s64.r ub+0x10000, ub+0x0, 10, st(1,1,8,4)";
    assert_eq!(busy(wide, 0), 20);
}

#[test]
fn fractal_loads_meet_row_4() {
    let load = Ld2dB {
        dst: Out::imm(0),
        src: In::imm(0),
        rep: Val::Imm(32),
        src_stride: Val::Imm(1),
        dst_gap: Val::Imm(0),
    };
    assert_eq!(of(load).occ, 129);
    assert!(within(of(load).occ, 131, 2));
}

#[test]
fn copies_meet_row_5_and_name_their_traffic() {
    let burst = Burst {
        count: Val::Imm(1),
        len: Val::Imm(1024),
    };
    let copy = MovGmL1 {
        dst: Out::imm(0),
        src: In::reg(Reg(1)),
        burst,
        src_gap: Val::Imm(0),
        dst_gap: Val::Imm(0),
    };
    let cost = of(copy);
    assert!(within(stream(cost, 1), 383, 10), "{cost:?}");
    assert_eq!(
        cost.gm.map(|gm| (gm.bytes, gm.bursts, gm.write)),
        Some((32768, 1, false))
    );
}

#[test]
fn matrices_hold_the_pipe_until_they_are_there() {
    let matrix = |d| Nd2nzGmL1 {
        size: ElemSize::B16,
        dst: Out::imm(0),
        src: In::reg(Reg(1)),
        n: Val::Imm(64),
        d: Val::Imm(d),
        src_stride: Val::Imm(4096),
        dst_rows: Val::Imm(64),
    };
    assert_eq!(
        [of(matrix(64)).occ, of(matrix(256)).occ],
        [105 + 170 + 70, 105 + 170 + 278]
    );
}

#[test]
fn every_sample_has_a_cost_and_effects() {
    let mut rng = crate::common::Xorshift(17);
    let chip = chip();
    for round in 0..5000 {
        let opcode = Opcode::ALL[round % Opcode::ALL.len()];
        let inst = Inst::sample(opcode, &mut || rng.next());
        assert!(
            cost(&inst, &NoRegs, &chip).occ > 0 || inst.memory().len() == 2,
            "{inst}"
        );
        for access in inst.effects(&NoRegs) {
            let (low, high) = access.span();
            assert!(
                access
                    .pieces()
                    .take(100)
                    .all(|(at, len)| low <= at && at + len <= high),
                "{inst}"
            );
        }
    }
}
