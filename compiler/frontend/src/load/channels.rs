//! `send` and `recv`: a slot of the ring is taken, filled or emptied, and given on.
//!
//! The cube core of a group has whole slots, each of its two vector cores half of the rows. What is received is as large
//! as what was sent.

use diag::Span;
use ir::tile::{Arg, Buf, Chan, CoreQuery, Op, ScalarOp, Tensor, View};
use isa::types::{CoreKind, Elem, Space};
use syntax::ast::Name;

use super::extents::{Extent, SUBCORE};
use super::{Loader, wrong};

impl Loader {
    pub(super) fn send(&mut self, chan: &Name, src: &Name, span: Span) -> Option<()> {
        let channel = self.chan(chan)?;
        let buf = self.buf_in(src, "what is sent", &[Space::L0c, Space::Ub])?;
        let (tensor, [slot_rows, slot_cols]) = self.slot(channel, chan)?;
        let half = self.halves();
        let elem = self.func.tensors[tensor].elem;
        let (own, data) = (self.data(buf).elem, self.data(buf).clone());
        let converts = data.space == Space::L0c && own == Elem::F32 && elem.is_float();
        if own != elem && !converts {
            self.elems_differ((&src.text, own, src.span), (&chan.text, elem, chan.span));
            return None;
        }
        self.slot_fits((src, buf), (chan, [slot_rows / half, slot_cols]))?;
        let extents = self.extents_of(buf);
        self.sent.insert(channel, extents.clone());
        let dst = self.local_value();
        self.emit(Op::Acquire { dst, chan: channel }, span);
        let at = self.slot_offset(Arg::Val(dst), (slot_rows / half, slot_cols), span)?;
        let size = self.extent_args(&extents, span)?;
        self.write_out(buf, (tensor, at, slot_cols), size, false, span);
        self.emit(Op::Publish { chan: channel }, span);
        Some(())
    }

    pub(super) fn receive(&mut self, dst: &Name, chan: &Name, span: Span) -> Option<()> {
        let channel = self.chan(chan)?;
        let buf = self.buf_in(dst, "what is received", &[Space::L1, Space::Ub])?;
        let (tensor, [slot_rows, slot_cols]) = self.slot(channel, chan)?;
        let half = self.halves();
        let (own, elem) = (self.data(buf).elem, self.func.tensors[tensor].elem);
        if own != elem {
            self.elems_differ((&dst.text, own, dst.span), (&chan.text, elem, chan.span));
            return None;
        }
        self.slot_fits((dst, buf), (chan, [slot_rows / half, slot_cols]))?;
        let sent = self.received.get(&channel).cloned();
        let extents = match (sent, self.split.clone()) {
            (Some([rows, cols]), Some(split)) => {
                let rows = rows.crossed(&split, half == 2);
                [self.fits(rows, span)?, cols]
            }
            (Some(extents), None) => extents,
            (None, _) => [Extent::whole(slot_rows / half), Extent::whole(slot_cols)],
        };
        let taken = self.local_value();
        let op = Op::Take {
            dst: taken,
            chan: channel,
        };
        self.emit(op, span);
        self.emit(Op::Next { buf }, span);
        let at = self.slot_offset(Arg::Val(taken), (slot_rows / half, slot_cols), span)?;
        let [rows, cols] = self.extent_args(&extents, span)?;
        self.extents.insert(buf, extents);
        let zero = Arg::Const(0);
        let op = Op::Load {
            dst: View {
                buf,
                row: zero,
                col: zero,
            },
            tensor,
            at,
            rows,
            cols,
            pitch: Arg::Const(slot_cols),
        };
        self.emit(op, span);
        self.emit(Op::Release { chan: channel }, span);
        Some(())
    }

    /// In how many parts the cores of this kind share a slot.
    fn halves(&self) -> i64 {
        if self.kind == Some(CoreKind::Vector) {
            2
        } else {
            1
        }
    }

    /// The ring of a channel, and the extents of a slot.
    fn slot(&mut self, chan: Chan, name: &Name) -> Option<(Tensor, [i64; 2])> {
        let tensor = self.func.chans[chan].tensor;
        match self.func.tensors[tensor].shape.as_slice() {
            [_, _, rows, cols] => Some((tensor, [*rows, *cols])),
            _ => {
                let message = format!(
                    "the ring of `{}` has no slots of rows and columns",
                    name.text
                );
                let error = wrong::channel(message, name.span, "not `[groups, depth, rows, cols]`");
                self.diagnostics.push(error);
                None
            }
        }
    }

    fn slot_fits(
        &mut self,
        (name, buf): (&Name, Buf),
        (chan, [rows, cols]): (&Name, [i64; 2]),
    ) -> Option<()> {
        let data = self.data(buf);
        if (data.rows, data.cols) == (rows, cols) {
            return Some(());
        }
        let left = format!("`{}` is {} × {}", name.text, data.rows, data.cols);
        let share = if self.kind == Some(CoreKind::Vector) {
            "half a slot"
        } else {
            "a slot"
        };
        let right = format!("{share} of `{}` is {rows} × {cols}", chan.text);
        let what = "the buffer does not fit the channel";
        let error = wrong::shape(what, (&left, name.span), (&right, chan.span));
        let error = match self.kind {
            Some(CoreKind::Vector) => {
                error.help("the two vector cores of a group have half of the rows each")
            }
            Some(CoreKind::Cube) | None => error,
        };
        self.diagnostics.push(error);
        None
    }

    /// Where this core's part of a slot begins.
    fn slot_offset(&mut self, slot: Arg, (rows, cols): (i64, i64), span: Span) -> Option<Arg> {
        if self.kind != Some(CoreKind::Vector) {
            return Some(slot);
        }
        let number = match self.values.get(SUBCORE) {
            Some(value) => *value,
            None => self.query(CoreQuery::Sub, span),
        };
        let part = self.fits(rows.checked_mul(cols), span)?;
        let from = self.scalar(ScalarOp::Mul, Arg::Val(number), Arg::Const(part), span);
        Some(self.scalar(ScalarOp::Add, slot, from, span))
    }
}
