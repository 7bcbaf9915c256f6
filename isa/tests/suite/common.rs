//! What several tests share: a small deterministic generator and a sample object.

use isa::inst::{Inst, Label, MmadTy, Opcode};
use isa::object::{KernelMeta, Launch, LineRow, Object, ParamDir, ParamMeta};
use isa::types::{CoreKind, Elem};

/// A small deterministic generator.
pub(crate) struct Xorshift(pub(crate) u64);

impl Xorshift {
    /// The next 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// An object with random instructions, jumps inside their programs, and a bit of everything else.
pub(crate) fn sample_object(seed: u64, length: usize) -> Object {
    let mut rng = Xorshift(seed | 1);
    let aic = sample_code(CoreKind::Cube, length, &mut rng);
    let aiv = sample_code(CoreKind::Vector, length, &mut rng);
    let rows = |rng: &mut Xorshift| {
        (0..length as u32)
            .step_by(3)
            .map(|pc| sample_row(pc, rng))
            .collect()
    };
    Object {
        chip: "910b2".to_owned(),
        chip_version: "v1 #00000000".to_owned(),
        kernel: sample_meta(),
        aic,
        aiv,
        files: vec!["gemm.vn".to_owned(), "sub dir/\"odd\" name\n.vn".to_owned()],
        lines_aic: rows(&mut rng),
        lines_aiv: rows(&mut rng),
        claims: isa::object::Claims::default(),
        certificate: String::new(),
    }
}

fn sample_row(pc: u32, rng: &mut Xorshift) -> LineRow {
    let byte_start = (rng.next() % 1000) as u32;
    LineRow {
        pc,
        file: (rng.next() % 2) as u32,
        line: (rng.next() % 100) as u32 + 1,
        col: (rng.next() % 80) as u32 + 1,
        byte_start,
        byte_end: byte_start + (rng.next() % 50) as u32,
    }
}

fn sample_code(core: CoreKind, length: usize, rng: &mut Xorshift) -> Vec<Inst> {
    let opcodes: Vec<Opcode> = isa::inst::INFO
        .iter()
        .filter(|info| info.runs_on(core))
        .map(|info| info.opcode)
        .collect();
    let mut code = Vec::new();
    while code.len() < length {
        let opcode = opcodes[(rng.next() % opcodes.len() as u64) as usize];
        let mut inst = Inst::sample(opcode, &mut || rng.next());
        let target = Label((rng.next() % length as u64) as u32);
        if let Inst::Jmp(i) = &mut inst {
            i.target = target;
        } else if let Inst::Bcc(i) = &mut inst {
            i.target = target;
        } else if let Inst::Loop(i) = &mut inst {
            i.end = target;
        } else if let Inst::Call(i) = &mut inst {
            i.target = target;
        }
        code.push(inst);
    }
    code
}

fn sample_meta() -> KernelMeta {
    let param = |name: &str, elem, shape: &[u64], dir| ParamMeta {
        name: name.to_owned(),
        elem,
        shape: shape.to_vec(),
        dir,
    };
    KernelMeta {
        name: "gemm".to_owned(),
        params: vec![
            param("a", Elem::F16, &[128, 64], ParamDir::In),
            param("scale", Elem::F32, &[], ParamDir::In),
            param("y", Elem::F16, &[128, 32], ParamDir::Out),
            param("c.part", Elem::F32, &[4, 128, 32], ParamDir::Work),
        ],
        sizes: vec![
            ("M".to_owned(), 128),
            ("K".to_owned(), 64),
            ("N".to_owned(), 0),
        ],
        launch: Launch {
            sizes: vec!["N".to_owned()],
            shapes: ["N", "1", "128*N", "N*N"]
                .map(|s| vec![s.to_owned()])
                .to_vec(),
            conditions: vec!["N%16 == 0 && (N/2) < 9".to_owned()],
            work: ["2*N", "0", "4*N"].map(str::to_owned),
        },
        cube_cores: 24,
        vector_cores: 48,
        mads: 128 * 64 * 32,
        mad_ty: Some(MmadTy::F16),
        vector_ops: 17,
        compulsory_bytes: 1 << 40,
        opt: "-O1 \"quoted\" # not a comment".to_owned(),
    }
}
