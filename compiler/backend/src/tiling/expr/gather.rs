//! Elements that no DMA reaches in rows: scalar code, one by one, borders included.

use super::convert::{storage, storage_bits};
use super::{Emitter, Kind, Loaded, Place, Result, Val, decode, element};
use crate::tiling::access::{self};
use crate::tiling::builder::Builder;
use ir::algo::{self, Affine, Atom, CmpOp, Expr, Index};
use ir::tile::{Arg, Buf, Op, ScalarOp};
use isa::types::Elem;
use std::collections::BTreeMap;

impl Emitter<'_> {
    /// Fills a buffer element by element with scalar loads: any access, borders included.
    pub(super) fn poke_loads(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        border: Option<Expr>,
        kind: Kind,
    ) -> Result<Loaded> {
        let elem = self.algo.tensors[tensor].elem;
        let otherwise = match border {
            None => None,
            Some(e) => Some(self.value(e)?),
        };
        let constant = match otherwise {
            None => Some(0),
            Some(Val::Bits(bits)) => Some(storage_bits(bits, elem)),
            Some(Val::Scalar(Arg::Const(x))) => Some(x),
            Some(Val::Scalar(Arg::Val(_)) | Val::Buf(..)) => None,
        };
        let dst = self.dma_buf("g", kind, storage(elem));
        if kind == Kind::Row {
            self.clear_rows(dst, elem);
        }
        self.poke_each(
            tensor,
            at,
            kind,
            dst,
            constant.unwrap_or(0),
            border.is_some(),
        );
        Ok(Loaded {
            buf: dst,
            beyond: otherwise.filter(|_| constant.is_none()),
        })
    }

    /// The mask of elements whose coordinates are all in range.
    pub(super) fn inside_mask(&mut self, tensor: algo::Tensor, at: &[Affine], kind: Kind) -> Val {
        let dst = self.dma_buf("g", kind, Elem::I32);
        if kind == Kind::Row {
            self.clear_rows(dst, Elem::I32);
        }
        let shape = self.algo.tensors[tensor].shape.clone();
        self.each_element((kind, false), |e, cell, env| {
            let ok = e.in_range(at, &shape, &env).unwrap_or(Arg::Const(1));
            let dst = element(dst, cell.0, cell.1);
            e.b.push(Op::Poke { dst, value: ok });
        });
        let one = Val::Scalar(Arg::Const(1));
        self.compare_ints(CmpOp::Eq, Val::Buf(kind, dst), one)
    }

    pub(super) fn poke_each(
        &mut self,
        tensor: algo::Tensor,
        at: &[Affine],
        kind: Kind,
        dst: Buf,
        otherwise: i64,
        border: bool,
    ) {
        let shape = self.algo.tensors[tensor].shape.clone();
        let gm = self.gm_tensor(tensor);
        let down = self.runs_down(tensor, at);
        self.each_element((kind, down), |e, cell, env| {
            let ok = if border {
                e.in_range(at, &shape, &env)
            } else {
                None
            };
            let mut offset = Arg::Const(0);
            for (coordinate, pitch) in at.iter().zip(access::pitches(&shape)) {
                let value = e.affine_arg(coordinate, &env);
                let term = e.b.mul(value, pitch);
                offset = e.b.add(offset, term);
            }
            let dst = element(dst, cell.0, cell.1);
            let take = |b: &mut Builder| {
                let value = b.func.add_value();
                b.push(Op::Peek {
                    dst: value,
                    tensor: gm,
                    at: offset,
                });
                b.push(Op::Poke {
                    dst,
                    value: Arg::Val(value),
                });
            };
            match ok {
                None => take(&mut e.b),
                Some(ok) => e.b.if_else(ok, take, |b| {
                    b.push(Op::Poke {
                        dst,
                        value: Arg::Const(otherwise),
                    });
                }),
            }
        });
    }

    /// Whether neighbours in memory lie in neighbouring rows rather than columns: then a cache line serves a column.
    fn runs_down(&self, tensor: algo::Tensor, at: &[Affine]) -> bool {
        let Some(linear) = access::flatten(self.algo, tensor, at) else {
            return false;
        };
        let shortest = |rows| {
            let steps = self.strides(&linear, rows);
            steps
                .into_iter()
                .map(|(stride, _)| stride.abs())
                .filter(|s| *s > 0)
                .min()
        };
        match (shortest(true), shortest(false)) {
            (Some(rows), Some(cols)) => rows < cols,
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }

    /// Runs `body` for every element of a kind with its cell and the values of all placed indices; of a full block
    /// column by column if `down`.
    pub(super) fn each_element(
        &mut self,
        (kind, down): (Kind, bool),
        body: impl FnOnce(&mut Self, (Arg, Arg), BTreeMap<Index, Arg>),
    ) {
        let zero = Arg::Const(0);
        let (rows, cols) = (self.extent.row_count, self.extent.col_count);
        match kind {
            Kind::Row => self.for_loop(0, rows, 1, |e, r| {
                let env = e.environment(Some(r), None);
                body(e, (zero, r), env);
            }),
            Kind::Col => self.for_loop(0, cols, 1, |e, c| {
                let env = e.environment(None, Some(c));
                body(e, (zero, c), env);
            }),
            Kind::Full | Kind::Uniform if down => self.for_loop(0, cols, 1, |e, c| {
                let outer = e.environment(None, Some(c));
                e.for_loop(0, rows, 1, |e, r| {
                    let mut env = e.environment(Some(r), None);
                    env.extend(outer);
                    body(e, (r, c), env);
                });
            }),
            Kind::Full | Kind::Uniform => self.for_loop(0, rows, 1, |e, r| {
                let outer = e.environment(Some(r), None);
                e.for_loop(0, cols, 1, |e, c| {
                    let mut env = e.environment(None, Some(c));
                    env.extend(outer);
                    body(e, (r, c), env);
                });
            }),
        }
    }

    pub(super) fn environment(&mut self, r: Option<Arg>, c: Option<Arg>) -> BTreeMap<Index, Arg> {
        let (rows, cols) = (self.extent.rows.clone(), self.extent.cols.clone());
        let (row0, col0) = (self.extent.row0, self.extent.col0);
        let row = r.map(|r| {
            let at = self.b.add(row0, r);
            decode(&mut self.b, at, &rows)
        });
        let col = c.map(|c| {
            let at = self.b.add(col0, c);
            decode(&mut self.b, at, &cols)
        });
        self.place
            .iter()
            .filter_map(|(index, place)| match place {
                Place::Row(d) => Some((*index, *row.as_ref()?.get(*d)?)),
                Place::Col(d) => Some((*index, *col.as_ref()?.get(*d)?)),
                Place::Fixed(arg) => Some((*index, *arg)),
            })
            .collect()
    }

    /// An affine expression as scalar code. Division and remainder are made non-negative by a multiple of the divisor.
    pub(super) fn affine_arg(&mut self, affine: &Affine, env: &BTreeMap<Index, Arg>) -> Arg {
        let mut sum = Arg::Const(affine.constant);
        for (factor, atom) in &affine.terms {
            let value = match atom {
                Atom::Index(i) => env.get(i).copied().unwrap_or(Arg::Const(0)),
                Atom::Div(a, n) => {
                    let (shifted, lift) = self.lifted(a, *n, env);
                    let quotient = self.b.div(shifted, *n);
                    self.b.sub(quotient, lift)
                }
                Atom::Mod(a, n) => {
                    let (shifted, _) = self.lifted(a, *n, env);
                    self.b.rem(shifted, *n)
                }
                Atom::Clamp(a, lo, hi) => {
                    let inner = self.affine_arg(a, env);
                    let low = self.b.max(inner, *lo);
                    self.b.min(low, *hi)
                }
            };
            let term = self.b.mul(value, *factor);
            sum = self.b.add(sum, term);
        }
        sum
    }

    pub(super) fn lifted(
        &mut self,
        affine: &Affine,
        n: i64,
        env: &BTreeMap<Index, Arg>,
    ) -> (Arg, i64) {
        let lift = (-access::range(self.algo, affine).0.min(0)).div_euclid(n) + 1;
        let lift = if access::range(self.algo, affine).0 < 0 {
            lift
        } else {
            0
        };
        let inner = self.affine_arg(affine, env);
        (self.b.add(inner, lift * n), lift)
    }

    pub(super) fn in_range(
        &mut self,
        at: &[Affine],
        shape: &[i64],
        env: &BTreeMap<Index, Arg>,
    ) -> Option<Arg> {
        let mut all = None;
        for (coordinate, size) in at.iter().zip(shape) {
            let (lo, hi) = access::range(self.algo, coordinate);
            let value = self.affine_arg(coordinate, env);
            let mut checks = Vec::new();
            if lo < 0 {
                checks.push(self.b.cmp(CmpOp::Ge, value, 0));
            }
            if hi >= *size || self.algo.symbols.is_symbolic(*size) {
                checks.push(self.b.cmp(CmpOp::Lt, value, *size));
            }
            for check in checks {
                all = Some(match all {
                    None => check,
                    Some(before) => self.b.scalar(ScalarOp::And, before, check),
                });
            }
        }
        all
    }
}
