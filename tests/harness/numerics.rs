//! The bits of the vector unit against results made elsewhere: `data/numerics/make.py` computes them with numpy, mpmath
//! and whole numbers, and this runs the instructions on the same inputs. A line of a file is a case; its fields are said
//! in that script, and so is how to print the block of results that a failure names.

mod functions;
mod inputs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use emulator::{Options, Sanitize};
use isa::asm::assemble;
use isa::chip::Chip;

/// Elements of one trip of the loop: what fits UB four times in 8 bytes.
const CHUNK: usize = 4096;
/// Results under one hash.
const BLOCK: usize = 512;

/// Runs every case of a file.
pub(crate) fn check(path: &str) {
    let text = fs::read_to_string(path).expect("the build lists it");
    let mut known = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let case = Case::read(line).unwrap_or_else(|| panic!("{path}:{}: no case", number + 1));
        let sources = known
            .entry((case.inputs, case.to))
            .or_insert_with(|| Inputs::new(case.inputs, [case.from, case.from, case.to]));
        let found = case.results(sources);
        let name = format!(
            "{path}, line {number}: `{}` with ctrl {:#x}",
            case.inst, case.ctrl
        );
        match case.form {
            "ulp" => case.compare_values(&found, &name),
            _ => case.compare_hashes(&found, &sources.words, &name),
        }
    }
}

/// An input set: its first operands as words, and all as the bytes of arguments.
struct Inputs {
    words: Vec<u64>,
    second: Vec<u64>,
    arrays: [Vec<u8>; 3],
}

impl Inputs {
    fn new(name: &str, sizes: [usize; 3]) -> Inputs {
        let lists = inputs::inputs(name);
        let arrays = [0, 1, 2].map(|n| pack(&lists[n], sizes[n]));
        let [words, second, _] = lists;
        Inputs {
            words,
            second,
            arrays,
        }
    }
}

/// One line.
struct Case<'a> {
    form: &'a str,
    inst: &'a str,
    scalar: u64,
    ctrl: u64,
    inputs: &'a str,
    from: usize,
    to: usize,
    expected: Vec<u64>,
}

impl Case<'_> {
    fn read(line: &str) -> Option<Case<'_>> {
        let (head, expected) = line.split_once(" :")?;
        let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
        let [form, inst, scalar, ctrl, inputs, from, to] =
            *head.split(' ').collect::<Vec<_>>().as_slice()
        else {
            return None;
        };
        Some(Case {
            form,
            inst,
            scalar: hex(scalar)?,
            ctrl: hex(ctrl)?,
            inputs,
            from: from.parse().ok()?,
            to: if form == "ulp" { from } else { to }.parse().ok()?,
            expected: expected
                .split_whitespace()
                .map(hex)
                .collect::<Option<_>>()?,
        })
    }

    /// The bits of every result.
    fn results(&self, sources: &Inputs) -> Vec<u64> {
        if self.form == "num" {
            let call = |(n, &x): (usize, &u64)| {
                let y = sources.second.get(n).copied().unwrap_or_default();
                functions::call(self.inst, [x as u32, y as u32], self.scalar, self.ctrl)
            };
            return sources.words.iter().enumerate().map(call).collect();
        }
        let given: &[usize] = match self.form {
            "three" | "bits" => &[0, 1],
            "onto" => &[0, 1, 2],
            "axpy" => &[0, 2],
            _ => &[0],
        };
        let count = sources.words.len();
        let object = assemble(&self.program(count, given)).expect("the program is assembly");
        let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip");
        let arrays = given.iter().map(|&n| sources.arrays[n].clone());
        let mut arguments: Vec<Option<Vec<u8>>> = arrays.map(Some).collect();
        arguments.push(None);
        let options = Options {
            sanitize: Sanitize::NONE,
            ..Options::default()
        };
        let outcome = emulator::run(&object, &arguments, &chip, &options)
            .unwrap_or_else(|fault| panic!("`{}`: {fault}", self.inst));
        let bytes = outcome.tensors.last().expect("the result");
        unpack(bytes, self.to)
    }

    /// Bytes that a number of elements takes in the result.
    fn result_bytes(&self, count: usize) -> usize {
        match self.form {
            "bits" => count / 8,
            "s4" => count / 2,
            form => count * self.to / group(form).unwrap_or(1),
        }
    }

    /// A loop over chunks of the inputs.
    fn program(&self, count: usize, given: &[usize]) -> String {
        let chunk = CHUNK.min(count);
        let give = self.result_bytes(chunk);
        let result = given.len() + 1;
        // What an instruction adds onto has the size of its result, and lies where that goes.
        let size = |operand: usize| if operand == 2 { self.to } else { self.from };
        let mut text = String::from(".chip 910b2\n.kernel k\n.cores vector 1\n");
        let mut line = |words: std::fmt::Arguments<'_>| {
            writeln!(text, "{words}").expect("strings take all");
        };
        for (n, &operand) in (1..).zip(given) {
            line(format_args!(
                ".param in a{n} u8 [{}]",
                count * size(operand)
            ));
        }
        line(format_args!(
            ".param out y u8 [{}]",
            self.result_bytes(count)
        ));
        line(format_args!(
            ".aiv\n rdspr x0, subblockid\n bcc.ne x0, 0, done\n rdspr x0, para_base"
        ));
        for n in 1..=result {
            line(format_args!(" ld.b64.gm x{n}, x0, {}", 8 * (n - 1)));
        }
        line(format_args!(" li x9, {}\n wrspr ctrl, x9", self.ctrl));
        line(format_args!(
            " li x10, {}\n wrspr deqscale, x10",
            self.scalar
        ));
        line(format_args!(" loop {}, last", count / chunk));
        for (n, &operand) in (1..).zip(given) {
            let place = (operand + 1) % 3 * 0x8000;
            let bytes = chunk * size(operand);
            line(format_args!(
                " movpad_gm_ub.b8 ub+{place:#x}, gm+x{n}, burst(1, {bytes}), 0, 0"
            ));
        }
        line(format_args!(
            " bar all\n {}\n bar all",
            self.instruction(chunk)
        ));
        line(format_args!(
            " movpad_ub_gm gm+x{result}, ub+0x0, burst(1, {give}), 0, 0"
        ));
        for (n, &operand) in (1..).zip(given) {
            line(format_args!(" add x{n}, x{n}, {}", chunk * size(operand)));
        }
        line(format_args!(" add x{result}, x{result}, {give}\n bar all"));
        line(format_args!("last:\n endloop\ndone:\n end"));
        text
    }

    fn instruction(&self, chunk: usize) -> String {
        let lanes = 256 / self.from.max(self.to);
        let rep = chunk / lanes;
        let (read, write) = (lanes * self.from / 32, lanes * self.to / 32);
        let (inst, scalar) = (self.inst, self.scalar);
        let (d, a, b) = ("ub+0x0", "ub+0x8000", "ub+0x10000");
        match self.form {
            "scalar" | "axpy" => {
                format!("{inst} {d}, {a}, {scalar:#x}, {rep}, st(1,1,{write},{read})")
            }
            "three" | "onto" => {
                format!("{inst} {d}, {a}, {b}, {rep}, st(1,1,1,{write},{read},{read})")
            }
            "bits" => {
                let rep = chunk * self.from / 256;
                format!("{inst} {d}, {a}, {b}, {rep}, st(1,1,1,8,8,8)")
            }
            "s4" => format!("{inst} {d}, {a}, {rep}, st(64,1,8)"),
            form => match group(form) {
                Some(group) => format!("{inst} {d}, {a}, {rep}, st({},1,8)", lanes / group),
                None => format!("{inst} {d}, {a}, {rep}, st(1,1,{write},{read})"),
            },
        }
    }

    fn compare_hashes(&self, found: &[u64], given: &[u64], name: &str) {
        let wide = self.to == 8;
        let hashes: Vec<u64> = found.chunks(BLOCK).map(|block| hash(block, wide)).collect();
        assert_eq!(hashes.len(), self.expected.len(), "{name}");
        let differs = hashes.iter().zip(&self.expected).position(|(a, b)| a != b);
        if let Some(block) = differs {
            let first = block * BLOCK;
            panic!(
                "{name}: block {block} differs: inputs {first} ({:#x}…) to {}; the first results are {:x?}",
                given.get(first).copied().unwrap_or(0),
                first + BLOCK - 1,
                &found[first..first + 8]
            );
        }
    }

    /// Each f32 within 0.501 ulp of the real value.
    fn compare_values(&self, found: &[u64], name: &str) {
        assert_eq!(found.len(), self.expected.len(), "{name}");
        let mut worst = 0.0_f64;
        for (&bits, &expected) in found.iter().zip(&self.expected) {
            let (value, real) = (f32::from_bits(bits as u32), f64::from_bits(expected));
            let exponent = (real.abs().to_bits() >> 52) as i64 - 1023;
            let ulp = f64::from_bits(((exponent.max(-126) - 23 + 1023) as u64) << 52);
            worst = worst.max((f64::from(value) - real).abs() / ulp);
        }
        assert!(worst <= 0.501, "{name}: {worst} ulp");
    }
}

/// Lanes of a result of a reduction: the number in its form.
fn group(form: &str) -> Option<usize> {
    form.strip_prefix("groups")?.parse().ok()
}

/// FNV-1a over 32-bit words.
fn hash(block: &[u64], wide: bool) -> u64 {
    let mut found = 0x811c_9dc5_u32;
    for &word in block {
        found = (found ^ word as u32).wrapping_mul(0x0100_0193);
        if wide {
            found = (found ^ (word >> 32) as u32).wrapping_mul(0x0100_0193);
        }
    }
    found.into()
}

fn pack(list: &[u64], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(list.len() * size);
    for word in list {
        bytes.extend_from_slice(&word.to_le_bytes()[..size]);
    }
    bytes
}

/// The words of results, the bytes of each from the lowest on.
fn unpack(bytes: &[u8], size: usize) -> Vec<u64> {
    let mut words = Vec::with_capacity(bytes.len() / size);
    for bytes in bytes.chunks_exact(size) {
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes);
        words.push(u64::from_le_bytes(word));
    }
    words
}
