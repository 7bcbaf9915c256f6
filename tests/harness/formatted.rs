//! Formatting changes no program: every kernel of the library and of the tests, written with spoiled white space, compiles to
//! the object that its file gives, and so do texts that programs write. An object's line table says where in the text each
//! instruction comes from, so it follows the text and must; everything else is compared bit by bit. Spoiling keeps every token
//! on its line, so that of the table too only columns and bytes may differ. A file that is formatted already, as each of the
//! repository is, keeps its object to the last byte. That formatting twice is formatting once is held for every file of the
//! repository by `syntax`.

use std::collections::BTreeMap;
use std::fs;

use backend::Level;
use diag::{Diagnostic, FileId, SourceMap};
use driver::{Settings, build, kernel};
use ir::algo::Func;
use isa::chip::Chip;
use isa::object::Object;
use syntax::fmt::{TextForm, format};

use super::case::root;
use super::kernel::shown;
use super::random;

/// One kernel of the library in so many is compiled at the lowest level too.
const COMPILED: usize = 9;

/// Programs at random that are formatted and compiled.
const RANDOM: u64 = 24;

/// The text with other white space inside of its lines.
fn spoiled(text: &str) -> String {
    let line = |line: &str| {
        if line.trim_start().starts_with("//") {
            return line.to_owned();
        }
        let code = line.find("//").unwrap_or(line.len());
        let (code, comment) = line.split_at(code);
        format!(
            "  {}{comment}",
            code.replace(", ", " ,   ")
                .replace(" = ", "=  ")
                .replace(" * ", "*")
        )
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + "\n"
}

/// The first kernel of a text at its first sizes.
fn bound(name: &str, text: &str) -> (Func, SourceMap) {
    let mut sources = SourceMap::new();
    let func = try_bound(name, text, &mut sources);
    (shown(func, &sources), sources)
}

fn try_bound(name: &str, text: &str, sources: &mut SourceMap) -> Result<Func, Vec<Diagnostic>> {
    let file = sources.add(name, text);
    let loaded = kernel::load(file, sources, &mut Vec::new())?;
    let lines = |key| loaded.lines(key).expect("the file's lines are right");
    let values = lines("test").into_iter().chain(lines("shape")).next();
    // A program without sizes has no such line.
    let values = values.unwrap_or_default();
    let first = loaded.kernels().remove(0);
    loaded.bind(&first, &values, &BTreeMap::new())
}

fn object(func: &Func, sources: &SourceMap, level: Level) -> Object {
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let settings = Settings::new(chip, level);
    let compiled = shown(build::compile(func, &settings, sources), sources);
    without_columns(compiled.object())
}

/// An object without columns and bytes of the text.
fn without_columns(object: &Object) -> Object {
    let mut object = object.clone();
    for row in object.lines_aic.iter_mut().chain(&mut object.lines_aiv) {
        (row.col, row.byte_start, row.byte_end) = (0, 0, 0);
    }
    object
}

/// Holds a file to it: `known` is the object of its first kernel at its first sizes and at `-O1`.
pub(super) fn check(name: &str, text: &str, known: &Object) {
    let spoiled = spoiled(text);
    let formatted =
        format(TextForm::Kernel, FileId(0), &spoiled).expect("white space means nothing");
    let twice = format(TextForm::Kernel, FileId(0), &formatted).expect("no mistakes");
    assert_eq!(formatted, twice, "{name}");
    let known = without_columns(known);
    // What the file says itself has been compiled.
    let texts = [&spoiled, &formatted]
        .into_iter()
        .filter(|one| *one != text);
    for one in texts {
        let (func, sources) = bound(name, one);
        assert!(
            object(&func, &sources, Level::O1) == known,
            "{name}: another object"
        );
    }
}

#[test]
fn formatting_changes_no_kernel_at_the_lowest_level() {
    for (name, text) in stdlib::SOURCES.iter().step_by(COMPILED) {
        let spoiled = spoiled(text);
        let [one, other] = [*text, spoiled.as_str()].map(|text| {
            let (func, sources) = bound(name, text);
            object(&func, &sources, Level::O0)
        });
        assert!(one == other, "{name}: another object");
    }
}

#[test]
fn formatting_changes_no_program_at_random() {
    let mut count = 0;
    for seed in 0..RANDOM {
        let text = random::text(seed, 0);
        let mut sources = SourceMap::new();
        let Ok(func) = try_bound("random.vn", &text, &mut sources) else {
            continue;
        };
        let settings = Settings::new(Chip::builtin(Chip::DEFAULT).expect("built in"), Level::O1);
        if let Ok(compiled) = build::compile(&func, &settings, &sources) {
            check("random.vn", &text, compiled.object());
            count += 1;
        }
    }
    assert!(count * 10 >= RANDOM * 9, "{count} of {RANDOM} compile");
}

/// What the compiler prints, and what people wrote by hand, is formatted to what assembles to the same.
#[test]
fn formatted_assembly_is_the_same_program() {
    let mut count = 0;
    let mut folders = vec![root().join("tests/asm"), root().join("tests/broken")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "vasm") {
                let text = fs::read_to_string(&path).expect("readable");
                let Ok(once) = isa::asm::format(&text) else {
                    continue;
                };
                let twice = isa::asm::format(&once).expect("no mistakes");
                assert_eq!(once, twice, "{}", path.display());
                let (before, after) = (isa::asm::assemble(&text), isa::asm::assemble(&once));
                if let (Ok(before), Ok(after)) = (before, after) {
                    assert_eq!(
                        (before.aic, before.aiv),
                        (after.aic, after.aiv),
                        "{}",
                        path.display()
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count > 100, "{count} programs");
}

/// Generated texts: tile form and assembly of a kernel.
#[test]
fn generated_texts_are_formatted_once() {
    let (name, text) = stdlib::SOURCES
        .iter()
        .find(|(name, _)| name.ends_with("softmax.vn"))
        .expect("there");
    let (func, sources) = bound(name, text);
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    for level in [Level::O0, Level::O1] {
        let compiled = shown(
            build::compile(&func, &Settings::new(chip.clone(), level), &sources),
            &sources,
        );
        let assembly = isa::asm::disassemble(compiled.object(), Some(&chip));
        let once = isa::asm::format(&assembly).expect("no mistakes");
        assert_eq!(isa::asm::format(&once).expect("no mistakes"), once);
    }
}
