//! Effects: which bytes instructions touch, and that every place an instruction names has some.

use isa::effects::Access;
use isa::inst::*;
use isa::types::Space;

/// Registers for tests: every general register holds its number times 0x100.
struct Fixed(Lanes);

impl Regs for Fixed {
    fn reg(&self, reg: Reg) -> u64 {
        u64::from(reg.0) * 0x100
    }

    fn spr(&self, _spr: Spr) -> u64 {
        0x40
    }

    fn lanes(&self) -> Lanes {
        self.0
    }
}

fn effects(inst: impl Into<Inst>, lanes: Lanes) -> Vec<Access> {
    inst.into().effects(&Fixed(lanes)).to_vec()
}

/// Ranges of an operand, joined where they touch.
fn ranges(inst: impl Into<Inst>, lanes: Lanes, operand: &str) -> Vec<(u64, u64)> {
    let accesses = effects(inst, lanes);
    let mut pieces: Vec<(u64, u64)> = accesses
        .iter()
        .filter(|a| a.operand == operand)
        .flat_map(Access::pieces)
        .collect();
    pieces.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (at, len) in pieces {
        match joined.last_mut() {
            Some((_, end)) if *end == at => *end = at + len,
            Some(_) | None => joined.push((at, at + len)),
        }
    }
    joined
}

fn copy(st: St2, rep: u32) -> Vcopy {
    Vcopy {
        ty: VecTy::F32,
        dst: Out::imm(0x1000),
        a: In::imm(0),
        rep: Val::Imm(rep),
        st,
    }
}

#[test]
fn flat_lanes_are_one_piece() {
    let accesses = effects(copy(St2::FLAT, 3), Lanes::ALL);
    assert_eq!(
        accesses
            .iter()
            .map(|a| a.pieces().count())
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(ranges(copy(St2::FLAT, 3), Lanes::ALL, "a"), [(0, 768)]);
}

#[test]
fn masks_with_holes_touch_their_lanes_alone() {
    let mask = Lanes::Mask(0b1_0000_0110, u64::MAX);
    assert_eq!(
        ranges(copy(St2::FLAT, 2), mask, "a"),
        [(4, 12), (32, 36), (260, 268), (288, 292)]
    );
    let apart = St2 {
        a_blk: 2,
        ..St2::FLAT
    };
    assert_eq!(
        ranges(copy(apart, 1), Lanes::Mask(0x1ff80, 0), "a"),
        [(28, 32), (64, 96), (128, 132)]
    );
    assert_eq!(ranges(copy(apart, 1), Lanes::Mask(0, u64::MAX), "a"), []);
}

#[test]
fn counts_end_inside_a_repeat() {
    assert_eq!(
        ranges(copy(St2::FLAT, 1), Lanes::Count(70), "dst"),
        [(0x1000, 0x1000 + 280)]
    );
    let gap = St2 {
        a_rep: 16,
        ..St2::FLAT
    };
    assert_eq!(
        ranges(copy(gap, 1), Lanes::Count(70), "a"),
        [(0, 256), (512, 536)]
    );
}

#[test]
fn conversions_take_narrow_blocks() {
    let kind =
        ConvKind::exact(isa::types::Elem::F16, isa::types::Elem::F32).expect("the machine has it");
    let st = St2 {
        dst_blk: 1,
        a_blk: 1,
        dst_rep: 8,
        a_rep: 4,
    };
    let conv = Vconv {
        kind,
        dst: Out::imm(0x800),
        a: In::imm(0),
        rep: Val::Imm(2),
        st,
    };
    assert_eq!(ranges(conv, Lanes::ALL, "a"), [(0, 256)]);
    assert_eq!(ranges(conv, Lanes::ALL, "dst"), [(0x800, 0xa00)]);
}

#[test]
fn comparisons_and_reductions_write_little() {
    let (a, b, rep) = (In::imm(0x400), In::imm(0), Val::Imm(3));
    let cmp = Vcmpv {
        cond: Cond::Lt,
        ty: VecTy::F16,
        dst: Out::imm(0x2000),
        a,
        b,
        rep,
        st: St3::FLAT,
    };
    assert_eq!(ranges(cmp, Lanes::ALL, "dst"), [(0x2000, 0x2030)]);
    let sum = Vcadd {
        ty: VecTy::F32,
        dst: Out::imm(0x2004),
        a,
        rep,
        st: StRed::FLAT,
    };
    assert_eq!(ranges(sum, Lanes::ALL, "dst"), [(0x2004, 0x2010)]);
    let groups = Vcgadd {
        ty: VecTy::F32,
        dst: Out::imm(0x2000),
        a,
        rep,
        st: StRed::FLAT8,
    };
    assert_eq!(ranges(groups, Lanes::ALL, "dst"), [(0x2000, 0x2060)]);
    assert_eq!(
        ranges(cmp, Lanes::Mask(0xfff, 0), "dst"),
        [(0x2000, 0x2002), (0x2010, 0x2012), (0x2020, 0x2022)]
    );
    assert_eq!(ranges(cmp, Lanes::Count(141), "dst"), [(0x2000, 0x2012)]);
    let some = Lanes::Mask(0b101 | 1 << 9 | 1 << 40, 0);
    assert_eq!(
        ranges(groups, some, "dst")[..2],
        [(0x2000, 0x2008), (0x2014, 0x2018)]
    );
    assert_eq!(
        effects(groups, some)
            .iter()
            .filter(|a| a.operand == "dst")
            .map(Access::bytes)
            .sum::<u64>(),
        36
    );
    assert_eq!(ranges(groups, Lanes::Count(9), "dst"), [(0x2000, 0x2008)]);
    assert_eq!(ranges(groups, Lanes::Count(73), "dst"), [(0x2000, 0x2028)]);
}

#[test]
fn copies_name_both_sides() {
    let burst = Burst {
        count: Val::Imm(2),
        len: Val::Imm(5),
    };
    let pad = MovpadGmUb {
        size: ElemSize::B16,
        dst: Out::imm(0x40),
        src: In::reg(Reg(3)),
        burst,
        src_gap: Val::Imm(7),
        dst_gap: Val::Imm(1),
    };
    assert_eq!(
        ranges(pad, Lanes::ALL, "src"),
        [(0x300, 0x305), (0x30c, 0x311)]
    );
    assert_eq!(ranges(pad, Lanes::ALL, "dst"), [(0x40, 0x60), (0x80, 0xa0)]);
    let store = St {
        size: MemSize::B32,
        mem: ScalarMem::Gm,
        base: XIn(Reg(2)),
        offset: SImm(-4),
        src: XIn(Reg(1)),
    };
    assert_eq!(ranges(store, Lanes::ALL, "base"), [(0x1fc, 0x200)]);
}

#[test]
fn matrices_become_fractals() {
    let nd2nz = Nd2nzGmL1 {
        size: ElemSize::B16,
        dst: Out::imm(0),
        src: In::reg(Reg(1)),
        n: Val::Imm(3),
        d: Val::Imm(17),
        src_stride: Val::Imm(100),
        dst_rows: Val::Imm(16),
    };
    assert_eq!(
        ranges(nd2nz, Lanes::ALL, "src"),
        [(0x100, 0x122), (0x1c8, 0x1ea), (0x290, 0x2b2)]
    );
    assert_eq!(ranges(nd2nz, Lanes::ALL, "dst"), [(0, 96), (512, 608)]);
    let turn = Ld2dtB {
        size: SquareSize::B8,
        dst: Out::imm(0),
        src: In::imm(0),
        rep: Val::Imm(2),
        src_stride: Val::Imm(8),
        dst_gap: Val::Imm(0),
        src_pair: Val::Imm(1),
        dst_pair: Val::Imm(4),
    };
    assert_eq!(ranges(turn, Lanes::ALL, "src"), [(0, 1024), (4096, 5120)]);
    assert_eq!(ranges(turn, Lanes::ALL, "dst"), [(0, 1024), (2048, 3072)]);
}

#[test]
fn the_cube_accumulates_only_when_it_is_told() {
    let mmad = |init| Mmad {
        ty: MmadTy::F16,
        dst: InOut::imm(0),
        a: In::imm(0),
        b: In::imm(0),
        m: Val::Imm(17),
        k: Val::Imm(16),
        n: Val::Imm(16),
        init: Val::Imm(init),
        bias: In::imm(0x40),
        unit: UnitFlag::Off,
    };
    let dirs = |init| {
        effects(mmad(init), Lanes::ALL)
            .iter()
            .map(|a| (a.space, a.dir))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        dirs(0),
        [
            (Space::L0c, Dir::InOut),
            (Space::L0a, Dir::In),
            (Space::L0b, Dir::In)
        ]
    );
    assert_eq!(dirs(1)[0], (Space::L0c, Dir::Out));
    assert_eq!(dirs(2)[3], (Space::Bt, Dir::In));
    assert_eq!(ranges(mmad(1), Lanes::ALL, "dst"), [(0, 2048)]);
}

#[test]
fn a_drain_reads_its_rows_and_its_quantisation_words() {
    let fix = |nd| FixL0cGm {
        ty: FixSrc::S32,
        quant: QuantMode::S32S8Vec,
        relu: Relu::Off,
        nd,
        unit: UnitFlag::Off,
        dst: Out::reg(Reg(1)),
        src: In::imm(0),
        m: Val::Imm(2),
        n: Val::Imm(20),
        src_rows: Val::Imm(16),
        dst_stride: Val::Imm(64),
    };
    assert_eq!(
        ranges(fix(Adj::On), Lanes::ALL, "dst"),
        [(0x100, 0x114), (0x140, 0x154)]
    );
    assert_eq!(ranges(fix(Adj::Off), Lanes::ALL, "dst"), [(0x100, 0x140)]);
    assert_eq!(
        ranges(fix(Adj::On), Lanes::ALL, "src"),
        [(0, 128), (1024, 1152)]
    );
    assert_eq!(
        ranges(fix(Adj::On), Lanes::ALL, "quant"),
        [(0x40, 0x40 + 160)]
    );
}

#[test]
fn every_named_place_has_effects_of_its_direction() {
    let mut rng = crate::common::Xorshift(31);
    for round in 0..20_000 {
        let opcode = Opcode::ALL[round % Opcode::ALL.len()];
        let inst = Inst::sample(opcode, &mut || rng.next());
        let places = inst.memory();
        for access in inst.effects(&Fixed(Lanes::ALL)) {
            let named = places
                .iter()
                .any(|p| p.operand == access.operand && p.space == access.space);
            assert!(
                named
                    || ["base", "quant", "relu"].contains(&access.operand)
                    || opcode == Opcode::Vnchwconv,
                "{inst}: {access:?}"
            );
        }
    }
}

/// The ranges of an operand of an instruction given as text.
fn of_text(text: &str, operand: &str) -> Vec<(u64, u64)> {
    let inst = parse_inst(text, &|_| None).expect("it parses");
    ranges(inst, Lanes::Count(100), operand)
}

#[test]
fn results_of_another_width_take_their_own_room() {
    let text = "vmulconv.f16s8 ub+0x0, ub+0x1000, ub+0x2000, 1, st(1,1,1,4,8,8)";
    assert_eq!(of_text(text, "dst"), [(0, 100)]);
    assert_eq!(of_text(text, "a"), [(0x1000, 0x1000 + 200)]);
    let text = "vmla.f16f32 ub+0x0, ub+0x1000, ub+0x2000, 1, st(1,1,1,8,4,4)";
    assert_eq!(of_text(text, "dst"), [(0, 400)]);
    assert_eq!(of_text(text, "b"), [(0x2000, 0x2000 + 200)]);
    let text = "vcmaxi.vi.f32 ub+0x0, ub+0x1000, 1, st(2,1,8)";
    assert_eq!(of_text(text, "dst"), [(0, 8), (16, 24)]);
    let text = "vconv_s4.r ub+0x0, ub+0x1000, 1, st(64,1,8)";
    assert_eq!(of_text(text, "dst"), [(0, 50)]);
    let text = "vconv.s64.f32.r ub+0x0, ub+0x1000, 1, st(1,1,4,8)";
    assert_eq!(of_text(text, "a"), [(0x1000, 0x1000 + 800)]);
}

#[test]
fn what_values_choose_is_all_that_they_may_choose() {
    let text = "vgather.b32 ub+0x0, ub+0x1000, ub+0x2000, 1, st(1,8)";
    assert_eq!(of_text(text, "offsets"), [(0x1000, 0x1000 + 400)]);
    assert_eq!(of_text(text, "src"), [(0x2000, 0x40000)]);
    let text = "vcompress.b32 3, ub+0x0, ub+0x1000, 1, st(1,8)";
    assert_eq!(of_text(text, "dst"), [(0, 2 * 64)]);
    assert_eq!(of_text(text, "a"), [(0x1000, 0x1000 + 400)]);
}

#[test]
fn merges_reach_as_far_as_their_lists() {
    // Register 3 holds 0x300: 768 pairs in the first list, none in the others.
    let text = "vmrg4.f32.first ub+0x0, ub+0x2000, ub+0x8, ub+0x10, ub+0x18, x3, 1";
    assert_eq!(of_text(text, "dst"), [(0, 768 * 8)]);
    assert_eq!(of_text(text, "a"), [(0x2000, 0x2000 + 768 * 8)]);
    assert_eq!(of_text(text, "b"), []);
}
