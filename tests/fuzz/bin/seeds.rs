//! Makes first inputs of the fuzzers from assembly files: `fuzz_seeds FOLDER FILE.vasm…` writes one of each target a file.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use isa::asm::assemble;
use isa::object::Object;

fn main() -> io::Result<()> {
    let mut words = env::args_os().skip(1).map(PathBuf::from);
    let Some(folder) = words.next() else {
        return Err(io::Error::other("usage: fuzz_seeds FOLDER FILE.vasm…"));
    };
    for file in words {
        let text = fs::read_to_string(&file)?;
        let name = file.file_stem().unwrap_or_default();
        let put = |target: &str, bytes: &[u8]| write(&folder.join(target), name.as_ref(), bytes);
        put("assemble", text.as_bytes())?;
        let Ok(object) = assemble(&text) else {
            continue;
        };
        if let Ok(bytes) = object.write() {
            put("object", &bytes)?;
        }
        put("decode", &code(&object))?;
        put("emulate", &program(&object))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), bytes)
}

/// The words of both programs.
fn code(object: &Object) -> Vec<u8> {
    let all = object.aic.iter().chain(&object.aiv);
    all.filter_map(|inst| inst.encode().ok())
        .flatten()
        .collect()
}

/// The words behind a header of one group with every sanitizer on.
fn program(object: &Object) -> Vec<u8> {
    let [low, high, ..] = object.aic.len().to_le_bytes();
    let mut bytes = vec![0, low, high, 2];
    bytes.extend(code(object));
    bytes
}
