//! The built-in chips: complete, sourced, and with the peaks that the vendors print.

use isa::chip::{Chip, ChipError};
use isa::inst::{INFO, MmadTy};
use isa::types::Pipe;

fn chip(name: &str) -> Chip {
    Chip::from_toml(Chip::builtin_text(name).expect("it is built in"), &|_| None).expect("it reads")
}

/// Tera-operations a second, rounded to one decimal.
fn tera(ops: u64) -> f64 {
    (ops as f64 / 1e11).round() / 10.0
}

#[test]
fn every_builtin_chip_reads_and_names_its_sources() {
    for name in Chip::names() {
        let chip = chip(name);
        assert_eq!(chip.name, name);
        for value in &chip.sources {
            assert!(
                !value.source.is_empty(),
                "{name}: {} has no source",
                value.key
            );
            assert!(
                ["D", "Dm", "I", "W", "P"].contains(&value.confidence.as_str()),
                "{name}: {}",
                value.key
            );
        }
        let costs = chip
            .sources
            .iter()
            .filter(|v| v.key.starts_with("vector_ops."))
            .count();
        assert_eq!(
            costs,
            1 + INFO.iter().filter(|info| info.pipe == Pipe::V).count(),
            "{name}: vector costs"
        );
    }
}

#[test]
fn cube_peaks_are_those_of_the_facts_page() {
    let rows = [
        ("910b1", 363.7, 727.4, 90.9),
        ("910b2", 353.9, 707.8, 88.5),
        ("910b3", 294.9, 589.8, 73.7),
        ("910b4", 245.8, 491.5, 61.4),
        ("910c", 353.9, 707.8, 88.5),
        ("910c-1850", 363.7, 727.4, 90.9),
    ];
    for (name, f16, s8, f32) in rows {
        let chip = chip(name);
        let peaks = [MmadTy::F16, MmadTy::S8, MmadTy::F32].map(|ty| tera(chip.peak(ty).cube));
        assert_eq!(peaks, [f16, s8, f32], "{name}");
        assert_eq!(chip.peak(MmadTy::Bf16), chip.peak(MmadTy::F16));
    }
}

#[test]
fn advertised_peaks_count_the_vector_cores() {
    let whole = |name, ty| chip(name).peak(ty).total() / 1_000_000_000_000;
    assert_eq!(whole("910b2", MmadTy::F16), 376);
    assert_eq!(whole("910b3", MmadTy::F16), 313);
    assert_eq!(whole("910b2", MmadTy::F32), 99);
    assert_eq!(whole("910b3", MmadTy::F32), 82);
    assert_eq!(whole("910c", MmadTy::F16), 376);
    assert_eq!(whole("910c", MmadTy::S8), 752);
    assert_eq!(
        tera(chip("910b4").peak(MmadTy::F16).total()),
        261.1,
        "the sold 280 does not close"
    );
}

#[test]
fn the_formula_also_gives_the_950_table() {
    let text = "name = \"950\"\ntitle = \"t\"\narchitecture = \"c310\"\nversion = \"0\"\nextends = \"910b2\"\n\
                [cores]\ncube = 36\nvector = 72\nclock_mhz = 1650\n[vector]\nflops_f16 = 512\nflops_f32 = 256\n";
    let chip = Chip::from_toml(text, &|_| None).expect("it reads");
    let peak = chip.peak(MmadTy::F16);
    assert_eq!(
        (tera(peak.cube), tera(peak.vector), tera(peak.total())),
        (486.6, 60.8, 547.4)
    );
    assert_eq!(tera(chip.peak(MmadTy::S8).cube), 973.2);
}

#[test]
fn files_extend_files_and_say_what_is_wrong() {
    let base = |name: &str| {
        (name == "mine").then(|| Chip::builtin_text("910b3").expect("built in").to_owned())
    };
    let head = "name = \"x\"\ntitle = \"t\"\narchitecture = \"c220\"\nversion = \"2\"\n";
    let read = |rest: &str| Chip::from_toml(&format!("{head}{rest}"), &base);
    let chip = read("extends = \"mine\"\n[cores]\ncube = 4\n").expect("it reads");
    assert_eq!((chip.cores.cube, chip.cores.vector), (4, 40));
    assert_ne!(chip.hash(), self::chip("910b3").hash());
    assert_eq!(read(""), Err(ChipError::Missing("cores.cube".to_owned())));
    assert_eq!(
        read("extends = \"nobody\""),
        Err(ChipError::UnknownBase("nobody".to_owned()))
    );
    assert_eq!(
        read("extends = \"mine\"\n[cores]\ncubes = 4"),
        Err(ChipError::Unknown("cores.cubes".to_owned()))
    );
    assert!(matches!(
        read("extends = \"mine\"\n[cores]\ncube = -4"),
        Err(ChipError::Wrong(_, _))
    ));
    assert!(matches!(read("extends = "), Err(ChipError::Toml(_, _))));
    let circle = |_: &str| Some("extends = \"a\"".to_owned());
    assert!(matches!(
        Chip::from_toml("extends = \"a\"", &circle),
        Err(ChipError::EndlessBase(_))
    ));
}
