//! Every kind of fault from the shortest program that shows it, with its place.

use emulator::{Fault, FaultKind, Options, WaitReason, run};
use isa::object::{Object, ParamDir};
use isa::types::{Elem, Pipe, Space};

use crate::common::*;

fn fails(object: &Object, inputs: &[Option<Vec<u8>>]) -> Fault {
    match try_run(object, inputs) {
        Ok(_) => panic!("the program ran to its end"),
        Err(fault) => fault,
    }
}

fn cube_fails(text: &str) -> Fault {
    fails(&object(vec![], &format!("{text}\nend"), "", 1), &[])
}

fn vector_fails(text: &str) -> Fault {
    fails(&object(vec![], "", &format!("{text}\nend"), 1), &[])
}

fn pc(fault: &Fault) -> u32 {
    fault.place.as_ref().expect("an instruction is to blame").pc
}

/// One input of 64 B at x2, one output of 64 B at x3.
fn with_tensors(text: &str) -> Object {
    let params = vec![
        param("a", Elem::F32, &[16], ParamDir::In),
        param("y", Elem::F32, &[16], ParamDir::Out),
    ];
    let text = format!(
        "rdspr x1, subblockid\nbcc.ne x1, 0, done\nrdspr x1, para_base
         ld.b64.gm x2, x1, 0\nld.b64.gm x3, x1, 8\n{text}\ndone:\nend"
    );
    object(params, "", &text, 1)
}

const INPUT: [u8; 64] = [1; 64];

fn tensors_fail(text: &str) -> Fault {
    fails(&with_tensors(text), &[Some(INPUT.to_vec()), None])
}

#[test]
fn endless_vector_work_ends_before_memory_does() {
    let text = "vdup.f32 ub+0, 0, 1, st(1,8)\nback:\nbar v\nvadds.f32 ub+0, ub+0, 0, 1, st(1,1,8,8)\njmp back";
    let fault = fails(&object(vec![], "", text, 8), &[]);
    let instructions = (1 << 20) / 64;
    assert_eq!(fault.kind, FaultKind::QueueLimit { instructions });
}

#[test]
fn uninitialised_operands() {
    let fault = cube_fails("mmad.f16 l0c+0, l0a+0, l0b+0, 16, 16, 16, 1, bt+0, unit_off");
    assert_eq!((fault.kind.code(), pc(&fault)), ("F0001", 0));
    assert!(fault.to_string().contains("`a` reads l0a+0x0"), "{fault}");
    let fault = vector_fails("vabs.f32 ub+0, ub+0x40, 1, st(1, 1, 8, 8)");
    assert!(matches!(
        fault.kind,
        FaultKind::Uninitialised {
            operand: "a",
            space: Space::Ub,
            address: 0x40
        }
    ));
    let fault = tensors_fail("mov_ub_gm gm+x3, ub+0, burst(1, 2), 0, 0");
    assert_eq!(fault.kind.code(), "F0001");
    let fault = tensors_fail("ld.b32.gm x5, x3, 4");
    assert_eq!(fault.kind.code(), "F0001");
}

#[test]
fn outputs_left_unwritten() {
    let fault = tensors_fail(
        "movpad_gm_ub.b32 ub+0, gm+x2, burst(1, 20), 0, 0
         set_flag mte2, mte3, 0
         wait_flag mte2, mte3, 0
         movpad_ub_gm gm+x3, ub+0, burst(1, 20), 0, 0",
    );
    assert_eq!(
        fault.kind,
        FaultKind::OutputUnwritten {
            tensor: "y".into(),
            element: 5
        }
    );
}

#[test]
fn out_of_bounds() {
    let fault = tensors_fail("mov_gm_ub ub+0, gm+x2, burst(1, 3), 0, 0");
    assert!(
        fault
            .to_string()
            .contains("outside `a`, which has 64 bytes"),
        "{fault}"
    );
    let fault = tensors_fail("mov_gm_ub ub+0x2ffe0, gm+x2, burst(1, 2), 0, 0");
    assert!(matches!(
        fault.kind,
        FaultKind::OutOfBounds {
            space: Space::Ub,
            operand: "dst",
            ..
        }
    ));
    let fault = tensors_fail("mov_gm_ub ub+0, gm+x20, burst(1, 1), 0, 0");
    assert_eq!(fault.kind.code(), "F0002");
    // An input may not be written.
    let fault = tensors_fail("st.b32.gm x2, 0, x1");
    assert_eq!(fault.kind.code(), "F0002");
    // The bit that leads past L2 in global memory leads nowhere in UB.
    let past = "li x9, 0x800000000000\n";
    for text in [
        "mov_gm_ub ub+x9, gm+x2, burst(1, 1), 0, 0",
        "vdup.f32 ub+x9, 0x0, 1, st(1,8)",
    ] {
        let fault = tensors_fail(&format!("{past}{text}"));
        let outside = matches!(
            fault.kind,
            FaultKind::OutOfBounds {
                space: Space::Ub,
                ..
            }
        );
        assert!(outside, "{fault}");
    }
}

#[test]
fn misaligned() {
    let fault = tensors_fail("mov_gm_ub ub+0x10, gm+x2, burst(1, 1), 0, 0");
    assert!(matches!(
        fault.kind,
        FaultKind::Misaligned {
            address: 0x10,
            align: 32,
            ..
        }
    ));
    let fault = cube_fails("mmad.f16 l0c+0x200, l0a+0, l0b+0, 16, 16, 16, 1, bt+0, unit_off");
    assert!(matches!(
        fault.kind,
        FaultKind::Misaligned {
            operand: "dst",
            align: 1024,
            ..
        }
    ));
}

#[test]
fn flags_misused() {
    let fault = cube_fails("set_flag mte2, mte1, 3\nset_flag mte2, mte1, 3");
    assert_eq!(
        fault.kind,
        FaultKind::FlagSetTwice {
            src: Pipe::Mte2,
            dst: Pipe::Mte1,
            id: 3
        }
    );
    // The wait comes between them in the program, but nothing tells the setter that it has happened.
    let fault =
        cube_fails("set_flag mte2, mte1, 3\nwait_flag mte2, mte1, 3\nset_flag mte2, mte1, 3");
    assert_eq!((fault.kind.code(), pc(&fault)), ("F0004", 2));
    let fault = cube_fails("set_flag mte2, mte1, 3");
    assert_eq!(
        fault.kind,
        FaultKind::FlagLeaked {
            src: Pipe::Mte2,
            dst: Pipe::Mte1,
            id: 3
        }
    );
    let fault = cube_fails("xset mte2, 0, 4");
    assert!(matches!(
        fault.kind,
        FaultKind::CounterLeaked { id: 4, value: 1 }
    ));
    let fault = cube_fails("loop 16, last\nxset mte2, 0, 4\nlast:\nendloop");
    assert!(matches!(
        fault.kind,
        FaultKind::CounterOverflow { id: 4, .. }
    ));
}

#[test]
fn a_wait_before_its_set_is_legal() {
    let text = "wait_flag m, mte1, 0
        bar mte1
        set_flag m, mte1, 0
        bar all
        end";
    assert!(try_run(&object(vec![], text, "", 1), &[]).is_ok());
}

#[test]
fn deadlocks_name_who_waits_for_what() {
    let fault =
        cube_fails("wait_flag mte2, mte1, 5\nset_flag mte1, m, 0\nwait_flag mte1, m, 0\nbar all");
    let FaultKind::Deadlock { waits, .. } = &fault.kind else {
        panic!("{fault}");
    };
    let reasons: Vec<_> = waits.iter().map(|w| (w.pipe, w.pc, w.reason)).collect();
    assert_eq!(
        reasons,
        [
            (Pipe::S, 3, WaitReason::Drain { pipe: Pipe::M }),
            (
                Pipe::M,
                2,
                WaitReason::Flag {
                    src: Pipe::Mte1,
                    dst: Pipe::M,
                    id: 0
                }
            ),
            (
                Pipe::Mte1,
                0,
                WaitReason::Flag {
                    src: Pipe::Mte2,
                    dst: Pipe::Mte1,
                    id: 5
                }
            ),
        ]
    );
    // Two kinds of core wait for each other.
    let both = object(
        vec![],
        "xwait fix, 2, 1\nxset fix, 2, 1\nend",
        "xwait mte2, 2, 1\nxset mte2, 2, 1\nend",
        1,
    );
    let fault = fails(&both, &[]);
    assert!(
        fault.to_string().contains(
            "fix of cube core 0 at instruction 0 waits for cross-core counter 1, which takes a set from each of 2"
        ),
        "{fault}"
    );
    // More than a queue holds behind a wait that never ends.
    let fault = cube_fails(&format!(
        "wait_flag m, mte1, 0\n{}set_flag m, mte1, 0",
        "bar mte1\n".repeat(40)
    ));
    assert!(
        fault
            .to_string()
            .contains("a place in the full queue of mte1"),
        "{fault}"
    );
}

#[test]
fn unordered_conflicts() {
    // The vector unit does not wait for the copy.
    let fault = tensors_fail(
        "mov_gm_ub ub+0, gm+x2, burst(1, 2), 0, 0\nvabs.f32 ub+0x100, ub+0, 1, st(1, 1, 8, 8)",
    );
    assert_eq!(fault.kind.code(), "F0001");
    let fault = tensors_fail(
        "li x8, 0xffff\nli x9, 0\nvsetmask x8, x9
         mov_gm_ub ub+0, gm+x2, burst(1, 2), 0, 0
         vabs.f32 ub+0x100, ub+0, 1, st(1, 1, 8, 8)",
    );
    let FaultKind::Unordered {
        space,
        address,
        pipe,
        write,
        other,
        ..
    } = &fault.kind
    else {
        panic!("{fault}");
    };
    assert_eq!(
        (*space, *address, *pipe, *write),
        (Space::Ub, 0, Pipe::V, false)
    );
    assert_eq!(
        (other.pipe, other.write, other.pc),
        (Pipe::Mte2, true, Some(8))
    );
    // A result is not there for the next instruction of the same queue.
    let dup = "vdup.f32 ub+0, 0, 1, st(1, 8)\n";
    let fault = vector_fails(&format!("{dup}vabs.f32 ub+0x100, ub+0, 1, st(1, 1, 8, 8)"));
    assert_eq!(fault.kind.code(), "F0010");
    let ordered = format!("{dup}bar v\nvabs.f32 ub+0x100, ub+0, 1, st(1, 1, 8, 8)\nend");
    assert!(try_run(&object(vec![], "", &ordered, 1), &[]).is_ok());
    // A copy out that another copy in overtakes, in global memory.
    let fault = tensors_fail(
        "mov_gm_ub ub+0, gm+x2, burst(1, 2), 0, 0
         set_flag mte2, mte3, 0
         wait_flag mte2, mte3, 0
         mov_ub_gm gm+x3, ub+0, burst(1, 2), 0, 0
         mov_gm_ub ub+0x100, gm+x3, burst(1, 2), 0, 0",
    );
    assert!(
        matches!(
            fault.kind,
            FaultKind::Unordered {
                space: Space::Gm,
                ..
            }
        ),
        "{fault}"
    );
}

#[test]
fn small_accumulations_need_a_barrier() {
    let zero = "nd2nz_gm_l1.b16 l1+0, gm+x2, 16, 16, 16, 16
        set_flag mte2, mte1, 0
        wait_flag mte2, mte1, 0
        ld2d_a l0a+0, l1+0, 1, 1, 0
        ld2d_b l0b+0, l1+0, 1, 1, 0
        set_flag mte1, m, 0
        wait_flag mte1, m, 0
        mmad.f16 l0c+0, l0a+0, l0b+0, 16, 16, 16, 1, bt+0, unit_off\n";
    let again = "mmad.f16 l0c+0, l0a+0, l0b+0, 16, 16, 16, 0, bt+0, unit_off\nend";
    let params = || vec![param("a", Elem::F16, &[16, 16], ParamDir::In)];
    let start = "rdspr x1, para_base\nld.b64.gm x2, x1, 0\n";
    let input = [Some(vec![0; 512])];
    let fault = fails(
        &object(params(), &format!("{start}{zero}{again}"), "", 1),
        &input,
    );
    assert_eq!(fault.kind.code(), "F0010");
    let ordered = object(params(), &format!("{start}{zero}bar m\n{again}"), "", 1);
    assert!(try_run(&ordered, &input).is_ok());
}

#[test]
fn refused_values_and_control_flow() {
    let fault = vector_fails("li x4, 256\nvdup.f32 ub+0, 0, x4, st(1, 8)");
    assert!(matches!(
        fault.kind,
        FaultKind::IllegalValue {
            operand: "rep",
            value: 256,
            ..
        }
    ));
    assert_eq!(cube_fails("div x1, x1, x2").kind, FaultKind::DivisionByZero);
    assert_eq!(cube_fails("trap 77").kind, FaultKind::Trap { code: 77 });
    assert_eq!(cube_fails("ret").kind.code(), "F0011");
    assert_eq!(cube_fails("jmp @500").kind.code(), "F0011");
    assert_eq!(cube_fails("back:\njmp back").kind.code(), "F0008");
    let fault = fails(&object(vec![], "nop", "", 1), &[]);
    assert_eq!((fault.kind.code(), pc(&fault)), ("F0011", 1));
    assert_eq!(cube_fails("wrspr blockid, 3").kind.code(), "F0011");
}

#[test]
fn inputs_must_fit() {
    let kernel = with_tensors("nop");
    assert_eq!(fails(&kernel, &[None]).kind.code(), "E0705");
    assert_eq!(fails(&kernel, &[None, None]).kind.code(), "E0705");
    assert_eq!(
        fails(&kernel, &[Some(vec![0; 63]), None]).kind.code(),
        "E0705"
    );
    let wide = object(vec![], "end", "", 25);
    assert_eq!(fails(&wide, &[]).kind.code(), "E0603");
}

#[test]
fn the_first_core_in_order_names_the_fault() {
    let kernel = object(
        vec![],
        "rdspr x1, blockid\nbcc.lt x1, 2, done\ntrap 1\ndone:\nend",
        "",
        8,
    );
    for threads in [1, 4] {
        let options = Options {
            threads,
            ..Options::default()
        };
        let fault = run(&kernel, &[], &chip(), &options).expect_err("six cores trap");
        assert_eq!(fault.place.expect("a place").core.group, 2);
    }
}
