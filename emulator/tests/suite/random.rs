//! Random programs: whatever an object says, a run ends in values or in a fault, never in a panic.

use emulator::{Options, Sanitize, Schedule, run};
use isa::inst::{End, Inst, Li, Opcode, Reg, SImm, XOut, info};
use isa::object::ParamDir;
use isa::types::{CoreKind, Elem};

use crate::common::*;

/// A small generator of 64-bit numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A program that sets registers to likely values and then does anything.
fn anything(random: &mut Random, kind: CoreKind, length: usize) -> Vec<Inst> {
    let likely = [
        0,
        1,
        2,
        16,
        32,
        64,
        128,
        256,
        512,
        1024,
        4096,
        0x1000_0000,
        0x1010_0200,
        -1,
        i64::MAX,
        1 << 20,
    ];
    let mut program: Vec<Inst> = (0..32)
        .map(|register| {
            let value = match random.next() % 8 {
                0 => random.next() as i64,
                _ => likely[(random.next() % likely.len() as u64) as usize],
            };
            Li {
                dst: XOut(Reg(register)),
                value: SImm(value),
            }
            .into()
        })
        .collect();
    while program.len() < 32 + length {
        let opcode = Opcode::ALL[(random.next() % Opcode::ALL.len() as u64) as usize];
        let inst = Inst::sample(opcode, &mut || random.next());
        // Most values that are drawn would end the program at once.
        let ends = matches!(
            opcode,
            Opcode::End | Opcode::Trap | Opcode::Jmp | Opcode::Ret | Opcode::Call | Opcode::Bcc
        );
        let keep = !ends || random.next().is_multiple_of(8);
        if keep && info(opcode).runs_on(kind) {
            program.push(inst);
        }
    }
    program.push(End {}.into());
    program
}

#[test]
fn nothing_makes_a_run_panic() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let params = || {
        vec![
            param("a", Elem::F32, &[4096], ParamDir::In),
            param("w", Elem::F32, &[4096], ParamDir::Work),
        ]
    };
    let inputs = [Some(vec![1; 16384]), Some(vec![2; 16384])];
    let chip = chip();
    let mut reached = std::collections::BTreeMap::new();
    for round in 0..6000_u32 {
        let kind = if round % 2 == 0 {
            CoreKind::Cube
        } else {
            CoreKind::Vector
        };
        let mut kernel = object(params(), "", "", 0);
        match kind {
            CoreKind::Cube => {
                kernel.aic = anything(&mut random, kind, 12);
                kernel.kernel.cube_cores = 1;
            }
            CoreKind::Vector => {
                kernel.aiv = anything(&mut random, kind, 12);
                kernel.kernel.vector_cores = 2;
            }
        }
        let sanitize = if round % 3 == 0 {
            Sanitize::ALL
        } else {
            Sanitize::NONE
        };
        let schedule = match round % 4 {
            0 => Schedule::Adversarial(round as u64),
            _ => Schedule::InOrder,
        };
        let options = Options {
            threads: 1,
            sanitize,
            max_steps: 2000,
            trace: true,
            schedule,
            ..Options::default()
        };
        let bare = Options {
            timing_only: true,
            ..options
        };
        if let Ok(timed) = run(&kernel, &[None, None], &chip, &bare) {
            assert!(timed.timing_only, "there is nothing to compute with");
        }
        let code = match run(&kernel, &inputs, &chip, &options) {
            Ok(outcome) => {
                assert!(outcome.tensors[0].is_empty(), "the input is the caller's");
                let timed = run(&kernel, &inputs, &chip, &bare).expect("a full run ends");
                assert_eq!(timed.report, outcome.report);
                assert_eq!(timed.trace, outcome.trace);
                let values = Options {
                    values_only: true,
                    ..options
                };
                let values = run(&kernel, &inputs, &chip, &values).expect("a full run ends");
                assert_eq!(values.tensors, outcome.tensors);
                assert_eq!(values.report.instructions, outcome.report.instructions);
                assert!(values.trace.is_empty(), "no times are kept");
                "none"
            }
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                fault.kind.code()
            }
        };
        *reached.entry(code).or_insert(0) += 1;
    }
    assert!(reached.len() >= 5, "{reached:?}");
}
