//! Statements as people write them: `copy`, `store` and `mad` without extents, offsets and pitches.
//!
//! A part of a tensor or buffer takes the extent of the other side and ends where the tensor ends. A copy starts a
//! generation of its buffer; what other operations compute starts one where it is declared.

use diag::Span;
use ir::tile::{Arg, Buf, BufData, FixCast, Op, Tensor, View};
use isa::types::{CoreKind, Elem, Space};
use syntax::ast::Name;
use syntax::tile_ast::{BufDecl, TileAccess, TileFirst};

use super::extents::Extent;
use super::parts::Region;
use super::{Loader, wrong};

impl Loader {
    /// A buffer that is declared in a block; one that no copy fills starts its generation there.
    pub(super) fn written_buf(&mut self, decl: &BufDecl) -> Option<()> {
        self.buf_decl(decl)?;
        let buf = self.buf(&decl.name)?;
        self.fresh(buf, &decl.name.text, decl.span);
        Some(())
    }

    /// Starts a generation of a buffer that no copy fills and nobody turns.
    pub(super) fn fresh(&mut self, buf: Buf, name: &str, span: Span) {
        if !self.filled.contains(name) {
            self.emit(Op::Next { buf }, span);
        }
    }

    pub(super) fn data(&self, buf: Buf) -> &BufData {
        &self.func.bufs[buf]
    }

    /// A buffer that must lie in one of some spaces, on a core that has it.
    pub(super) fn buf_in(&mut self, name: &Name, what: &str, spaces: &[Space]) -> Option<Buf> {
        let buf = self.buf(name)?;
        let (space, declared) = (self.data(buf).space, self.data(buf).span);
        if !spaces.contains(&space) {
            let found = (name.text.as_str(), space, name.span);
            let error = wrong::space(what, spaces, found, declared);
            self.diagnostics.push(error);
            return None;
        }
        let home = match space {
            Space::Ub => CoreKind::Vector,
            Space::Gm
            | Space::L1
            | Space::L0a
            | Space::L0b
            | Space::L0c
            | Space::Bt
            | Space::Fb => CoreKind::Cube,
        };
        if self.kind.is_some_and(|kind| kind != home) {
            let here = self.kind.map_or("this core", CoreKind::name);
            let error = wrong::core(&format!("a {here} core"), &name.text, name.span, declared);
            self.diagnostics.push(error);
            return None;
        }
        Some(buf)
    }

    /// What a buffer holds; all of it if nothing was said.
    pub(super) fn extents_of(&self, buf: Buf) -> [Extent; 2] {
        let data = self.data(buf);
        let whole = || [Extent::whole(data.rows), Extent::whole(data.cols)];
        self.extents.get(&buf).cloned().unwrap_or_else(whole)
    }

    pub(super) fn extent_args(&mut self, extents: &[Extent; 2], span: Span) -> Option<[Arg; 2]> {
        let rows = self.extent_arg(&extents[0], span)?;
        Some([rows, self.extent_arg(&extents[1], span)?])
    }

    // ---- copies ----

    pub(super) fn copy(
        &mut self,
        dst: &Name,
        src: &TileAccess,
        transposed: bool,
        span: Span,
    ) -> Option<()> {
        if self.tensors.contains_key(&src.name.text) && !self.bufs.contains_key(&src.name.text) {
            return self.copy_in(dst, src, transposed, span);
        }
        let inner = self.buf_in(&src.name, "what a copy inside the core reads", &[Space::L1])?;
        let targets = [Space::L0a, Space::L0b, Space::Bt, Space::Fb];
        let buf = self.buf_in(dst, "what is copied out of L1", &targets)?;
        self.same_elem((buf, dst.span), (inner, src.span))?;
        let (at, mut extents) = self.slice(inner, src, buf, transposed)?;
        let [row, col] = at;
        let view = View {
            buf: inner,
            row: self.linear_arg(&row, src.span)?,
            col: self.linear_arg(&col, src.span)?,
        };
        if transposed {
            extents.reverse();
        }
        self.emit(Op::Next { buf }, span);
        let [rows, cols] = self.extent_args(&extents, span)?;
        self.extents.insert(buf, extents);
        let words = matches!(self.data(buf).space, Space::Bt | Space::Fb);
        let op = match words {
            true => Op::LoadWords {
                dst: buf,
                src: view,
                cols,
            },
            false => Op::LoadTile {
                dst: buf,
                src: view,
                rows,
                cols,
                transposed,
            },
        };
        self.emit(op, span);
        Some(())
    }

    /// Global memory to L1 or UB.
    fn copy_in(
        &mut self,
        dst: &Name,
        src: &TileAccess,
        transposed: bool,
        span: Span,
    ) -> Option<()> {
        let buf = self.buf_in(dst, "what is copied from a tensor", &[Space::L1, Space::Ub])?;
        if transposed {
            let message = "a copy from a tensor keeps the order of rows and columns";
            self.problem(src.span, message, "cannot be transposed here");
            return None;
        }
        let region = self.region(src)?;
        let tensor = self.func.tensors[region.tensor].clone();
        let data = self.data(buf).clone();
        if tensor.elem != data.elem {
            self.elems_differ(
                (&dst.text, data.elem, dst.span),
                (&tensor.name, tensor.elem, src.span),
            );
            return None;
        }
        let extents = self.clipped(&region, [data.rows, data.cols]);
        self.emit(Op::Next { buf }, span);
        let at = self.linear_arg(&region.at, src.span)?;
        let [rows, cols] = self.extent_args(&extents, span)?;
        self.extents.insert(buf, extents);
        let zero = Arg::Const(0);
        let op = Op::Load {
            dst: View {
                buf,
                row: zero,
                col: zero,
            },
            tensor: region.tensor,
            at,
            rows,
            cols,
            pitch: Arg::Const(region.pitch),
        };
        self.emit(op, span);
        Some(())
    }

    /// A buffer to global memory: through the fixpipe from L0C, plainly from UB.
    pub(super) fn put(
        &mut self,
        dst: &TileAccess,
        src: &TileAccess,
        (cast, relu): (Option<&Name>, bool),
        span: Span,
    ) -> Option<()> {
        if src.at.is_some() {
            self.problem(src.span, "a store takes all of a buffer", "no part of one");
            return None;
        }
        let buf = self.buf_in(&src.name, "what is stored", &[Space::L0c, Space::Ub])?;
        let region = self.region(dst)?;
        let tensor = self.func.tensors[region.tensor].clone();
        let cast = match cast {
            Some(cast) => Some((self.elem(cast)?, cast.span)),
            None => None,
        };
        if let Some((elem, at)) = cast.filter(|(elem, _)| *elem != tensor.elem) {
            self.elems_differ((&tensor.name, tensor.elem, dst.span), ("this", elem, at));
            return None;
        }
        let own = self.data(buf).elem;
        self.stored_elem((buf, src.span), tensor.elem, (cast.is_some(), relu))?;
        if own != tensor.elem && cast.is_none() {
            self.elems_differ(
                (&src.name.text, own, src.span),
                (&tensor.name, tensor.elem, dst.span),
            );
            return None;
        }
        let [rows, cols] = self.stored_extents(buf, &region, span)?;
        let at = self.linear_arg(&region.at, dst.span)?;
        self.write_out(
            buf,
            (region.tensor, at, region.pitch),
            [rows, cols],
            relu,
            span,
        );
        Some(())
    }

    /// What the fixpipe converts on the way out.
    fn stored_elem(
        &mut self,
        (buf, span): (Buf, Span),
        to: Elem,
        (cast, relu): (bool, bool),
    ) -> Option<()> {
        let (from, space) = (self.data(buf).elem, self.data(buf).space);
        let widens = space == Space::L0c && from == Elem::F32 && to.is_float();
        let known = from == to || widens;
        let name = self.data(buf).name.clone();
        if !known && cast {
            let message = format!("a store of `{name}` does not convert `{from}` to `{to}`");
            let help = if space == Space::L0c {
                "the fixpipe makes `f16` and `bf16` of `f32`"
            } else {
                "convert it first: `ew cast.even.saturate …`"
            };
            let error = super::names::error(span, message, "not convertible here");
            self.diagnostics.push(error.help(help));
            return None;
        }
        if relu && space != Space::L0c {
            self.problem(span, "`relu` belongs to stores out of L0C", "not in L0C");
            return None;
        }
        Some(())
    }

    fn stored_extents(&mut self, buf: Buf, region: &Region, span: Span) -> Option<[Arg; 2]> {
        let [rows, cols] = self.extents_of(buf);
        let own = self.clipped(region, [rows.most, cols.most]);
        let mut both = [rows, cols];
        for (mine, other) in both.iter_mut().zip(own) {
            let more = other
                .cuts
                .into_iter()
                .filter(|cut| !mine.cuts.contains(cut));
            let more: Vec<_> = more.collect();
            mine.cuts.extend(more);
        }
        self.extent_args(&both, span)
    }

    pub(super) fn write_out(
        &mut self,
        buf: Buf,
        (tensor, at, pitch): (Tensor, Arg, i64),
        [rows, cols]: [Arg; 2],
        relu: bool,
        span: Span,
    ) {
        let pitch = Arg::Const(pitch);
        let zero = Arg::Const(0);
        let op = if self.data(buf).space == Space::L0c {
            Op::Drain {
                tensor,
                at,
                src: buf,
                rows,
                cols,
                pitch,
                cast: FixCast::Plain,
                relu,
            }
        } else {
            Op::Store {
                tensor,
                at,
                src: View {
                    buf,
                    row: zero,
                    col: zero,
                },
                rows,
                cols,
                pitch,
            }
        };
        self.emit(op, span);
    }

    // ---- products ----

    pub(super) fn multiply(
        &mut self,
        bufs: &[Name; 3],
        first: &TileFirst,
        span: Span,
    ) -> Option<()> {
        let c = self.buf_in(&bufs[0], "the accumulator of `mad`", &[Space::L0c])?;
        let a = self.buf_in(&bufs[1], "the left factor of `mad`", &[Space::L0a])?;
        let b = self.buf_in(&bufs[2], "the right factor of `mad`", &[Space::L0b])?;
        let [m, k] = self.extents_of(a);
        let [inner, n] = self.extents_of(b);
        if k.most != inner.most {
            let left = format!("`{}` has {} columns", bufs[1].text, k.most);
            let right = format!("`{}` has {} rows", bufs[2].text, inner.most);
            let what = "the factors do not fit";
            let sides = (
                (left.as_str(), bufs[1].span),
                (right.as_str(), bufs[2].span),
            );
            self.diagnostics.push(wrong::shape(what, sides.0, sides.1));
            return None;
        }
        let data = self.data(c);
        if data.rows < m.most || data.cols < n.most {
            let left = format!("`{}` is {} × {}", bufs[0].text, data.rows, data.cols);
            let right = format!("the product is {} × {}", m.most, n.most);
            let error = wrong::shape(
                "the product does not fit",
                (&left, bufs[0].span),
                (&right, bufs[1].span.to(bufs[2].span)),
            );
            self.diagnostics.push(error);
            return None;
        }
        let init = match first {
            TileFirst::Always => Arg::Const(1),
            TileFirst::Never => Arg::Const(0),
            TileFirst::When(cond) => self.condition(cond)?,
        };
        let sizes = [
            self.extent_arg(&m, span)?,
            self.extent_arg(&k, span)?,
            self.extent_arg(&n, span)?,
        ];
        self.extents.insert(c, [m, n]);
        let [m, k, n] = sizes;
        let op = Op::Mad {
            c,
            a,
            b,
            m,
            k,
            n,
            init,
            hf32: false,
        };
        self.emit(op, span);
        Some(())
    }

    fn same_elem(&mut self, (a, at): (Buf, Span), (b, from): (Buf, Span)) -> Option<()> {
        let (left, right) = (self.data(a).clone(), self.data(b).clone());
        if left.elem == right.elem {
            return Some(());
        }
        self.elems_differ((&left.name, left.elem, at), (&right.name, right.elem, from));
        None
    }

    pub(super) fn elems_differ(
        &mut self,
        (left, left_elem, left_span): (&str, Elem, Span),
        (right, right_elem, right_span): (&str, Elem, Span),
    ) {
        let message = format!("`{left}` is `{left_elem}`, and `{right}` is `{right_elem}`");
        let error = super::names::error(left_span, message, &format!("`{left_elem}`"));
        self.diagnostics
            .push(error.label(right_span, format!("`{right_elem}`")));
    }
}
