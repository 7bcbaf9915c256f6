//! Tile form text → tile IR: names become entities, words become operations.
//!
//! What it gives is well formed as far as names, words and counts of operands go; [`ir::tile::verify`] checks the rest
//! and needs a target's capacities. Everything wrong is E0605, several in one go; a statement costs one diagnostic at
//! most. Printing what was loaded gives the canonical text of what was read.

use std::collections::BTreeMap;

use diag::{Diagnostic, FileId, Span, codes, similar};
use ir::stage;
use ir::tile::names::{
    ew_from_name, is_name, is_number_name, query_from_name, red_from_name, role_from_name,
    scalar_from_name,
};
use ir::tile::{
    Arg, Block, Buf, BufData, Chan, ChanData, FixCast, Func, Op, Operand, Phase, RedOp, Tensor,
    TensorData, Value, View,
};
use isa::types::{CoreKind, Elem, Layout, Pipe, Space};
use syntax::ast::Name;
use syntax::parse_tile;
use syntax::tile_ast::{
    BufDecl, Extents, Int, TileArg, TileAtom, TileFunc, TileItem, TileOperand, TileParam,
    TilePlace, TileStmt, TileStmtKind, Transfer, Work,
};

/// Reads the one function of a `.tile` text.
pub fn load(file: FileId, text: &str) -> Result<Func, Vec<Diagnostic>> {
    let parsed = parse_tile(file, text);
    let mut loader = Loader {
        diagnostics: parsed.diagnostics,
        ..Loader::default()
    };
    match parsed.file.funcs.as_slice() {
        [] => {
            if loader.diagnostics.is_empty() {
                let span = Span::new(file, 0..0);
                loader.problem(span, "there is no `tile` function", "expected here");
            }
        }
        [func, rest @ ..] => {
            if let Some(second) = rest.first() {
                loader.problem(
                    second.span,
                    "a file in tile form holds one function",
                    "the second one",
                );
            }
            loader.func(func);
        }
    }
    if loader.diagnostics.is_empty() {
        return Ok(loader.func);
    }
    diag::sort(&mut loader.diagnostics);
    Err(loader.diagnostics)
}

#[derive(Default)]
struct Loader {
    func: Func,
    diagnostics: Vec<Diagnostic>,
    tensors: BTreeMap<String, Tensor>,
    bufs: BTreeMap<String, Buf>,
    chans: BTreeMap<String, Chan>,
    /// The visible values, innermost last.
    scope: Vec<(String, Value)>,
}

impl Loader {
    fn func(&mut self, func: &TileFunc) {
        self.header(func);
        for param in &func.params {
            self.param(param);
        }
        // Declarations may stand anywhere among the items.
        for item in &func.items {
            self.declaration(item);
        }
        for item in &func.items {
            if let TileItem::Phase { blocks, span } = item {
                self.phase(blocks, *span);
            }
        }
    }

    fn header(&mut self, func: &TileFunc) {
        self.func.name = self.new_name(&func.name);
        self.func.target.clone_from(&func.target.text);
        if let Some(stage) = &func.stage {
            let names = stage::STAGES.iter().map(|info| info.name);
            self.func.stage = self
                .word(stage, "stage", stage::from_name, names)
                .unwrap_or_default();
        }
        self.func.groups = func
            .groups
            .map_or(Some(1), |groups| self.small(groups))
            .unwrap_or(1);
    }

    fn param(&mut self, param: &TileParam) {
        let roles = ["in", "out", "work"];
        let role = match &param.role {
            Some(role) => self.word(role, "role", role_from_name, roles.into_iter()),
            None => {
                let message = format!("tensor `{}` has no role", param.name.text);
                let error = error(param.name.span, message, "what is it for?");
                self.diagnostics
                    .push(error.help("write `in`, `out` or `work` before the name"));
                None
            }
        };
        let elem = self.elem(&param.elem);
        let shape = param
            .shape
            .iter()
            .map(|&extent| self.int(extent))
            .collect::<Option<_>>();
        let (Some(role), Some(elem), Some(shape)) = (role, elem, shape) else {
            return;
        };
        let name = self.new_name(&param.name);
        let tensor = self.func.tensors.push(TensorData {
            name: name.clone(),
            elem,
            shape,
            role,
            span: param.name.span,
        });
        if self.tensors.insert(name, tensor).is_some() {
            self.twice("tensor", &param.name);
        }
    }

    fn declaration(&mut self, item: &TileItem) {
        match item {
            TileItem::Sizes(sizes) => {
                for (name, value) in sizes {
                    let name = self.new_name(name);
                    if let Some(value) = self.int(*value) {
                        self.func.sizes.push((name, value));
                    }
                }
            }
            TileItem::Does(work) => work.iter().for_each(|work| self.work(work)),
            TileItem::Chan {
                name,
                ring,
                depth,
                from,
            } => {
                let _ = self.chan_decl(name, ring, *depth, from);
            }
            TileItem::Buf(decl) => {
                let _ = self.buf_decl(decl);
            }
            TileItem::Phase { .. } | TileItem::Error => {}
        }
    }

    fn work(&mut self, work: &Work) {
        let Ok(amount) = u64::try_from(work.amount.value) else {
            return self.out_of_range(work.amount);
        };
        match work.what.text.as_str() {
            "mads" => {
                self.func.work.mads = amount;
                self.func.work.mad_elem = work.elem.as_ref().and_then(|elem| self.elem(elem));
            }
            "vector_ops" => self.func.work.vector_ops = amount,
            "bytes" => self.func.work.compulsory_bytes = amount,
            _ => {
                let _: Option<()> = self.word(
                    &work.what,
                    "work",
                    |_| None,
                    ["mads", "vector_ops", "bytes"].into_iter(),
                );
            }
        }
    }

    fn chan_decl(&mut self, name: &Name, ring: &Name, depth: Int, from: &Name) -> Option<()> {
        let data = ChanData {
            name: self.new_name(name),
            tensor: self.tensor(ring)?,
            depth: self.small(depth)?,
            from: self.core_kind(from)?,
        };
        let chan = self.func.chans.push(data);
        if self.chans.insert(name.text.clone(), chan).is_some() {
            self.twice("channel", name);
        }
        Some(())
    }

    fn buf_decl(&mut self, decl: &BufDecl) -> Option<()> {
        let one = Int {
            value: 1,
            span: decl.span,
        };
        let (depth, rows, cols) = match decl.extents.as_slice() {
            [shape] if shape.len() == 2 => (one, shape[0], shape[1]),
            [copies, shape] if copies.len() == 1 && shape.len() == 2 => {
                (copies[0], shape[0], shape[1])
            }
            _ => {
                let message = format!("buffer `{}` is no matrix", decl.name.text);
                let error = error(decl.span, message, "its extents are `[rows, cols]`");
                self.diagnostics
                    .push(error.help("copies stand before them: `f16[2][128, 64]`"));
                return None;
            }
        };
        let spaces = Space::ALL.into_iter().map(Space::name);
        let data = BufData {
            name: self.new_name(&decl.name),
            elem: self.elem(&decl.elem)?,
            space: self.word(&decl.space, "space", Space::from_name, spaces)?,
            layout: self.word(
                &decl.layout,
                "layout",
                Layout::from_name,
                ["ND", "NZ", "zZ", "nZ"].into_iter(),
            )?,
            depth: self.small(depth)?,
            rows: self.int(rows)?,
            cols: self.int(cols)?,
            addr: match decl.addr {
                Some(addr) => Some(self.small(addr)?),
                None => None,
            },
            span: decl.span,
        };
        let buf = self.func.bufs.push(data);
        if self.bufs.insert(decl.name.text.clone(), buf).is_some() {
            self.twice("buffer", &decl.name);
        }
        Some(())
    }

    fn phase(&mut self, blocks: &[(Name, Vec<TileStmt>)], span: Span) {
        let mut phase = Phase::default();
        for (kind, stmts) in blocks {
            let block = self.block(stmts);
            let slot = match self.core_kind(kind) {
                Some(CoreKind::Cube) => &mut phase.cube,
                Some(CoreKind::Vector) => &mut phase.vector,
                None => continue,
            };
            if slot.replace(block).is_some() {
                self.problem(
                    kind.span,
                    "a phase has one block a kind of core",
                    "the second one",
                );
            }
        }
        if blocks.is_empty() {
            self.problem(span, "a phase without a block", "nothing happens here");
        }
        self.func.phases.push(phase);
    }

    fn block(&mut self, stmts: &[TileStmt]) -> Block {
        let scope = self.scope.len();
        let block = self.func.add_block();
        for stmt in stmts {
            if let Some(op) = self.stmt(&stmt.kind) {
                self.func.push(block, op, stmt.span);
            }
        }
        self.scope.truncate(scope);
        block
    }

    /// The operation of a statement; `None` if a diagnostic says why there is none.
    fn stmt(&mut self, stmt: &TileStmtKind) -> Option<Op> {
        match stmt {
            TileStmtKind::Define { dst, word, atoms } => {
                let made = self.definition(word, atoms);
                let dst = self.define(dst);
                made.map(|make| make.into_op(dst))
            }
            TileStmtKind::For {
                var,
                lo,
                hi,
                step,
                body,
            } => self.for_loop(var, [lo, hi], *step, body),
            TileStmtKind::If { cond, then, els } => {
                let cond = self.arg(cond);
                let then = self.block(then);
                let els = els.as_ref().map(|els| self.block(els));
                Some(Op::If {
                    cond: cond?,
                    then,
                    els,
                })
            }
            TileStmtKind::Next(buf) => Some(Op::Next {
                buf: self.buf(buf)?,
            }),
            TileStmtKind::Poke { dst, value } => Some(Op::Poke {
                dst: self.view(dst)?,
                value: self.arg(value)?,
            }),
            TileStmtKind::Load(Transfer {
                dst,
                src,
                size,
                pitch,
            }) => {
                let dst = self.view(dst)?;
                let (tensor, at) = self.place(src)?;
                let [rows, cols] = self.size(size)?;
                Some(Op::Load {
                    dst,
                    tensor,
                    at,
                    rows,
                    cols,
                    pitch: self.arg(pitch)?,
                })
            }
            TileStmtKind::Store(Transfer {
                dst,
                src,
                size,
                pitch,
            }) => {
                let (tensor, at) = self.place(dst)?;
                let src = self.view(src)?;
                let [rows, cols] = self.size(size)?;
                Some(Op::Store {
                    tensor,
                    at,
                    src,
                    rows,
                    cols,
                    pitch: self.arg(pitch)?,
                })
            }
            TileStmtKind::LoadTile {
                dst,
                src,
                size,
                transposed,
            } => {
                let (dst, src) = (self.buf(dst)?, self.view(src)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::LoadTile {
                    dst,
                    src,
                    rows,
                    cols,
                    transposed: *transposed,
                })
            }
            TileStmtKind::LoadWords { dst, src, size } => {
                let (dst, src) = (self.buf(dst)?, self.view(src)?);
                let [cols] = self.size(size)?;
                Some(Op::LoadWords { dst, src, cols })
            }
            TileStmtKind::Mad {
                bufs: [c, a, b],
                size,
                init,
            } => {
                let (c, a, b) = (self.buf(c)?, self.buf(a)?, self.buf(b)?);
                let [m, k, n] = self.size(size)?;
                Some(Op::Mad {
                    c,
                    a,
                    b,
                    m,
                    k,
                    n,
                    init: self.arg(init)?,
                })
            }
            TileStmtKind::Drain {
                dst,
                src,
                size,
                pitch,
                requant,
                relu,
            } => {
                let (tensor, at) = self.place(dst)?;
                let src = self.buf(src)?;
                let [rows, cols] = self.size(size)?;
                let pitch = self.arg(pitch)?;
                let cast = match requant {
                    Some(words) => FixCast::Requant(self.view(words)?),
                    None => FixCast::Plain,
                };
                Some(Op::Drain {
                    tensor,
                    at,
                    src,
                    rows,
                    cols,
                    pitch,
                    cast,
                    relu: *relu,
                })
            }
            TileStmtKind::Ew {
                op,
                dst,
                operands,
                size,
            } => self.ew(op, dst, operands, size),
            TileStmtKind::Spread { dst, src, size } => {
                let (dst, src) = (self.view(dst)?, self.view(src)?);
                let [rows] = self.size(size)?;
                Some(Op::Spread { dst, src, rows })
            }
            TileStmtKind::Accumulate { op, acc, src, size } => {
                let op = self.red_op(op)?;
                let (acc, src) = (self.view(acc)?, self.view(src)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::Accumulate {
                    op,
                    acc,
                    src,
                    rows,
                    cols,
                })
            }
            TileStmtKind::Lanes { op, dst, acc, size } => {
                let op = self.red_op(op)?;
                let (dst, acc) = (self.view(dst)?, self.view(acc)?);
                let [rows] = self.size(size)?;
                Some(Op::Lanes { op, dst, acc, rows })
            }
            TileStmtKind::Publish(chan) => Some(Op::Publish {
                chan: self.chan(chan)?,
            }),
            TileStmtKind::Release(chan) => Some(Op::Release {
                chan: self.chan(chan)?,
            }),
            TileStmtKind::Flag {
                set,
                pipes: [src, dst],
                id,
                slot,
            } => {
                let (src, dst, id) = (self.pipe(src)?, self.pipe(dst)?, self.small(*id)?);
                let slot = match slot {
                    Some(buf) => Some(self.buf(buf)?),
                    None => None,
                };
                Some(if *set {
                    Op::SetFlag { src, dst, id, slot }
                } else {
                    Op::WaitFlag { src, dst, id, slot }
                })
            }
            TileStmtKind::Barrier(pipe) if pipe.text == "all" => Some(Op::Barrier { pipe: None }),
            TileStmtKind::Barrier(pipe) => Some(Op::Barrier {
                pipe: Some(self.pipe(pipe)?),
            }),
            TileStmtKind::SyncAll => Some(Op::SyncAll),
            TileStmtKind::Cross { set, pipe, id } => {
                let (pipe, id) = (self.pipe(pipe)?, self.small(*id)?);
                Some(if *set {
                    Op::SetCross { pipe, id }
                } else {
                    Op::WaitCross { pipe, id }
                })
            }
            TileStmtKind::Error => None,
        }
    }

    fn for_loop(
        &mut self,
        var: &Name,
        [lo, hi]: [&TileArg; 2],
        step: Int,
        body: &[TileStmt],
    ) -> Option<Op> {
        let (lo, hi, step) = (self.arg(lo), self.arg(hi), self.int(step));
        let scope = self.scope.len();
        let var = self.define(var);
        let body = self.block(body);
        self.scope.truncate(scope);
        Some(Op::For {
            var,
            lo: lo?,
            hi: hi?,
            step: step?,
            body,
        })
    }

    fn ew(
        &mut self,
        op: &Name,
        dst: &TilePlace,
        operands: &[TileOperand],
        size: &Extents,
    ) -> Option<Op> {
        let Some(ew) = ew_from_name(&op.text) else {
            self.problem(
                op.span,
                &format!("unknown vector operation `{}`", op.text),
                "not an operation",
            );
            return None;
        };
        let dst = self.view(dst)?;
        let mut found = Vec::new();
        for operand in operands {
            found.push(match operand {
                TileOperand::Full(place) => Operand::Full(self.view(place)?),
                TileOperand::Row(place) => Operand::EachRow(self.view(place)?),
                TileOperand::Col(place) => Operand::EachCol(self.view(place)?),
                TileOperand::Bits(bits) => Operand::Bits(self.small(*bits)?),
                TileOperand::Scalar(value) => Operand::Scalar(self.value(value)?),
            });
        }
        let [rows, cols] = self.size(size)?;
        let (a, b, c) = match found.as_slice() {
            [a] => (*a, None, None),
            [a, b] => (*a, Some(*b), None),
            [a, b, c] => (*a, Some(*b), Some(*c)),
            _ => {
                self.problem(
                    op.span,
                    "an operation has one to three operands",
                    "this one has others",
                );
                return None;
            }
        };
        Some(Op::Ew {
            op: ew,
            dst,
            a,
            b,
            c,
            rows,
            cols,
        })
    }

    fn definition(&mut self, word: &Name, atoms: &[TileAtom]) -> Option<Defining> {
        match (word.text.as_str(), atoms) {
            ("peek", [TileAtom::Place(place)]) if place.at.len() == 2 => {
                Some(Defining::PeekBuf(self.view(place)?))
            }
            ("peek", [TileAtom::Place(place)]) => {
                let (tensor, at) = self.place(place)?;
                Some(Defining::Peek(tensor, at))
            }
            ("acquire", [TileAtom::Arg(TileArg::Name(chan))]) => {
                Some(Defining::Acquire(self.chan(chan)?))
            }
            ("take", [TileAtom::Arg(TileArg::Name(chan))]) => {
                Some(Defining::Take(self.chan(chan)?))
            }
            (name, []) if query_from_name(name).is_some() => {
                query_from_name(name).map(Defining::Query)
            }
            (name, [TileAtom::Arg(a), TileAtom::Arg(b)]) if scalar_from_name(name).is_some() => {
                let (a, b) = (self.arg(a)?, self.arg(b)?);
                scalar_from_name(name).map(|op| Defining::Scalar(op, a, b))
            }
            _ => {
                let message = format!(
                    "`{}` does not define a value from these operands",
                    word.text
                );
                let error = error(word.span, message, "not known with these operands");
                self.diagnostics.push(error.note(
                    "values are: `core`, `group`, `subcore`; `add a, b` and other integer arithmetic; \
                     `peek t[at]`, `peek B[row, col]`; `acquire c`, `take c`",
                ));
                None
            }
        }
    }
}

/// What a definition does, before its value exists.
enum Defining {
    Scalar(ir::tile::ScalarOp, Arg, Arg),
    Query(ir::tile::CoreQuery),
    Peek(Tensor, Arg),
    PeekBuf(View),
    Acquire(Chan),
    Take(Chan),
}

impl Defining {
    fn into_op(self, dst: Value) -> Op {
        match self {
            Defining::Scalar(op, a, b) => Op::Scalar { dst, op, a, b },
            Defining::Query(what) => Op::Query { dst, what },
            Defining::Peek(tensor, at) => Op::Peek { dst, tensor, at },
            Defining::PeekBuf(src) => Op::PeekBuf { dst, src },
            Defining::Acquire(chan) => Op::Acquire { dst, chan },
            Defining::Take(chan) => Op::Take { dst, chan },
        }
    }
}

/// Names, numbers and words.
impl Loader {
    fn define(&mut self, name: &Name) -> Value {
        if self.scope.iter().any(|(visible, _)| *visible == name.text) {
            self.twice("value", name);
        }
        let value = self.func.add_value();
        if !is_number_name(&name.text) {
            self.func.values[value].name = Some(self.new_name(name));
        }
        self.scope.push((name.text.clone(), value));
        value
    }

    fn value(&mut self, name: &Name) -> Option<Value> {
        let found = self
            .scope
            .iter()
            .rev()
            .find(|(visible, _)| *visible == name.text);
        let found = found.map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<String> = self.scope.iter().map(|(name, _)| name.clone()).collect();
            self.unknown("value", name, names.iter().map(String::as_str));
        }
        found
    }

    fn arg(&mut self, arg: &TileArg) -> Option<Arg> {
        match arg {
            TileArg::Int(int) => self.int(*int).map(Arg::Const),
            TileArg::Name(name) => self.value(name).map(Arg::Val),
        }
    }

    fn tensor(&mut self, name: &Name) -> Option<Tensor> {
        let found = self.tensors.get(&name.text).copied();
        if found.is_none() {
            let names: Vec<String> = self.tensors.keys().cloned().collect();
            self.unknown("tensor", name, names.iter().map(String::as_str));
        }
        found
    }

    fn buf(&mut self, name: &Name) -> Option<Buf> {
        let found = self.bufs.get(&name.text).copied();
        if found.is_none() {
            let names: Vec<String> = self.bufs.keys().cloned().collect();
            self.unknown("buffer", name, names.iter().map(String::as_str));
        }
        found
    }

    fn chan(&mut self, name: &Name) -> Option<Chan> {
        let found = self.chans.get(&name.text).copied();
        if found.is_none() {
            let names: Vec<String> = self.chans.keys().cloned().collect();
            self.unknown("channel", name, names.iter().map(String::as_str));
        }
        found
    }

    fn view(&mut self, place: &TilePlace) -> Option<View> {
        let buf = self.buf(&place.name)?;
        let [row, col] = place.at.as_slice() else {
            self.problem(
                place.span,
                "a part of a buffer has a row and a column",
                "not two numbers",
            );
            return None;
        };
        Some(View {
            buf,
            row: self.arg(row)?,
            col: self.arg(col)?,
        })
    }

    fn place(&mut self, place: &TilePlace) -> Option<(Tensor, Arg)> {
        let tensor = self.tensor(&place.name)?;
        let [at] = place.at.as_slice() else {
            self.problem(
                place.span,
                "a place in a tensor is one element offset",
                "not one number",
            );
            return None;
        };
        Some((tensor, self.arg(at)?))
    }

    fn size<const N: usize>(&mut self, size: &Extents) -> Option<[Arg; N]> {
        let mut extents = [Arg::Const(0); N];
        if size.args.len() != N {
            let message = format!("{N} extents are expected, not {}", size.args.len());
            self.problem(size.span, &message, "of this operation");
            return None;
        }
        for (extent, arg) in extents.iter_mut().zip(&size.args) {
            *extent = self.arg(arg)?;
        }
        Some(extents)
    }

    fn int(&mut self, int: Int) -> Option<i64> {
        let value = i64::try_from(int.value).ok();
        if value.is_none() {
            self.out_of_range(int);
        }
        value
    }

    fn small(&mut self, int: Int) -> Option<u32> {
        let value = u32::try_from(int.value).ok();
        if value.is_none() {
            self.out_of_range(int);
        }
        value
    }

    fn elem(&mut self, name: &Name) -> Option<Elem> {
        self.word(
            name,
            "element type",
            Elem::from_name,
            Elem::ALL.into_iter().map(Elem::name),
        )
    }

    fn pipe(&mut self, name: &Name) -> Option<Pipe> {
        self.word(
            name,
            "pipe",
            Pipe::from_name,
            Pipe::ALL.into_iter().map(Pipe::name),
        )
    }

    fn red_op(&mut self, name: &Name) -> Option<RedOp> {
        self.word(
            name,
            "reduction",
            red_from_name,
            ["sum", "max", "min"].into_iter(),
        )
    }

    fn core_kind(&mut self, name: &Name) -> Option<CoreKind> {
        let find = |text: &str| {
            [CoreKind::Cube, CoreKind::Vector]
                .into_iter()
                .find(|kind| kind.name() == text)
        };
        self.word(name, "kind of core", find, ["cube", "vector"].into_iter())
    }

    fn word<'a, T>(
        &mut self,
        name: &Name,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
        words: impl Iterator<Item = &'a str>,
    ) -> Option<T> {
        let found = find(&name.text);
        if found.is_none() {
            self.unknown(what, name, words);
        }
        found
    }

    /// A name for something new.
    fn new_name(&mut self, name: &Name) -> String {
        if !is_name(&name.text) {
            self.problem(
                name.span,
                "a name is not empty and has no control characters or `\\`",
                "not a name",
            );
        }
        name.text.clone()
    }

    fn unknown<'a>(&mut self, what: &str, name: &Name, known: impl Iterator<Item = &'a str>) {
        let message = format!("unknown {what} `{}`", name.text);
        let mut error = error(name.span, message, "not found");
        if let Some(near) = similar(&name.text, known) {
            error = error.help(format!("`{near}` is similar"));
        }
        self.diagnostics.push(error);
    }

    fn twice(&mut self, what: &str, name: &Name) {
        let message = format!("{what} `{}` is defined twice", name.text);
        self.problem(name.span, &message, "the name is taken");
    }

    fn out_of_range(&mut self, int: Int) {
        let message = format!("number {} is out of range here", int.value);
        self.problem(int.span, &message, "out of range");
    }

    fn problem(&mut self, span: Span, message: &str, label: &str) {
        self.diagnostics.push(error(span, message, label));
    }
}

/// E0605 at a place.
fn error(span: Span, message: impl Into<String>, label: &str) -> Diagnostic {
    Diagnostic::new(codes::E0605, message).primary(span, label)
}
