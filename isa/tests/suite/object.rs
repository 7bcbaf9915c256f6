//! Objects round-trip, are deterministic, refuse damage, and can be read by standard tools.

use crate::common::{Xorshift, sample_object};
use isa::inst::{Inst, Jmp, Label, Reg};
use isa::object::claims::{Buffer, Bytes, Claims, Part, Place, Size, Step, Sum};
use isa::object::{Object, ObjectError};
use isa::types::{CoreKind, Space};
use std::process::Command;

#[test]
fn objects_round_trip() {
    for seed in 0..20 {
        let mut object = sample_object(seed, 10 * seed as usize);
        if seed % 2 == 1 {
            object.certificate = "proved\n".to_owned();
            object.claims = sample_claims(seed as u32);
        }
        let bytes = object.write().expect("it writes");
        assert_eq!(bytes, object.write().expect("it writes"));
        let back = Object::read(&bytes).expect("it reads");
        assert_eq!(back, object);
        assert_eq!(back.write().expect("it writes"), bytes);
    }
}

/// Claims with every form of part.
fn sample_claims(seed: u32) -> Claims {
    let size = |scale| Size {
        scale,
        factors: vec![(Reg(seed as u8 % 32), 16)],
    };
    let bytes = Bytes {
        start: Sum {
            constant: -5 - i64::from(seed),
            terms: vec![(Reg(1), i64::MIN), (Reg(31), i64::MAX)],
        },
        count: size(1),
        stride: Size::known(1 << 40),
        len: size(-3),
    };
    let part = |place, reads, bytes| Part {
        place,
        reads,
        writes: !reads,
        bytes,
    };
    let buffer = Buffer {
        name: "größer".to_owned(),
        space: Space::Fb,
        at: seed * 64,
        bytes: u32::MAX,
        copies: 3,
    };
    let step = |first, end, parts| Step { first, end, parts };
    Claims {
        buffers: vec![buffer],
        aic: vec![step(0, 1, Vec::new())],
        aiv: vec![
            step(1, 3, vec![part(Place::Buffer(0), true, Some(bytes))]),
            step(3, 4, vec![part(Place::Tensor(0), false, None)]),
        ],
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sample_object(3, 40).write().expect("it writes");
    for length in 0..bytes.len() {
        assert!(
            Object::read(&bytes[..length]).is_err(),
            "{length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn no_damage_panics() {
    let mut good = sample_object(5, 30);
    good.claims = sample_claims(5);
    let good = good.write().expect("it writes");
    let mut rng = Xorshift(11);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=rng.next() % 4 {
            let at = (rng.next() % bytes.len() as u64) as usize;
            bytes[at] ^= 1 << (rng.next() % 8);
        }
        if let Ok(object) = Object::read(&bytes) {
            assert!(object.write().is_ok(), "what reads also writes");
        }
    }
    for length in [0, 1, 63, 64, 65, 500] {
        let noise: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        assert!(Object::read(&noise).is_err());
    }
}

#[test]
fn foreign_machines_are_named() {
    let mut bytes = sample_object(1, 4).write().expect("it writes");
    bytes[18..20].copy_from_slice(&62_u16.to_le_bytes());
    assert_eq!(Object::read(&bytes), Err(ObjectError::Machine(62)));
}

#[test]
fn broken_contents_are_refused_at_writing() {
    let mut jump = sample_object(1, 4);
    jump.aic[2] = Inst::Jmp(Jmp { target: Label(4) });
    assert_eq!(jump.write(), Err(ObjectError::Label(CoreKind::Cube, 2)));
    let mut line = sample_object(1, 8);
    line.lines_aiv[1].pc = 0;
    assert_eq!(line.write(), Err(ObjectError::Line(CoreKind::Vector, 1)));
    let mut size = sample_object(1, 4);
    size.kernel.mads = u64::MAX;
    assert!(matches!(size.write(), Err(ObjectError::Meta(_))));
}

#[test]
fn lines_are_found_by_pc() {
    let object = sample_object(2, 9);
    let line = |pc| object.line_of(CoreKind::Cube, pc).map(|row| row.pc);
    assert_eq!(
        [line(0), line(2), line(3), line(8)],
        [Some(0), Some(0), Some(3), Some(6)]
    );
}

/// Runs only where binutils is installed; the format itself does not depend on it.
#[test]
fn readelf_reads_sections_and_lines_without_warnings() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample.vo");
    let mut object = sample_object(8, 12);
    object.files[1] = "epilogue.vn".to_owned();
    std::fs::write(&path, object.write().expect("it writes")).expect("the folder is ours");
    for arguments in [
        ["-S", "-W"],
        ["--debug-dump=decodedline", "-W"],
        ["--debug-dump=info", "-W"],
    ] {
        let Ok(output) = Command::new("readelf")
            .env("LC_ALL", "C")
            .args(arguments)
            .arg(&path)
            .output()
        else {
            return;
        };
        let (text, complaints) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && complaints.is_empty(),
            "{arguments:?}: {complaints}\n{text}"
        );
        let expected = if arguments[0] == "-S" {
            ".text.aiv"
        } else {
            "gemm.vn"
        };
        assert!(text.contains(expected), "{text}");
    }
}
