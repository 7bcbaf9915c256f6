//! The bits of the vector unit against results made elsewhere: `data/numerics/make.py` computes them with numpy, mpmath
//! and whole numbers, and this runs the instructions on the same inputs. A line of a file is a case; its fields are said
//! in that script, and so is how to print the block of results that a failure names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use emulator::{Options, Sanitize};
use isa::asm::assemble;
use isa::chip::Chip;
use isa::num::{self, QuantWord, Relu};

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

/// An input set: its first operand as words, and all as the bytes of arguments.
struct Inputs {
    words: Vec<u64>,
    arrays: [Vec<u8>; 3],
}

impl Inputs {
    fn new(name: &str, sizes: [usize; 3]) -> Inputs {
        let lists = inputs(name);
        let arrays = [0, 1, 2].map(|n| pack(&lists[n], sizes[n]));
        let [words, ..] = lists;
        Inputs { words, arrays }
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
            let one = |&x: &u64| fixpipe(self.inst, x as u32, self.scalar, self.ctrl);
            return sources.words.iter().map(one).collect();
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

/// The arithmetic of the fixpipe, which no vector instruction reaches; `slope` says which activation.
fn fixpipe(name: &str, x: u32, word: u64, slope: u64) -> u64 {
    let (word, signed, float) = (QuantWord::unpack(word), x as i32, f32::from_bits(x));
    let relu = match slope {
        0 => Relu::None,
        1 => Relu::Zero,
        _ => Relu::Multiplier(-0.125),
    };
    match name {
        "requant_s32_s8" => u64::from(num::requant_s32_s8(signed, word, relu) as u8),
        "requant_s32_s4" => u64::from(num::requant_s32_s4(signed, word, relu) as u8),
        "quant_f32_s8" => u64::from(num::quant_f32_s8(float, word, relu) as u8),
        "quant_f32_s4" => u64::from(num::quant_f32_s4(float, word, relu) as u8),
        "shift_s32_s16" => u64::from(num::shift_s32_s16(signed, word) as u16),
        "dequant_s32_f16" => u64::from(num::dequant_s32_f16(signed, word, relu)),
        other => panic!("there is no `{other}`"),
    }
}

/// The input sets of the script, written again.
fn inputs(name: &str) -> [Vec<u64>; 3] {
    let one = |list: Vec<u64>| [list, Vec::new(), Vec::new()];
    let every = 0..65_536_u64;
    match name {
        "all16" => one(every.collect()),
        "all8" => one(every.map(|n| n & 255).collect()),
        "near_f16" => one(near_f16()),
        "near_bf16" => {
            let lows = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
            one(every
                .flat_map(|upper| lows.map(|low| upper << 16 | low))
                .collect())
        }
        "near_int" => one(near_int()),
        "s32" => one(every.map(|n| shifted(n, 32) & 0xffff_ffff).collect()),
        "s64" => one(every.map(|n| shifted(n, 64)).collect()),
        "small" => one((0..4096).map(small).collect()),
        "positive" => one((0..4096).map(positive).collect()),
        "pairs16" => [0, 1, 2].map(|which| operands(&SPECIAL16, 16, which)),
        "mixed" => {
            let [a, b, _] = inputs("pairs16");
            let [_, _, c] = inputs("pairs32");
            [a, b, c]
        }
        "pairs32" => [0, 1, 2].map(|which| operands(&SPECIAL32, 32, which)),
        other => panic!("there is no input set `{other}`"),
    }
}

/// The n-th number of splitmix64, from 0 on.
fn mixed(n: u64, seed: u64) -> u64 {
    let mut z = (n + 1 + (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn shifted(n: u64, bits: u64) -> u64 {
    ((mixed(n, 0) as i64) >> (n % bits)) as u64
}

fn near_f16() -> Vec<u64> {
    let lows = [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff];
    let special = [
        0,
        0x8000_0000,
        1,
        0x8000_0001,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0xffc1_2345,
        0x7f7f_ffff,
        0xff7f_ffff,
    ];
    let mut list = Vec::new();
    for sign in 0..2 {
        for exponent in 101..145 {
            for upper in 0..1024 {
                let head = sign << 31 | exponent << 23 | upper << 13;
                list.extend(lows.map(|low| head | low));
            }
        }
    }
    list.extend(special.into_iter().cycle().take(4096));
    list
}

fn near_int() -> Vec<u64> {
    let upper = (0..65_536_u64).map(|n| n << 16);
    let others = (0..65_536_u64).map(|n| n << 16 | mixed(n, 0) & 0xffff);
    let halves = (-65_536..65_536).map(|n: i32| u64::from((n as f32 / 2.0).to_bits()));
    upper.chain(others).chain(halves).collect()
}

fn small(n: u64) -> u64 {
    let random = mixed(n, 0);
    let bits = ((97 + random % 36) as u32) << 23 | (random >> 8) as u32 & 0x7f_ffff;
    let magnitude = f32::from_bits(bits);
    let folded = if magnitude > 87.0 {
        magnitude / 64.0
    } else {
        magnitude
    };
    u64::from(folded.to_bits() | ((random >> 40 & 1) as u32) << 31)
}

fn positive(n: u64) -> u64 {
    let random = mixed(n, 0);
    match n % 2 {
        0 => random % 0x7f7f_ffff + 1,
        _ => 0x3f70_0000 + (random >> 32 & 0x1f_ffff),
    }
}

const SPECIAL16: [u64; 28] = [
    0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x83ff, 0x8400, 0x3c00, 0xbc00, 0x3c01, 0x3bff, 0x7bff,
    0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7800, 0x7801, 0x4000, 0x3555, 0x1400, 0x13ff, 0x6800,
    0x200, 0x5bff, 0xdbff,
];
const SPECIAL32: [u64; 28] = [
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x7f_ffff,
    0x80_0000,
    0x8080_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x3f80_0001,
    0x3f7f_ffff,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f00_0000,
    0x4000_0000,
    0x3eaa_aaab,
    0x4b80_0000,
    0x4b7f_ffff,
    0x3380_0000,
    0x3380_0001,
    0x2000_0000,
    0x5f00_0000,
    0x1f80_0000,
    0x5f7f_ffff,
];

/// Specials with specials, then random bits, every second with an exponent near the middle.
fn operands(special: &[u64], bits: u32, which: u64) -> Vec<u64> {
    let count = special.len() as u64;
    let (exponent, mantissa) = if bits == 16 {
        (0x7c00, 10)
    } else {
        (0x7f80_0000, 23)
    };
    let middle = (exponent >> 1 & exponent) - (4 << mantissa);
    let every = [1, count, 7][which as usize];
    let one = |n: u64| {
        let random = mixed(n, which + 1);
        let free = random >> (64 - bits);
        if n < count * count {
            special[(n / every % count) as usize]
        } else if n.is_multiple_of(2) {
            free
        } else {
            free & !exponent | (middle + ((random & 7) << mantissa))
        }
    };
    (0..65_536).map(one).collect()
}
