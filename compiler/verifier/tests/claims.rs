//! Claims written by hand beside a program that keeps them, and programs that are sound, and keep them not.

use isa::asm::assemble;
use isa::chip::Chip;
use isa::inst::Reg;
use isa::object::Object;
use isa::object::claims::{Buffer, Bytes, Claims, Part, Place, Size, Step, Sum};
use isa::types::Space;
use verifier::{Class, Refusal};

/// `y = a + b` in tiles of 64 elements; `x4` is how far into the tensors a round is, `x5` which of two slots it uses.
const ADD: &str = include_str!("claims/add.vasm");

/// Bytes of a tile.
const TILE: i64 = 256;

fn part(place: Place, writes: bool, constant: i64, term: u8) -> Part {
    Part {
        place,
        reads: !writes,
        writes,
        bytes: Some(Bytes {
            start: Sum {
                constant,
                terms: vec![(Reg(term), 1)],
            },
            count: Size::known(1),
            stride: Size::known(0),
            len: Size::known(TILE),
        }),
    }
}

/// What somebody who wrote the program would say of it.
fn claims() -> Claims {
    let slot = |writes, constant| part(Place::Buffer(0), writes, constant, 5);
    let tensor = |number, writes| part(Place::Tensor(number), writes, 0, 4);
    let step = |first, parts| Step {
        first,
        end: first + 1,
        parts,
    };
    Claims {
        buffers: vec![Buffer {
            name: "slot".to_owned(),
            space: Space::Ub,
            at: 0,
            bytes: 0x1000,
            copies: 2,
        }],
        aic: Vec::new(),
        aiv: vec![
            step(19, vec![slot(true, 0), tensor(0, false)]),
            step(20, vec![slot(true, 0x100), tensor(1, false)]),
            step(
                24,
                vec![slot(false, 0), slot(false, 0x100), slot(true, 0x200)],
            ),
            step(28, vec![slot(false, 0x200), tensor(2, true)]),
        ],
    }
}

fn object(text: &str, claims: Claims) -> Object {
    let mut object = assemble(text).expect("assembly");
    object.claims = claims;
    Object::read(&object.write().expect("it can be written")).expect("it can be read")
}

fn refusal(object: &Object) -> Option<Box<Refusal>> {
    let chip = Chip::builtin(&object.chip).expect("a built-in chip");
    let soon = verifier::verify(object, &chip).err();
    let at_length = verifier::verify_every_round(object, &chip).err();
    assert_eq!(soon, at_length, "induction says otherwise");
    soon
}

#[test]
fn a_program_that_keeps_its_claims_is_proved() {
    let claimed = object(ADD, claims());
    assert_eq!(refusal(&claimed), None);
    let chip = Chip::builtin(&claimed.chip).expect("a built-in chip");
    let proof = verifier::verify(&claimed, &chip).expect("a proof");
    assert_eq!(proof.claimed, (1, 4));
    assert!(verifier::certificate(&claimed, &proof).contains("1 buffers, 4 steps"));
}

#[test]
fn without_claims_it_is_proved_and_that_is_said() {
    let plain = object(ADD, Claims::default());
    let chip = Chip::builtin(&plain.chip).expect("a built-in chip");
    let proof = verifier::verify(&plain, &chip).expect("a proof");
    assert!(verifier::certificate(&plain, &proof).contains("none were given"));
}

/// Each of these is free of hazards and computes something else.
#[test]
fn sound_programs_that_do_something_else_are_refused() {
    let changes = [
        ("add x8, x5, 0x200", "add x8, x5, 0x220", "`slot`"),
        ("add x8, x5, 0x200", "add x8, x5, 0xe00", "`slot`"),
        (
            "vadd.f32 ub+x8, ub+x5, ub+x6",
            "vadd.f32 ub+x8, ub+x5, ub+x5",
            "reads",
        ),
        ("ub+x5, gm+x1", "ub+x5, gm+x2", "tensor"),
        ("    add x1, x1, 256\n", "    add x1, x1, 0\n", "tensor"),
    ];
    for (from, to, word) in changes {
        assert!(ADD.contains(from), "{from}");
        let text = ADD.replacen(from, to, 1);
        assert_eq!(refusal(&object(&text, Claims::default())), None, "{to}");
        let refused = refusal(&object(&text, claims())).unwrap_or_else(|| panic!("{to}"));
        assert_eq!(refused.reason.class(), Class::Bounds, "{to}");
        assert!(refused.to_string().contains(word), "{to}: {refused}");
    }
}

#[test]
fn claims_that_are_not_kept_are_refused() {
    let mut all = Vec::new();
    for step in 0..4 {
        let mut missing = claims();
        missing.aiv.remove(step);
        all.push(missing);
        for part in 0..2 {
            let mut longer = claims();
            if let Some(bytes) = &mut longer.aiv[step].parts[part].bytes {
                bytes.len = Size::known(16 * TILE);
            }
            all.push(longer);
            let mut huge = claims();
            if let Some(bytes) = &mut huge.aiv[step].parts[part].bytes {
                (bytes.count, bytes.stride) = (Size::known(i64::MAX), Size::known(i64::MAX));
            }
            all.push(huge);
        }
    }
    for claims in all {
        let text = format!("{claims:?}");
        assert!(refusal(&object(ADD, claims)).is_some(), "{text}");
    }
}

#[test]
fn claims_of_what_there_is_not_are_no_object() {
    let mut beyond = claims();
    beyond.aiv[0].parts[0].place = Place::Buffer(1);
    let mut backwards = claims();
    backwards.aiv.swap(0, 1);
    let mut outside = claims();
    outside.aiv[3].end = 1000;
    for claims in [beyond, backwards, outside] {
        let mut object = assemble(ADD).expect("assembly");
        object.claims = claims;
        assert!(object.write().is_err());
    }
}
