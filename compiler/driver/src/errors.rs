//! The wording of everything that is wrong with a command line, a file or an argument: one function per diagnostic.

pub(crate) mod asm;
pub(crate) mod fault;
pub(crate) mod launch;
pub(crate) mod verify;

use std::fmt::Display;
use std::io;

use diag::codes::{
    E0501, E0605, E0701, E0702, E0703, E0704, E0705, E0706, E0707, E0708, E0709, E0710, E0711,
    F0009,
};
use diag::{Diagnostic, Span, similar};
use isa::types::Elem;

use crate::kernel::Unread;

/// An input cannot be opened or read.
pub(crate) fn cannot_read(path: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(E0701, format!("cannot read `{path}`: {error}"))
}

/// An input that must be text is none.
pub(crate) fn not_text(path: &str, at: usize) -> Diagnostic {
    Diagnostic::new(E0701, format!("cannot read `{path}`: it is not text"))
        .note(format!("byte {at} is not UTF-8"))
}

/// A word that cannot be the name of a kernel.
pub(crate) fn no_kernel_name(name: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("`{name}` cannot be the name of a kernel"))
        .note("a name has letters, digits and `_`, does not begin with a digit, and is no word of the language")
}

/// A folder that would be written over.
pub(crate) fn exists(path: &str) -> Diagnostic {
    Diagnostic::new(E0708, format!("`{path}` is there already"))
        .help("give another name, or remove it first")
}

/// A line `//! case:` that names no folder with the arrays of a test.
pub(crate) fn bad_case(span: Span, why: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("this case cannot be run: {why}"))
        .primary(span, "named here")
        .note("`//! case: FOLDER` names a folder with `NAME.npy` for each argument and each expected result")
        .help("`//! case: FOLDER within 1e-3` says how near the results must be")
}

/// A result is not what the arrays of a test say.
pub(crate) fn case_failed(case: &str, result: &str, facts: &str) -> Diagnostic {
    Diagnostic::new(
        E0709,
        format!("{case}: result `{result}` differs from what is expected"),
    )
    .note(facts.to_owned())
}

/// A table of sizes that cannot be read.
pub(crate) fn shape_table(path: &str, line: usize, why: &str) -> Diagnostic {
    Diagnostic::new(
        E0706,
        format!("line {line} of `{path}` is no row of sizes: {why}"),
    )
    .help("the first row names sizes, the others give them: `M,K,N`, then `64,128,64`")
}

/// A file of measurements that cannot be read.
pub(crate) fn bad_baseline(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("`{path}` holds no measurements: {why}"))
        .help("`vinci bench … --save FILE.json` writes such a file")
}

/// A kernel that takes longer than it did.
pub(crate) fn slower(name: &str, now: u64, then: u64, percent: f64) -> Diagnostic {
    let (now, then) = (crate::table::grouped(now), crate::table::grouped(then));
    Diagnostic::new(E0711, format!("{name} takes {percent:.2} % longer"))
        .note(format!("{now} cycles now, {then} before"))
}

/// An `@FILE` cannot be read.
pub(crate) fn argument_file(path: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(
        E0701,
        format!("cannot read argument file `{path}`: {error}"),
    )
}

/// A command line that clap refuses, with what it says about it.
pub(crate) fn command_line(said: &str) -> Diagnostic {
    let mut lines = said.lines();
    let message = lines.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let found = Diagnostic::new(E0706, message.trim_end_matches(':'));
    let rest = lines.map(str::trim).filter(|line| !line.is_empty());
    rest.fold(found, |found, line| match line.strip_prefix("tip: ") {
        Some(tip) => found.help(tip),
        None => found.note(line),
    })
}

/// An output cannot be written.
pub(crate) fn cannot_write(path: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(E0708, format!("cannot write `{path}`: {error}"))
}

/// Standard output takes no more, and its reader has not gone.
pub(crate) fn cannot_print(error: &io::Error) -> Diagnostic {
    Diagnostic::new(E0708, format!("cannot write to standard output: {error}"))
}

/// An object would go to a terminal.
pub(crate) fn binary_on_terminal() -> Diagnostic {
    Diagnostic::new(E0708, "an object is not written to a terminal")
        .help("name a file with `-o`, or pipe the output")
}

/// An output would replace the input that it is made from.
pub(crate) fn output_is_input(path: &str) -> Diagnostic {
    Diagnostic::new(
        E0708,
        format!("`{path}` is the input and would be overwritten"),
    )
    .help("name another file with `-o`")
}

/// A file's name does not say what it holds.
pub(crate) fn unknown_extension(path: &str, expected: &str) -> Diagnostic {
    let message = match expected.contains(',') {
        true => format!("`{path}` has none of the extensions {expected}"),
        false => format!("`{path}` does not have the extension {expected}"),
    };
    Diagnostic::new(E0706, message)
}

/// A file is no array file.
pub(crate) fn bad_array(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        E0702,
        format!("`{path}` is not an array that can be used: {why}"),
    )
    .help("write it with `numpy.save`, converted if need be: `a.astype(\"float32\")`")
}

/// An array's shape is not the parameter's.
pub(crate) fn argument_shape(
    name: &str,
    declared: Span,
    expected: &str,
    path: &str,
    found: &str,
) -> Diagnostic {
    let message = format!("argument `{name}` has shape {found}, expected {expected}");
    Diagnostic::new(E0703, message)
        .primary(declared, format!("`{name}` has shape {expected}"))
        .note(format!("`{path}` has shape {found}"))
}

/// A number is given for a tensor.
pub(crate) fn scalar_for_tensor(name: &str, declared: Span, rank: usize, text: &str) -> Diagnostic {
    let dimensions = if rank == 1 {
        "1 dimension".to_owned()
    } else {
        format!("{rank} dimensions")
    };
    let message = format!("argument `{name}` is the number {text}, expected an array file");
    Diagnostic::new(E0703, message).primary(declared, format!("`{name}` has {dimensions}"))
}

/// An array's element type is not the parameter's.
pub(crate) fn argument_type(
    name: &str,
    declared: Span,
    expected: Elem,
    stored: &str,
    path: &str,
    found: &str,
) -> Diagnostic {
    let message = format!("argument `{name}` has elements of {found}, expected {expected}");
    Diagnostic::new(E0704, message)
        .primary(declared, format!("`{name}` is {expected}"))
        .note(format!(
            "`{path}` holds {found}; {expected} is stored as {stored}"
        ))
}

/// A scalar's text is no value of its type.
pub(crate) fn scalar_value(name: &str, declared: Span, expected: Elem, text: &str) -> Diagnostic {
    let message = format!("argument `{name}` is `{text}`, which is no value of {expected}");
    Diagnostic::new(E0704, message).primary(declared, format!("`{name}` is {expected}"))
}

/// The kernel has no parameter or result of that name.
pub(crate) fn unknown_argument(kernel: &str, what: &str, name: &str, known: &[&str]) -> Diagnostic {
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("kernel `{kernel}` has no {what} `{name}`");
    let found =
        Diagnostic::new(E0705, message).note(format!("its {what}s are {}", list.join(", ")));
    match similar(name, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found,
    }
}

/// One name is given twice.
pub(crate) fn given_twice(option: &str, name: &str) -> Diagnostic {
    Diagnostic::new(E0705, format!("`{option} {name}=…` is given twice"))
}

/// An option's value is none that it takes.
pub(crate) fn option_value(option: &str, value: &str, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0706, format!("`{option}` does not take `{value}`"))
        .note(format!("it takes {}", known.join(", ")));
    match similar(value, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found,
    }
}

/// A `KEY=VALUE` has a key that the option does not have.
pub(crate) fn option_key(option: &str, given: &str, known: &[(&str, &str)]) -> Diagnostic {
    let forms: Vec<&str> = known.iter().map(|(form, _)| *form).collect();
    let key = |form: &'_ str| form.split('=').next().unwrap_or_default().to_owned();
    let keys: Vec<String> = forms.iter().map(|form| key(form)).collect();
    let found = Diagnostic::new(E0706, format!("`{option}` does not take `{given}`"))
        .note(format!("it takes {}", forms.join(", ")));
    match similar(&key(given), keys.iter().map(String::as_str)) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found,
    }
}

/// A `NAME=VALUE` is none, or its value does not fit.
pub(crate) fn option_form(option: &str, value: &str, expected: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("`{option} {value}` is not {expected}"))
}

/// A `//! shape:` line cannot be read.
pub(crate) fn shape_line(span: Span, unread: Unread<'_>) -> Diagnostic {
    let what = match unread {
        Unread::Form(word) => format!("`{word}` is not NAME=VALUE"),
        Unread::Twice(name) => format!("`{name}` is given twice"),
    };
    Diagnostic::new(E0706, "shape line that cannot be read")
        .primary(span, what)
        .help("write `//! shape: M=64 N=32`; a value is a positive integer or an element type")
}

/// No chip of that name.
pub(crate) fn unknown_target(name: &str, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0707, format!("unknown target `{name}`"));
    match similar(name, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("`vincic --print target-list` lists the targets"),
    }
}

/// A chip file that cannot be used.
pub(crate) fn bad_target(name: &str, error: &dyn Display) -> Diagnostic {
    Diagnostic::new(E0707, format!("target `{name}` cannot be used")).note(error.to_string())
}

/// The emulated result is not what the algorithm says.
pub(crate) fn check_failed(result: &str, facts: impl Iterator<Item = String>) -> Diagnostic {
    let message = format!("result `{result}` differs from the reference");
    facts.fold(Diagnostic::new(E0709, message), Diagnostic::note)
}

/// A pass after which the values are others: a defect of ours.
pub(crate) fn pass_changes_values(pass: &str) -> Diagnostic {
    Diagnostic::new(E0709, format!("`{pass}` changes what the kernel computes"))
        .note("this is a defect of the compiler; the values before and after are those of the sequential evaluator")
}

/// `--explain` of a code that is none.
pub(crate) fn unknown_code(code: &str, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0706, format!("no code `{code}`"));
    match similar(code, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("`vincic --print error-codes` lists them"),
    }
}

/// No manual page of that name.
pub(crate) fn unknown_page(page: &str, near: Option<&str>, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0706, format!("no manual page `{page}`"));
    match near {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.note(format!("there are {}", list(known))),
    }
}

/// No instruction of that name.
pub(crate) fn unknown_mnemonic(mnemonic: &str, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0706, format!("no instruction `{mnemonic}`"));
    match similar(mnemonic, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("`vinci isa` lists them"),
    }
}

/// The file has no kernel of that name.
pub(crate) fn unknown_kernel(name: &str, known: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(E0706, format!("the file has no kernel `{name}`"));
    match similar(name, known.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.note(format!("its kernels are {}", list(known))),
    }
}

/// The file has no kernel, or several and none is named.
pub(crate) fn which_kernel(known: &[&str]) -> Diagnostic {
    if known.is_empty() {
        return Diagnostic::new(E0706, "the file has no kernel");
    }
    Diagnostic::new(
        E0706,
        format!("the file has {} kernels: {}", known.len(), list(known)),
    )
    .help("choose one with `--kernel NAME`")
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Tensors that together are larger than what a run may take.
pub(crate) fn too_much_memory(kernel: &str, needed: u64, most: u64) -> Diagnostic {
    let (needed, most) = (crate::table::bytes(needed), crate::table::bytes(most));
    Diagnostic::new(
        E0706,
        format!("the tensors of `{kernel}` take {needed}, a run may take {most}"),
    )
    .help("give smaller sizes")
}

/// `--check` where there is nothing to compare with.
pub(crate) fn nothing_to_check(path: &str) -> Diagnostic {
    Diagnostic::new(
        E0706,
        format!("`--check` needs a kernel's source, and `{path}` has none"),
    )
}

/// A tile function that breaks a rule of its form.
pub(crate) fn tile_problem(func: &str, problem: &str) -> Diagnostic {
    Diagnostic::new(
        E0605,
        format!("tile function `{func}` breaks a rule of its form: {problem}"),
    )
}

/// `-D` for something whose sizes were fixed when it was compiled.
pub(crate) fn sizes_are_fixed(path: &str) -> Diagnostic {
    Diagnostic::new(
        E0706,
        format!("the sizes of `{path}` are fixed, `-D` changes nothing"),
    )
}

/// An evaluator found no result: the kernel divides an integer by zero.
pub(crate) fn evaluation(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(F0009, message).primary(span, "while evaluating this")
}

/// A monoid breaks one of its laws, with the items that show it.
pub(crate) fn monoid_law(
    laws: &frontend::Laws,
    pair: &frontend::Pair,
    (place, [one, other]): (usize, [f64; 2]),
    notes: Vec<String>,
) -> Diagnostic {
    let name = &laws.monoid;
    let message = match pair.law {
        "identity" => format!("the identity of `{name}` is none"),
        "associativity" => format!("`merge` of `{name}` is not associative"),
        _ => format!("`block` of `{name}` is not the `merge` of its parts"),
    };
    let at = if place == 0 {
        String::new()
    } else {
        format!(" at element {place}")
    };
    let [left, right] = pair.sides;
    let field = &pair.field;
    let found = Diagnostic::new(E0710, message)
        .primary(laws.span, format!("`{field}` differs{at}"))
        .note(format!(
            "`{left}` has {field} = {one}, `{right}` has {other}"
        ));
    notes.into_iter().fold(found, Diagnostic::note)
}

/// No input file is named.
pub(crate) fn no_input() -> Diagnostic {
    Diagnostic::new(E0706, "no input file").help("`vincic --help` says what can be given")
}

/// Two input files are named.
pub(crate) fn two_inputs(first: &str, second: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("two input files: `{first}` and `{second}`"))
        .note("one compilation has one input")
}

/// `-o` for several outputs.
pub(crate) fn output_of_several() -> Diagnostic {
    Diagnostic::new(E0706, "`-o` names one file, but several kinds are emitted")
        .help("give each kind its path: `--emit=asm=a.vasm,obj=a.vo`, or a folder: `--out-dir`")
}

/// `-o` where `--emit` says every path.
pub(crate) fn output_of_none(output: &str) -> Diagnostic {
    Diagnostic::new(
        E0706,
        format!("nothing is left to write to `{output}`: `--emit` says every path"),
    )
    .help(format!("add what should go there: `--emit=…,obj={output}`"))
}

/// A level that the input is already beyond.
pub(crate) fn no_such_level(input: &str, kind: &str) -> Diagnostic {
    Diagnostic::new(E0706, format!("`{input}` has no `{kind}` to emit"))
        .note("an input has the levels from its own on")
}

/// Arguments and results that global memory cannot hold.
pub(crate) fn global_memory(
    needed: u64,
    capacity: u64,
    chip: &str,
    largest: Span,
    bytes: u64,
) -> Diagnostic {
    let text = crate::table::bytes;
    let (needed, capacity) = (text(needed), text(capacity));
    let message =
        format!("gm of `{chip}` is too small: the tensors take {needed}, it has {capacity}");
    Diagnostic::new(E0501, message).primary(largest, format!("this one takes {}", text(bytes)))
}
