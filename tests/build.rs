//! Writes one `#[test]` for each data file, in modules named like the folders, so that a new file is a new test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Which files are tests, and the function of the harness that runs one.
const FAMILIES: &[Family] = &[
    Family {
        module: "stdlib",
        folder: "../stdlib/kernels",
        extension: "vn",
        run: "kernel::check",
    },
    Family {
        module: "tour",
        folder: "../stdlib/tour",
        extension: "vn",
        run: "kernel::check",
    },
    Family {
        module: "schedules",
        folder: "../stdlib/kernels",
        extension: "vn",
        run: "schedules::check_kernel",
    },
    Family {
        module: "pinned",
        folder: "pinned",
        extension: "txt",
        run: "pinned::check",
    },
    Family {
        module: "kernels",
        folder: "kernels",
        extension: "vn",
        run: "kernel::check",
    },
    Family {
        module: "dynamic",
        folder: "dynamic",
        extension: "txt",
        run: "dynamic::check",
    },
    Family {
        module: "ui",
        folder: "ui",
        extension: "vn",
        run: "ui::check",
    },
    Family {
        module: "ui_tile",
        folder: "ui",
        extension: "tile",
        run: "ui::check",
    },
    Family {
        module: "ui_vasm",
        folder: "ui",
        extension: "vasm",
        run: "ui::check",
    },
    Family {
        module: "passes",
        folder: "passes",
        extension: "tile",
        run: "pass::check",
    },
    Family {
        module: "tile",
        folder: "tile",
        extension: "tile",
        run: "tile_form::check",
    },
    Family {
        module: "asm",
        folder: "asm",
        extension: "vasm",
        run: "asm::check",
    },
    Family {
        module: "numerics",
        folder: "data/numerics",
        extension: "txt",
        run: "numerics::check",
    },
    Family {
        module: "library",
        folder: "data/library",
        extension: "txt",
        run: "library::check",
    },
    Family {
        module: "lsp",
        folder: "lsp",
        extension: "vn",
        run: "lsp::check",
    },
    Family {
        module: "lsp_tile",
        folder: "lsp",
        extension: "tile",
        run: "lsp::check",
    },
    Family {
        module: "lsp_asm",
        folder: "lsp",
        extension: "vasm",
        run: "lsp::check",
    },
    Family {
        module: "broken",
        folder: "broken",
        extension: "vasm",
        run: "broken::check",
    },
    Family {
        module: "cli",
        folder: "cli",
        extension: "txt",
        run: "cli::check",
    },
    Family {
        module: "onnx",
        folder: "data/onnx",
        extension: "vn",
        run: "onnx::check",
    },
    Family {
        module: "explain",
        folder: "../compiler/diag/explain",
        extension: "md",
        run: "explain::check",
    },
];

struct Family {
    module: &'static str,
    folder: &'static str,
    extension: &'static str,
    run: &'static str,
}

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut text = String::new();
    for family in FAMILIES {
        let folder = here.join(family.folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        writeln!(text, "mod {} {{", family.module).expect("strings take all");
        if folder.is_dir() {
            write_folder(&folder, family, &mut text)?;
        }
        text.push_str("}\n");
    }
    write_anchors(&here.join("calibration/anchors.toml"), &mut text)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("cases.rs"), text)
}

/// Tests for the files of a folder, modules for the folders in it; folders of data have no such files.
fn write_folder(folder: &Path, family: &Family, text: &mut String) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = identifier(&name);
        if path.is_dir() {
            writeln!(text, "mod {name} {{").expect("strings take all");
            write_folder(&path, family, text)?;
            text.push_str("}\n");
        } else if path
            .extension()
            .is_some_and(|found| found == family.extension)
        {
            let (run, path) = (family.run, path.display().to_string());
            writeln!(
                text,
                "#[test]\nfn {name}() {{ crate::harness::{run}({path:?}); }}"
            )
            .expect("strings take all");
        }
    }
    Ok(())
}

/// A test for each row of the table of anchors.
fn write_anchors(table: &Path, text: &mut String) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", table.display());
    text.push_str("mod calibration {\n");
    let rows = fs::read_to_string(table)?;
    let names = rows
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""));
    for name in names.filter_map(|rest| rest.strip_suffix('"')) {
        let function = identifier(name);
        writeln!(
            text,
            "#[test]\nfn {function}() {{ crate::harness::calibration::check({name:?}); }}"
        )
        .expect("strings take all");
    }
    text.push_str("}\n");
    Ok(())
}

/// A file's name as the name of a function.
fn identifier(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let plain = plain.to_lowercase();
    match plain.as_str() {
        "if" | "for" | "let" | "fn" | "use" | "const" | "where" | "loop" | "match" | "type"
        | "as" | "in" | "move" | "abs" => format!("{plain}_"),
        _ if plain.starts_with(|c: char| c.is_ascii_digit()) => format!("n{plain}"),
        _ => plain,
    }
}
