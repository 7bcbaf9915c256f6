//! Statements: each word with its operands becomes an operation.

use diag::Span;
use ir::tile::names::{ew_from_name, query_from_name, scalar_from_name};
use ir::tile::{
    Arg, Block, Chan, CoreQuery, FixCast, FloatOp, Op, Operand, ScalarOp, Tensor, Value, View,
    Window,
};
use syntax::ast::Name;
use syntax::tile_ast::{
    Extents, Int, TileArg, TileAtom, TileOperand, TilePlace, TileStmt, TileStmtKind, Transfer,
};

use super::Loader;
use super::names::error;

impl Loader {
    pub(super) fn block(&mut self, stmts: &[TileStmt]) -> Block {
        let scope = self.scope.len();
        let block = self.enter_block();
        self.statements(stmts);
        self.leave_block();
        self.leave(scope);
        block
    }

    /// Statements of the block that is being read.
    pub(super) fn statements(&mut self, stmts: &[TileStmt]) {
        for stmt in stmts {
            if let Some(op) = self.stmt(&stmt.kind, stmt.span) {
                self.emit(op, stmt.span);
            }
        }
    }

    /// The operation of a statement; `None` if a diagnostic says why there is none.
    fn stmt(&mut self, stmt: &TileStmtKind, span: Span) -> Option<Op> {
        match stmt {
            TileStmtKind::Buf(decl) => {
                self.written_buf(decl)?;
                None
            }
            TileStmtKind::Copy {
                dst,
                src,
                transposed,
            } => {
                self.copy(dst, src, *transposed, span)?;
                None
            }
            TileStmtKind::Put {
                dst,
                src,
                cast,
                relu,
            } => {
                self.put(dst, src, (cast.as_ref(), *relu), span)?;
                None
            }
            TileStmtKind::Multiply { bufs, first } => {
                self.multiply(bufs, first, span)?;
                None
            }
            TileStmtKind::Send { chan, src } => {
                self.send(chan, src, span)?;
                None
            }
            TileStmtKind::Receive { dst, chan } => {
                self.receive(dst, chan, span)?;
                None
            }
            TileStmtKind::When { cond, then, els } => {
                let cond = self.condition(cond);
                let then = self.block(then);
                let els = els.as_ref().map(|els| self.block(els));
                Some(Op::If {
                    cond: cond?,
                    then,
                    els,
                })
            }
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
                pipelined,
                body,
            } => {
                if *pipelined {
                    self.check_copies(body, span);
                }
                self.for_loop(var, [lo, hi], *step, body)
            }
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
            TileStmtKind::LoadWindow {
                dst,
                src,
                size,
                window,
            } => {
                let (dst, src) = (self.buf(dst)?, self.view(src)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::LoadWindow {
                    dst,
                    src,
                    rows,
                    cols,
                    window: Window {
                        image: self.size(&window.image)?,
                        pad: self.size(&window.pad)?,
                        extent: self.known(&window.extent)?,
                        step: self.known(&window.step)?,
                        apart: self.known(&window.apart)?,
                        from: self.size(&window.from)?,
                    },
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
                hf32,
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
                    hf32: *hf32,
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
            } => self.ew(op, dst, operands, size.as_ref(), span),
            TileStmtKind::Spread { dst, src, size } => {
                let (dst, src) = (self.view(dst)?, self.view(src)?);
                let [rows] = match size {
                    Some(size) => self.size(size)?,
                    None => self.spread_size(dst.buf, src.buf, span)?,
                };
                Some(Op::Spread { dst, src, rows })
            }
            TileStmtKind::Gather { dst, src, at, size } => {
                let (dst, src, at) = (self.view(dst)?, self.view(src)?, self.view(at)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::Gather {
                    dst,
                    src,
                    at,
                    rows,
                    cols,
                })
            }
            TileStmtKind::Sort {
                dst,
                keys,
                places,
                size,
            } => {
                let (dst, keys, places) = (self.view(dst)?, self.view(keys)?, self.view(places)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::Sort {
                    dst,
                    keys,
                    places,
                    rows,
                    cols,
                })
            }
            TileStmtKind::Transpose { dst, src, size } => {
                let (dst, src) = (self.view(dst)?, self.view(src)?);
                let [rows, cols] = match size {
                    Some(size) => self.size(size)?,
                    None => self.transpose_size(dst.buf, src.buf),
                };
                Some(Op::Transpose {
                    dst,
                    src,
                    rows,
                    cols,
                })
            }
            TileStmtKind::Accumulate { op, acc, src, size } => {
                let op = self.red_op(op)?;
                let (acc, src) = (self.view(acc)?, self.view(src)?);
                let [rows, cols] = match size {
                    Some(size) => self.size(size)?,
                    None => self.accumulate_size(acc.buf, src.buf, span)?,
                };
                Some(Op::Accumulate {
                    op,
                    acc,
                    src,
                    rows,
                    cols,
                })
            }
            TileStmtKind::BlockReduce { op, dst, src, size } => {
                let op = self.red_op(op)?;
                let (dst, src) = (self.view(dst)?, self.view(src)?);
                let [rows, cols] = self.size(size)?;
                Some(Op::BlockReduce {
                    op,
                    dst,
                    src,
                    rows,
                    cols,
                })
            }
            TileStmtKind::Lanes { op, dst, acc, size } => {
                let op = self.red_op(op)?;
                let (dst, acc) = (self.view(dst)?, self.view(acc)?);
                let [rows] = match size {
                    Some(size) => self.size(size)?,
                    None => self.lanes_size(dst.buf, acc.buf, span)?,
                };
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
        let name = &var.text;
        let var = self.define(var);
        self.levels.insert(var, self.open.len() + 1);
        self.ranges.remove(name);
        if let (Some(Arg::Const(lo)), Some(Arg::Const(hi)), Some(step)) = (lo, hi, step)
            && lo < hi
            && step > 0
        {
            let turns = hi.saturating_sub(1).saturating_sub(lo) / step;
            let last = lo.saturating_add(turns.saturating_mul(step));
            self.ranges.insert(name.clone(), (lo, last));
        }
        let body = self.block(body);
        self.leave(scope);
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
        size: Option<&Extents>,
        span: Span,
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
                TileOperand::Float(text) => Operand::Bits(self.float_bits(text, &found, dst)?),
                TileOperand::Bits(bits) => Operand::Bits(self.small(*bits)?),
                TileOperand::Scalar(value) => Operand::Scalar(self.value(value)?),
            });
        }
        let [rows, cols] = match size {
            Some(size) => self.size(size)?,
            None => self.ew_size(dst.buf, &found, span)?,
        };
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
            ("size", [TileAtom::Arg(TileArg::Name(size))]) => {
                let place = u32::try_from(self.symbol(size)?).ok()?;
                Some(Defining::Query(CoreQuery::Size(place)))
            }
            (name, []) if query_from_name(name).is_some() => {
                query_from_name(name).map(Defining::Query)
            }
            ("fsqrt", [TileAtom::Arg(a)]) => {
                let root = ScalarOp::Float(FloatOp::Sqrt);
                Some(Defining::Scalar(root, self.arg(a)?, Arg::Const(0)))
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
                    "values are: `core`, `group`, `subcore`, `size M`; `add a, b` and other integer arithmetic; \
                     `fadd a, b`, `fsqrt a` and the like on bits of f32; `peek t[at]`, `peek B[row, col]`; `acquire c`, `take c`",
                ));
                None
            }
        }
    }
}

/// What a definition does, before its value exists.
enum Defining {
    Scalar(ScalarOp, Arg, Arg),
    Query(CoreQuery),
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
