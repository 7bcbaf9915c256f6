//! Writes a tile function as text: `--emit=tile`, pass tests, and what `frontend::load` reads back.
//!
//! The text is complete and canonical: it holds everything of a [`Func`] but its spans, one statement a line, and
//! reading it gives a function that prints the same. Values keep their author's name where no visible value has it;
//! all others are numbered `v0`, `v1` … in the order in which a block of a core defines them. Names that are not identifiers, or are
//! words of the tile form, stand in double quotes. Nothing here panics on a function that the verifier would refuse:
//! what is missing prints as `?`.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::names::{
    WORK, ew_name, is_name, is_number_name, query_name, quoted, role_name, scalar_name,
};
use super::{
    Arg, Block, Buf, BufData, Chan, CoreQuery, FixCast, FloatOp, Func, Inst, Op, Operand, Phase,
    ScalarOp, Tensor, TensorData, Value, View, Window,
};
use crate::stage;
use crate::symbols::Symbols;
use cranelift_entity::{EntitySet, SecondaryMap};

/// Blocks nested deeper than this are not printed (nor read): the text says `?` instead.
pub const MAX_NESTING: usize = 200;

/// The canonical text of a function.
pub fn print(func: &Func) -> String {
    let mut printer = Printer {
        func,
        out: String::new(),
        depth: 1,
        names: SecondaryMap::new(),
        scope: Vec::new(),
        visible: BTreeSet::new(),
        numbered: 0,
        printed: EntitySet::new(),
    };
    // Writing to a string cannot fail.
    let _ = printer.func();
    printer.out
}

struct Printer<'a> {
    func: &'a Func,
    out: String,
    depth: usize,
    names: SecondaryMap<Value, String>,
    /// Names of the values in scope, innermost last, and as a set.
    scope: Vec<String>,
    visible: BTreeSet<String>,
    numbered: u32,
    /// Blocks that are printed, or begun; none is printed twice.
    printed: EntitySet<Block>,
}

impl Printer<'_> {
    fn func(&mut self) -> fmt::Result {
        self.header()?;
        self.facts()?;
        self.declarations()?;
        for phase in &self.func.phases {
            self.phase(phase)?;
        }
        self.out.push_str("}\n");
        Ok(())
    }

    fn header(&mut self) -> fmt::Result {
        let func = self.func;
        let target =
            if func.target.bytes().all(|b| b.is_ascii_alphanumeric()) && !func.target.is_empty() {
                func.target.clone()
            } else {
                format!("\"{}\"", func.target)
            };
        let stage = stage::info(func.stage).name;
        let params: Vec<String> = func
            .tensors
            .values()
            .map(|tensor| tensor_text(tensor, &func.symbols))
            .collect();
        writeln!(
            self.out,
            "tile {}@{target} stage {stage} groups {} ({}) {{",
            quoted(&func.name),
            func.groups,
            params.join(", ")
        )
    }

    fn facts(&mut self) -> fmt::Result {
        let func = self.func;
        if !func.sizes.is_empty() {
            let sizes: Vec<String> = func
                .sizes
                .iter()
                .map(|(n, v)| {
                    // A size that the launch gives has no value.
                    let value = match func.symbols.is_symbolic(*v) {
                        true => "?".to_owned(),
                        false => v.to_string(),
                    };
                    format!("{} = {value}", quoted(n))
                })
                .collect();
            writeln!(self.out, "  sizes {};", sizes.join(", "))?;
        }
        self.launch()?;
        let work = &func.work;
        let elem = work.mad_elem.map_or(String::new(), |e| format!(" {e}"));
        writeln!(
            self.out,
            "  does mads {}{elem}, vector_ops {}, bytes {};",
            work.mads, work.vector_ops, work.compulsory_bytes
        )
    }

    /// What is known of the sizes that the launch gives.
    fn launch(&mut self) -> fmt::Result {
        let symbols = &self.func.symbols;
        for symbol in &symbols.all {
            if let Some(most) = symbol.most {
                writeln!(self.out, "  launch most {} {most};", quoted(&symbol.name))?;
            }
        }
        for condition in &symbols.conditions {
            writeln!(self.out, "  launch check \"{condition}\";")?;
        }
        for (what, formula) in WORK.iter().zip(&symbols.work) {
            if !formula.is_empty() {
                writeln!(self.out, "  launch {what} \"{formula}\";")?;
            }
        }
        Ok(())
    }

    fn declarations(&mut self) -> fmt::Result {
        let func = self.func;
        for chan in func.chans.values() {
            let tensor = self.tensor(chan.tensor);
            let (name, depth, from) = (quoted(&chan.name), chan.depth, chan.from.name());
            writeln!(
                self.out,
                "  chan {name}: {tensor} depth {depth} from {from};"
            )?;
        }
        for buf in func.bufs.values() {
            writeln!(self.out, "  {}", buf_text(buf))?;
        }
        Ok(())
    }

    fn phase(&mut self, phase: &Phase) -> fmt::Result {
        self.line("phase {");
        self.depth += 1;
        for (kind, block) in [("cube", phase.cube), ("vector", phase.vector)] {
            if let Some(block) = block {
                self.numbered = 0;
                self.line(&format!("on {kind} {{"));
                self.block(block)?;
                self.line("}");
            }
        }
        self.depth -= 1;
        self.line("}");
        Ok(())
    }

    fn block(&mut self, block: Block) -> fmt::Result {
        let scope = self.scope.len();
        self.depth += 1;
        match self.func.blocks.get(block) {
            Some(data) if self.depth <= MAX_NESTING && self.printed.insert(block) => {
                for &inst in &data.insts {
                    self.inst(inst)?;
                }
            }
            Some(_) | None => self.line("?"),
        }
        self.depth -= 1;
        self.leave(scope);
        Ok(())
    }

    /// Ends the scope of the values that came after the first `scope` ones.
    fn leave(&mut self, scope: usize) {
        for name in self.scope.drain(scope..) {
            self.visible.remove(&name);
        }
    }

    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn inst(&mut self, inst: Inst) -> fmt::Result {
        let func = self.func;
        match func.insts.get(inst).map(|data| &data.op) {
            None => self.line("?"),
            Some(Op::For {
                var,
                lo,
                hi,
                step,
                body,
            }) => {
                let (lo, hi) = (self.arg(*lo), self.arg(*hi));
                let scope = self.scope.len();
                let var = self.define(*var);
                self.line(&format!("for {var} in {lo}..{hi} step {step} {{"));
                self.block(*body)?;
                self.leave(scope);
                self.line("}");
            }
            Some(Op::If { cond, then, els }) => {
                let cond = self.arg(*cond);
                self.line(&format!("if {cond} {{"));
                self.block(*then)?;
                if let Some(els) = els {
                    self.line("} else {");
                    self.block(*els)?;
                }
                self.line("}");
            }
            Some(op) => {
                let text = self.statement(op);
                self.line(&format!("{text};"));
            }
        }
        Ok(())
    }

    /// The text of an operation without blocks.
    fn statement(&mut self, op: &Op) -> String {
        match op {
            Op::For { .. } | Op::If { .. } => String::from("?"),
            Op::Scalar {
                dst,
                op: op @ ScalarOp::Float(FloatOp::Sqrt),
                a,
                ..
            } => {
                let right = format!("{} {}", scalar_name(*op), self.arg(*a));
                self.defining(*dst, &right)
            }
            Op::Scalar { dst, op, a, b } => {
                let right = format!("{} {}, {}", scalar_name(*op), self.arg(*a), self.arg(*b));
                self.defining(*dst, &right)
            }
            Op::Query {
                dst,
                what: CoreQuery::Size(place),
            } => {
                let size = self.func.symbols.all.get(*place as usize);
                let right = format!("size {}", size.map_or("?", |size| &size.name));
                self.defining(*dst, &right)
            }
            Op::Query { dst, what } => self.defining(*dst, query_name(*what)),
            Op::Next { buf } => format!("next {}", self.buf(*buf)),
            Op::Peek { dst, tensor, at } => {
                let right = format!("peek {}", self.place(*tensor, *at));
                self.defining(*dst, &right)
            }
            Op::PeekBuf { dst, src } => {
                let right = format!("peek {}", self.view(*src));
                self.defining(*dst, &right)
            }
            Op::Poke { dst, value } => format!("poke {} <- {}", self.view(*dst), self.arg(*value)),
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => {
                let (dst, src) = (self.view(*dst), self.place(*tensor, *at));
                format!(
                    "load {dst} <- {src} {} pitch {}",
                    self.size(&[*rows, *cols]),
                    self.arg(*pitch)
                )
            }
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => {
                let (dst, src) = (self.place(*tensor, *at), self.view(*src));
                format!(
                    "store {dst} <- {src} {} pitch {}",
                    self.size(&[*rows, *cols]),
                    self.arg(*pitch)
                )
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => {
                let flag = if *transposed { " transposed" } else { "" };
                let (dst, src) = (self.buf(*dst), self.view(*src));
                format!(
                    "loadtile {dst} <- {src} {}{flag}",
                    self.size(&[*rows, *cols])
                )
            }
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => {
                let (dst, src) = (self.buf(*dst), self.view(*src));
                format!(
                    "loadwindow {dst} <- {src} {}{}",
                    self.size(&[*rows, *cols]),
                    self.window(window)
                )
            }
            Op::LoadWords { dst, src, cols } => {
                format!(
                    "loadwords {} <- {} {}",
                    self.buf(*dst),
                    self.view(*src),
                    self.size(&[*cols])
                )
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init,
                hf32,
            } => {
                let (c, a, b) = (self.buf(*c), self.buf(*a), self.buf(*b));
                format!(
                    "mad {c} += {a} * {b} {} init {}{}",
                    self.size(&[*m, *k, *n]),
                    self.arg(*init),
                    if *hf32 { " hf32" } else { "" }
                )
            }
            Op::Drain {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
                cast,
                relu,
            } => {
                let (dst, src) = (self.place(*tensor, *at), self.buf(*src));
                let cast = match cast {
                    FixCast::Plain => String::new(),
                    FixCast::Requant(words) => format!(" requant {}", self.view(*words)),
                };
                let relu = if *relu { " relu" } else { "" };
                let (size, pitch) = (self.size(&[*rows, *cols]), self.arg(*pitch));
                format!("drain {dst} <- {src} {size} pitch {pitch}{cast}{relu}")
            }
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => {
                let operands = [Some(*a), *b, *c].into_iter().flatten();
                let operands: Vec<String> = operands.map(|o| self.operand(o)).collect();
                let (dst, size) = (self.view(*dst), self.size(&[*rows, *cols]));
                format!(
                    "ew {} {dst} <- {} {size}",
                    ew_name(*op),
                    operands.join(", ")
                )
            }
            Op::Spread { dst, src, rows } => {
                format!(
                    "spread {} <- {} {}",
                    self.view(*dst),
                    self.view(*src),
                    self.size(&[*rows])
                )
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => {
                let (dst, src) = (self.view(*dst), self.view(*src));
                format!("transpose {dst} <- {src} {}", self.size(&[*rows, *cols]))
            }
            Op::Gather {
                dst,
                src,
                at,
                rows,
                cols,
            } => {
                let [dst, src, at] = [*dst, *src, *at].map(|view| self.view(view));
                let size = self.size(&[*rows, *cols]);
                format!("gather {dst} <- {src} by {at} {size}")
            }
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => {
                let [dst, keys, places] = [*dst, *keys, *places].map(|view| self.view(view));
                let size = self.size(&[*rows, *cols]);
                format!("sort {dst} <- {keys} with {places} {size}")
            }
            Op::Accumulate {
                op,
                acc,
                src,
                rows,
                cols,
            } => {
                let (acc, src) = (self.view(*acc), self.view(*src));
                format!(
                    "accumulate {} {acc} <- {src} {}",
                    op.name(),
                    self.size(&[*rows, *cols])
                )
            }
            Op::BlockReduce {
                op,
                dst,
                src,
                rows,
                cols,
            } => {
                let (dst, src) = (self.view(*dst), self.view(*src));
                let size = self.size(&[*rows, *cols]);
                format!("blockreduce {} {dst} <- {src} {size}", op.name())
            }
            Op::Lanes { op, dst, acc, rows } => {
                let (dst, acc) = (self.view(*dst), self.view(*acc));
                format!("lanes {} {dst} <- {acc} {}", op.name(), self.size(&[*rows]))
            }
            Op::Acquire { dst, chan } => {
                let right = format!("acquire {}", self.chan(*chan));
                self.defining(*dst, &right)
            }
            Op::Take { dst, chan } => {
                let right = format!("take {}", self.chan(*chan));
                self.defining(*dst, &right)
            }
            Op::Publish { chan } => format!("publish {}", self.chan(*chan)),
            Op::Release { chan } => format!("release {}", self.chan(*chan)),
            Op::SetFlag { src, dst, id, slot } => {
                format!("setflag {src} to {dst} id {id}{}", self.slot(*slot))
            }
            Op::WaitFlag { src, dst, id, slot } => {
                format!("waitflag {src} to {dst} id {id}{}", self.slot(*slot))
            }
            Op::Barrier { pipe } => format!("barrier {}", pipe.map_or("all", |p| p.name())),
            Op::SyncAll => String::from("syncall"),
            Op::SetCross { pipe, id } => format!("setcross {pipe} id {id}"),
            Op::WaitCross { pipe, id } => format!("waitcross {pipe} id {id}"),
        }
    }

    fn slot(&self, slot: Option<Buf>) -> String {
        slot.map_or(String::new(), |buf| format!(" slot {}", self.buf(buf)))
    }

    fn defining(&mut self, dst: Value, right: &str) -> String {
        format!("{} = {right}", self.define(dst))
    }

    /// Gives a value its printed name, visible from here to the end of the block.
    fn define(&mut self, value: Value) -> String {
        let own = self
            .func
            .values
            .get(value)
            .and_then(|data| data.name.as_deref());
        let name = match own {
            Some(name)
                if is_name(name) && !is_number_name(name) && !self.visible.contains(name) =>
            {
                self.scope.push(name.to_owned());
                self.visible.insert(name.to_owned());
                quoted(name)
            }
            Some(_) | None => {
                self.numbered += 1;
                format!("v{}", self.numbered - 1)
            }
        };
        self.names[value].clone_from(&name);
        name
    }

    fn arg(&self, arg: Arg) -> String {
        match arg {
            Arg::Const(value) => value.to_string(),
            Arg::Val(value) => self.value(value),
        }
    }

    fn value(&self, value: Value) -> String {
        let name = &self.names[value];
        if name.is_empty() {
            String::from("?")
        } else {
            name.clone()
        }
    }

    fn operand(&self, operand: Operand) -> String {
        match operand {
            Operand::Full(view) => self.view(view),
            Operand::EachRow(view) => format!("row {}", self.view(view)),
            Operand::EachCol(view) => format!("col {}", self.view(view)),
            Operand::Bits(bits) => format!("bits {bits:#x}"),
            Operand::Scalar(value) => format!("scalar {}", self.value(value)),
        }
    }

    fn size(&self, extents: &[Arg]) -> String {
        let extents: Vec<String> = extents.iter().map(|&e| self.arg(e)).collect();
        format!("size ({})", extents.join(", "))
    }

    fn window(&self, window: &Window) -> String {
        let tuple = |args: &[Arg]| {
            let args: Vec<String> = args.iter().map(|&arg| self.arg(arg)).collect();
            args.join(", ")
        };
        let pair = |[down, across]: [i64; 2]| format!("{down}, {across}");
        format!(
            " image ({}) pad ({}) window ({}) step ({}) apart ({}) from ({})",
            tuple(&window.image),
            tuple(&window.pad),
            pair(window.extent),
            pair(window.step),
            pair(window.apart),
            tuple(&window.from)
        )
    }

    fn view(&self, view: View) -> String {
        format!(
            "{}[{}, {}]",
            self.buf(view.buf),
            self.arg(view.row),
            self.arg(view.col)
        )
    }

    fn place(&self, tensor: Tensor, at: Arg) -> String {
        format!("{}[{}]", self.tensor(tensor), self.arg(at))
    }

    fn buf(&self, buf: Buf) -> String {
        self.func
            .bufs
            .get(buf)
            .map_or(String::from("?"), |data| quoted(&data.name))
    }

    fn tensor(&self, tensor: Tensor) -> String {
        self.func
            .tensors
            .get(tensor)
            .map_or(String::from("?"), |data| quoted(&data.name))
    }

    fn chan(&self, chan: Chan) -> String {
        self.func
            .chans
            .get(chan)
            .map_or(String::from("?"), |data| quoted(&data.name))
    }
}

fn tensor_text(tensor: &TensorData, symbols: &Symbols) -> String {
    let name = quoted(&tensor.name);
    format!(
        "{} {name}: {}{}",
        role_name(tensor.role),
        tensor.elem,
        extents(&tensor.shape, symbols)
    )
}

fn extents(shape: &[i64], symbols: &Symbols) -> String {
    if shape.is_empty() {
        return String::new();
    }
    let shape: Vec<String> = shape.iter().map(|&n| symbols.show(n)).collect();
    format!("[{}]", shape.join(", "))
}

fn buf_text(buf: &BufData) -> String {
    let depth = if buf.depth == 1 {
        String::new()
    } else {
        format!("[{}]", buf.depth)
    };
    let addr = buf.addr.map_or(String::new(), |a| format!(" at {a:#x}"));
    format!(
        "buf {}: {}{depth}{} {} in {}{addr};",
        quoted(&buf.name),
        buf.elem,
        extents(&[buf.rows, buf.cols], &Symbols::default()),
        buf.layout.name(),
        buf.space
    )
}
