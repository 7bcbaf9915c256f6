//! Formatting changes no program: library kernels with spoiled white space mean what they mean formatted, and compile to the
//! same objects. An object's line table says where in the text each instruction comes from, so it follows the text and must;
//! everything else is compared bit by bit. Spoiling keeps every token on its line, so that of the table too only columns and
//! bytes may differ. A file that is formatted already, as each of the repository is, keeps its object to the last byte.
//! That formatting twice is formatting once is held for every file of the repository by `syntax`.

use std::collections::BTreeMap;
use std::fs;

use backend::Level;
use diag::{FileId, SourceMap};
use driver::{Settings, build, kernel};
use ir::algo::Func;
use isa::chip::Chip;
use isa::object::Object;
use syntax::fmt::{TextForm, format};

use super::case::root;
use super::kernel::shown;

/// One kernel in so many is compiled; the meaning of all is compared.
const COMPILED: usize = 9;

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
    let file = sources.add(name, text);
    let loaded = shown(kernel::load(file, &mut sources, &mut Vec::new()), &sources);
    let lines = |key| loaded.lines(key).expect("the library's lines are right");
    let values = lines("test").into_iter().chain(lines("shape")).next();
    let values = values.expect("a line with sizes");
    let first = loaded.kernels().remove(0);
    let func = shown(loaded.bind(&first, &values, &BTreeMap::new()), &sources);
    (func, sources)
}

/// An object without columns and bytes.
fn object(func: &Func, sources: &SourceMap, level: Level) -> Object {
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let compiled = shown(
        build::compile(func, &Settings::new(chip, level), sources),
        sources,
    );
    let mut object = compiled.object().clone();
    for row in object.lines_aic.iter_mut().chain(&mut object.lines_aiv) {
        (row.col, row.byte_start, row.byte_end) = (0, 0, 0);
    }
    object
}

#[test]
fn formatting_changes_no_kernel() {
    for (at, (name, text)) in stdlib::SOURCES.iter().enumerate() {
        let spoiled = spoiled(text);
        let formatted =
            format(TextForm::Kernel, FileId(0), &spoiled).expect("white space means nothing");
        let twice = format(TextForm::Kernel, FileId(0), &formatted).expect("no mistakes");
        assert_eq!(formatted, twice, "{name}");
        let (before, before_sources) = bound(name, &spoiled);
        let (after, after_sources) = bound(name, &formatted);
        assert_eq!(
            ir::algo::print::print(&before),
            ir::algo::print::print(&after),
            "{name}"
        );
        if at % COMPILED == 0 {
            for level in [Level::O0, Level::O1] {
                let objects = [(&before, &before_sources), (&after, &after_sources)];
                let [one, other] = objects.map(|(func, sources)| object(func, sources, level));
                assert!(one == other, "{name} at {level:?}: another object");
            }
        }
    }
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
