//! Assembly: objects come back byte for byte, mistakes are all reported, and no text makes the assembler panic.

use crate::common::{Xorshift, sample_object};
use isa::asm::{AsmErrorKind, assemble, disassemble};
use isa::chip::Chip;
use isa::inst::TextErrorKind;
use isa::types::CoreKind;

const SMALL: &str = "\
// Adds a constant to 64 numbers in UB, eight times.
.chip 910b2 \"v1 // not a comment\"
.kernel add_one
.param in x f32 [64]
.param out y f32 [8, 8]
.file \"add one.vn\"
.aiv
    li x1, 8
again:
    .loc 0 3 5 40 52
    vadds.f32 ub+0x100, ub+0x0, 0x3f800000, 1, st(1,1,8,8)   // dst, src, 1.0
    sub x1, x1, 1
    bcc.gt x1, 0, again
    end
";

#[test]
fn objects_disassemble_to_text_that_gives_their_bytes() {
    let chip = Chip::builtin("910b2").expect("it is built in");
    for seed in 0..30 {
        let object = sample_object(seed, 7 * seed as usize);
        for chip in [None, Some(&chip)] {
            let text = disassemble(&object, chip);
            let back = assemble(&text).unwrap_or_else(|errors| panic!("{}\n{text}", errors[0]));
            assert_eq!(back, object);
            assert_eq!(back.write(), object.write());
        }
    }
}

#[test]
fn a_file_written_by_hand_assembles() {
    let object = assemble(SMALL).expect("it assembles");
    assert_eq!(object.aiv.len(), 5);
    assert_eq!(object.aiv[3].label().map(|label| label.0), Some(1));
    assert_eq!(
        (object.kernel.cube_cores, object.kernel.vector_cores),
        (0, 1)
    );
    assert_eq!(object.kernel.params[1].shape, [8, 8]);
    assert_eq!(
        object
            .line_of(CoreKind::Vector, 2)
            .map(|row| (row.line, row.byte_end)),
        Some((3, 52))
    );
    assert_eq!(object.line_of(CoreKind::Vector, 0), None);
}

#[test]
fn every_mistake_is_reported_where_it_is() {
    let text = "\
    nop
.aic
    vadd.f32 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)
    frobnicate x1
    li x32, 5
    li x1, 99999999999999999999
    add x1, x2
    jmp nowhere
    jmp end
twice:
twice:
    nop nop
    nop.f32
.fnord
.cores gpu 4
.loc 0 1 1 1 1
.kernel \"open
    ld2d_a l0b+0x0, l1+0x0, 1, 1, 0
end:
";
    let errors = assemble(text).expect_err("it is full of mistakes");
    let found: Vec<(u32, &str)> = errors
        .iter()
        .map(|e| (e.line, &text[e.span.clone()]))
        .collect();
    let expected = [
        (1, "nop"),
        (3, "vadd.f32 ub+0x0, ub+0x0, ub+0x0, 1, st(1,1,1,8,8,8)"),
        (4, "frobnicate"),
        (5, "x32"),
        (6, "99999999999999999999"),
        (7, ""),
        (8, "nowhere"),
        (9, "jmp end"),
        (11, "twice"),
        (12, "nop"),
        (13, ".f32"),
        (14, ".fnord"),
        (15, "gpu"),
        (16, " 0"),
        (17, "\"open"),
        (18, "l0b"),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        errors[2].kind,
        AsmErrorKind::Text(TextErrorKind::UnknownMnemonic("frobnicate".to_owned()))
    );
    assert_eq!(errors[1].kind, AsmErrorKind::WrongCore(CoreKind::Cube));
}

#[test]
fn no_text_panics() {
    let good = disassemble(&sample_object(9, 40), None);
    let mut rng = Xorshift(23);
    for _ in 0..3000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=rng.next() % 5 {
            // Removals may have left nothing.
            let Some(last) = (bytes.len() as u64).checked_sub(1) else {
                break;
            };
            let at = (rng.next() % (last + 1)) as usize;
            match rng.next() % 3 {
                0 => bytes[at] = rng.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(errors) = assemble(&text) {
            assert!(
                errors.iter().all(|e| text.get(e.span.clone()).is_some()),
                "spans are within the text"
            );
        }
    }
    for text in [
        "",
        "\u{feff}",
        ".aic\n é",
        ".aic\nli x1, -",
        ".kernel \"\\u{",
        ".param",
        ".aiv\nst",
        "x:",
        ".aic\n:",
    ] {
        drop(assemble(text));
    }
}

#[test]
fn any_names_come_back() {
    let mut rng = Xorshift(77);
    let mut name = || {
        let scalars = (0..rng.next() % 6).map(|_| match rng.next() % 4 {
            0 => char::from((rng.next() % 128) as u8),
            1 => ['"', '\\', '/', '#', '\u{2028}', '\u{85}', '\u{feff}', ' ']
                [(rng.next() % 8) as usize],
            2 => char::from_u32((rng.next() % 0x11_0000) as u32).unwrap_or('x'),
            _ => 'a',
        });
        scalars.collect::<String>().replace('\0', "")
    };
    for seed in 0..300 {
        let mut object = sample_object(seed, 3);
        object.chip = format!("c{}", name());
        object.chip_version = name();
        object.kernel.name = format!("{}k", name());
        object.kernel.opt = name();
        object.kernel.params[0].name = format!("{}p", name());
        object.kernel.sizes[1].0 = format!("n{}", name());
        object.files = vec![format!("{}f", name()), name()];
        let bytes = object.write().expect("it writes");
        assert_eq!(isa::object::Object::read(&bytes), Ok(object.clone()));
        let text = disassemble(&object, None);
        assert_eq!(assemble(&text), Ok(object), "{text}");
    }
}
