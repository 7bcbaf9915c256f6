//! Legality: each rule has an instruction that breaks it, and what is in a register is judged when it is known.

use isa::chip::Chip;
use isa::inst::{Inst, Lanes, Reg, Regs, Spr, parse_inst};
use isa::legal::{LegalError, Rule, check, check_core, check_object, check_values};
use isa::types::{CoreKind, Space};

fn inst(text: &str) -> Inst {
    parse_inst(text, &|_| None).expect("it parses")
}

fn chip() -> Chip {
    Chip::builtin(Chip::DEFAULT).expect("it is built in")
}

fn judge(text: &str) -> Result<(), LegalError> {
    check(&inst(text), &chip())
}

/// One value in every register.
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

fn broken(operand: &'static str, rule: Rule) -> Result<(), LegalError> {
    Err(LegalError { operand, rule })
}

#[test]
fn ordinary_instructions_are_legal() {
    for text in [
        "vadd.s16 ub+0x100, ub+0x0, ub+0x40, 255, st(1,1,1,8,8,8)",
        "mmad.f16 l0c+0x400, l0a+0x200, l0b+0x0, 16, 16, 16, 1, bt+0x0, unit_off",
        "vcadd.f32 ub+0x4, ub+0x0, 4, st(1,1,8)",
        "set_flag mte2, mte1, 7",
        "bar all",
        "fix_l0c_gm.f32.f32f16.relu.nd unit_off, gm+x1, l0c+0x40, 16, 16, 16, 128",
        "movpad_gm_ub.b16 ub+0x20, gm+x1, burst(1, 65535), 0, 0",
    ] {
        assert_eq!(judge(text), Ok(()), "{text}");
    }
}

#[test]
fn every_rule_is_checked() {
    let cases = [
        (
            "vdiv.s16 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vaddrelu.s32 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vmulconv.s16s8 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vaddreluconv.f16u8 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vcmp.eq.s32 ub+0x0, ub+0x0, 1, st(1,1,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vgather.b8 ub+0x0, ub+0x0, ub+0x0, 1, st(1,8)",
            "size",
            Rule::Type,
        ),
        (
            "vcompress.b16 0, ub+0x0, ub+0x0, 1, st(1,8)",
            "pattern",
            Rule::Type,
        ),
        (
            "vcmaxi.vi.f32 ub+0x4, ub+0x0, 1, st(1,1,8)",
            "dst",
            Rule::Misaligned { at: 4, align: 8 },
        ),
        (
            "vmrg4.f32.all ub+0x0, ub+0x4, ub+0x0, ub+0x0, ub+0x0, x1, 1",
            "a",
            Rule::Misaligned { at: 4, align: 8 },
        ),
        (
            "vnchwconv.b16.low.low 7, 0, 1, 0, 0",
            "dst",
            Rule::Limit { value: 7, max: 6 },
        ),
        (
            "vnchwconv.b32.low.high 0, 2, 1, 0, 0",
            "src_half",
            Rule::Type,
        ),
        (
            "vcmpvs.lt.s32 ub+0x0, ub+0x0, 0x1, 1, st(1,1,8,8)",
            "ty",
            Rule::Type,
        ),
        (
            "vadd.f32 ub+0x10, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)",
            "dst",
            Rule::Misaligned { at: 16, align: 32 },
        ),
        (
            "vcadd.f32 ub+0x2, ub+0x0, 4, st(1,1,8)",
            "dst",
            Rule::Misaligned { at: 2, align: 4 },
        ),
        (
            "mmad.f16 l0c+0x40, l0a+0x0, l0b+0x0, 16, 16, 16, 1, bt+0x0, unit_off",
            "dst",
            Rule::Misaligned {
                at: 64,
                align: 1024,
            },
        ),
        (
            "mmad.f16 l0c+0x0, l0a+0x0, l0b+0x0, 16, 16, 16, 3, bt+0x0, unit_off",
            "init",
            Rule::Limit { value: 3, max: 2 },
        ),
        ("set_flag mte2, mte2, 0", "dst", Rule::Pipe),
        ("wait_flag all, mte2, 0", "dst", Rule::Pipe),
        ("xset mte3, 3, 0", "mode", Rule::Limit { value: 3, max: 2 }),
        ("xset mte3, 2, 11", "id", Rule::Limit { value: 11, max: 10 }),
        ("wrspr blockid, 1", "spr", Rule::ReadOnly),
        (
            "fix_l0c_gm.f32.s32s8.norelu.nd unit_off, gm+x1, l0c+0x0, 1, 1, 1, 1",
            "quant",
            Rule::Source,
        ),
        (
            "fix_l0c_gm.f32.none.norelu.nd unit_off, gm+x1, l0c+0x0, 9000, 1, 1, 1",
            "m",
            Rule::Limit {
                value: 9000,
                max: 8192,
            },
        ),
        (
            "ld2d_a l0a+0x0, l1+0x0, 129, 1, 0",
            "dst",
            Rule::OutOfSpace {
                space: Space::L0a,
                end: 129 * 512,
                size: 65536,
            },
        ),
    ];
    for (text, operand, rule) in cases {
        assert_eq!(judge(text), broken(operand, rule), "{text}");
    }
}

#[test]
fn registers_are_judged_when_they_are_known() {
    let copy = inst("mov_gm_ub ub+0x0, gm+x1, burst(x2, 1), 0, 0");
    assert_eq!(check(&copy, &chip()), Ok(()));
    assert_eq!(
        check_values(&copy, &All(4096), &chip()),
        broken(
            "burst",
            Rule::Limit {
                value: 4096,
                max: 4095
            }
        )
    );
    let add = inst("vadds.f32 ub+x1, ub+x1, 0x0, x1, st(1,1,8,8)");
    assert_eq!(check_values(&add, &All(96), &chip()), Ok(()));
    assert_eq!(
        check_values(&add, &All(100), &chip()),
        broken("dst", Rule::Misaligned { at: 100, align: 32 })
    );
    let load = inst("ld.b32.ub x1, x2, 2");
    assert_eq!(
        check_values(&load, &All(4), &chip()),
        broken("base", Rule::Misaligned { at: 6, align: 4 })
    );
    let past = Rule::OutOfSpace {
        space: Space::Ub,
        end: 0x30004,
        size: 0x30000,
    };
    assert_eq!(
        check_values(&inst("ld.b32.ub x1, x2, 0"), &All(0x30000), &chip()),
        broken("base", past)
    );
    let far = inst("vadds.f32 ub+x1, ub+0x0, 0x0, 1, st(1,1,8,8)");
    assert!(check_values(&far, &All(u64::MAX - 31), &chip()).is_err());
}

#[test]
fn no_sample_makes_a_check_panic() {
    let mut rng = crate::common::Xorshift(41);
    let chip = chip();
    for round in 0..50_000 {
        let opcode = isa::inst::Opcode::ALL[round % isa::inst::Opcode::ALL.len()];
        let inst = Inst::sample(opcode, &mut || rng.next());
        let values = All(rng.next() >> (round % 64));
        let _ = (check(&inst, &chip), check_values(&inst, &values, &chip));
        isa::cost::cost(&inst, &values, &chip);
    }
}

#[test]
fn cores_have_their_own_pipes() {
    let on = |text: &str, core| check_core(&inst(text), core);
    assert_eq!(on("set_flag mte2, v, 0", CoreKind::Vector), Ok(()));
    assert_eq!(
        on("set_flag mte2, v, 0", CoreKind::Cube),
        broken("dst", Rule::Core(CoreKind::Cube))
    );
    assert_eq!(
        on("bar fix", CoreKind::Vector),
        broken("pipe", Rule::Core(CoreKind::Vector))
    );
    assert_eq!(on("bar all", CoreKind::Vector), Ok(()));
    let text = ".aiv\n bar v\n bar m\n vdiv.s32 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)\n end\n";
    let refused = check_object(&isa::asm::assemble(text).expect("it assembles"), &chip());
    let places: Vec<_> = refused
        .iter()
        .map(|(core, pc, error)| (*core, *pc, error.operand))
        .collect();
    assert_eq!(
        places,
        [(CoreKind::Vector, 1, "pipe"), (CoreKind::Vector, 2, "ty")]
    );
}
