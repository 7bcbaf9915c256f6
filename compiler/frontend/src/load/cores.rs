//! `for c in cores over (m: 128, n: 256) { … }`: a phase whose blocks of work are dealt to the cores in turn.
//!
//! An index has the extent of the tensor dimensions where it stands alone. Where both kinds of core take part, a group
//! works on a block together, and each of its two vector cores has half of the first index.

use std::collections::BTreeSet;

use diag::Span;
use ir::tile::{
    Arg, Block, Chan, ChanData, CoreQuery, Op, Phase, ScalarOp, TensorData, TensorRole,
};
use isa::chip::Chip;
use isa::types::{CoreKind, Space};
use syntax::ast::Name;
use syntax::tile_ast::{Int, TileCorePart, TileCores, TileFunc, TileItem, TileStmt};

use super::extents::SUBCORE;
use super::survey::{blocks, each_access, each_computed, filled, stands_alone};
use super::{Loader, wrong};

/// The channels may need as many looks at a phase as there are channels; more tells nothing new.
const MOST_LOOKS: usize = 8;

/// A dimension of the grid.
#[derive(Clone)]
struct Axis {
    name: Name,
    /// Items of a block.
    size: i64,
    /// Blocks.
    count: i64,
}

impl Loader {
    /// A phase; looked at until what comes out of each channel is what was put into it.
    pub(super) fn dealt(&mut self, cores: &TileCores) {
        let before = self.clone();
        for _ in 0..MOST_LOOKS {
            let received = self.sent.clone();
            *self = before.clone();
            self.received = received;
            let _ = self.deal(cores);
            if self.sent == self.received || !self.diagnostics.is_empty() {
                return;
            }
        }
        let message = "what the channels carry does not settle";
        self.diagnostics.push(wrong::channel(
            message.to_owned(),
            cores.span,
            "in this loop",
        ));
    }

    fn deal(&mut self, cores: &TileCores) -> Option<()> {
        for part in &cores.parts {
            if let TileCorePart::Item(item) = part {
                self.declaration(item);
            }
        }
        let axes = self.axes(cores)?;
        let kinds: Vec<CoreKind> = blocks(cores)
            .filter_map(|(kind, _)| self.core_kind(kind))
            .collect();
        let together = kinds.contains(&CoreKind::Cube) && kinds.contains(&CoreKind::Vector);
        self.split = together.then(|| axes[0].name.text.clone());
        if together && axes[0].size % 2 != 0 {
            let message = format!(
                "{} is no even number of `{}`",
                axes[0].size, axes[0].name.text
            );
            let error = wrong::extent(message, axes[0].name.span, "two vector cores share it");
            self.diagnostics.push(error);
            return None;
        }
        let mut phase = Phase::default();
        for (kind, stmts) in blocks(cores) {
            let Some(core) = self.core_kind(kind) else {
                continue;
            };
            self.kind = Some(core);
            let block = self.dealt_block(cores, &axes, stmts, together);
            self.kind = None;
            let slot = match core {
                CoreKind::Cube => &mut phase.cube,
                CoreKind::Vector => &mut phase.vector,
            };
            if slot.replace(block).is_some() {
                let message = "a phase has one block a kind of core";
                self.problem(kind.span, message, "the second one");
            }
        }
        self.split = None;
        if phase.cube.is_none() && phase.vector.is_none() {
            self.problem(
                cores.span,
                "a loop over cores without a block",
                "nothing happens here",
            );
        }
        self.func.phases.push(phase);
        Some(())
    }

    /// The grid: how many blocks each index has.
    fn axes(&mut self, cores: &TileCores) -> Option<Vec<Axis>> {
        let mut axes = Vec::new();
        let mut total = 1i64;
        for (name, size) in &cores.over {
            let extent = self.extent_of_index(cores, name)?;
            let value = self.int(*size)?;
            if value < 1 {
                self.out_of_range(*size);
                return None;
            }
            let count = (extent - 1) / value + 1;
            total = self.fits(total.checked_mul(count), cores.span)?;
            axes.push(Axis {
                name: name.clone(),
                size: value,
                count,
            });
        }
        Some(axes)
    }

    /// The size of the tensor dimensions where an index stands alone.
    fn extent_of_index(&mut self, cores: &TileCores, index: &Name) -> Option<i64> {
        let mut found: Option<(i64, Span)> = None;
        let mut clash = None;
        for (_, stmts) in blocks(cores) {
            each_access(stmts, &mut |access| {
                let Some(tensor) = self.tensors.get(&access.name.text) else {
                    return;
                };
                let shape = &self.func.tensors[*tensor].shape;
                for (coordinate, extent) in access.at.iter().flatten().zip(shape) {
                    if !stands_alone(coordinate, &index.text) {
                        continue;
                    }
                    match found {
                        Some((known, at)) if known != *extent => {
                            clash.get_or_insert((*extent, access.span, known, at));
                        }
                        Some(_) => {}
                        None => found = Some((*extent, access.span)),
                    }
                }
            });
        }
        if let Some((new, at, old, first)) = clash {
            let (left, right) = (format!("{new} here"), format!("{old} here"));
            let what = format!("`{}` has two extents", index.text);
            self.diagnostics
                .push(wrong::shape(&what, (&left, at), (&right, first)));
            return None;
        }
        if found.is_none() {
            let message = format!("nothing says how large `{}` is", index.text);
            let error = wrong::extent(message, index.span, "stands alone in no tensor");
            self.diagnostics.push(
                error.help("its extent is that of a dimension where it stands alone: `a[m, k]`"),
            );
        }
        found.map(|(extent, _)| extent)
    }

    fn dealt_block(
        &mut self,
        cores: &TileCores,
        axes: &[Axis],
        stmts: &[TileStmt],
        together: bool,
    ) -> Block {
        let scope = self.scope.len();
        let outer = self.enter_block();
        let vector = self.kind == Some(CoreKind::Vector);
        let span = cores.span;
        let what = match vector && together {
            true => CoreQuery::Group,
            false => CoreQuery::Core,
        };
        let first = self.query(what, span);
        if vector {
            let number = self.query(CoreQuery::Sub, span);
            self.values.insert(SUBCORE.to_owned(), number);
            self.ranges.insert(SUBCORE.to_owned(), (0, 1));
        }
        let groups = i64::from(self.func.groups);
        let step = if vector && !together {
            2 * groups
        } else {
            groups
        };
        let total: i64 = axes.iter().map(|axis| axis.count).product();
        let body = self.enter_block();
        let var = self.define(&cores.var);
        self.ranges.insert(cores.var.text.clone(), (0, total - 1));
        let _ = self.place_block(cores, axes, Arg::Val(var), vector && together);
        self.starts(cores, stmts);
        self.statements(stmts);
        self.leave_block();
        let op = Op::For {
            var,
            lo: Arg::Val(first),
            hi: Arg::Const(total),
            step,
            body,
        };
        self.emit(op, span);
        self.leave_block();
        self.leave(scope);
        self.values.remove(SUBCORE);
        self.ranges.remove(SUBCORE);
        outer
    }

    /// Starts the buffers that were declared outside of the block and that it computes.
    fn starts(&mut self, cores: &TileCores, stmts: &[TileStmt]) {
        self.filled = filled(stmts);
        let mut used = BTreeSet::new();
        each_computed(stmts, &mut |name| {
            used.insert(name.to_owned());
        });
        let known: Vec<_> = self
            .bufs
            .iter()
            .map(|(name, buf)| (name.clone(), *buf))
            .collect();
        for (name, buf) in known {
            let vector = self.data(buf).space == Space::Ub;
            let here = vector == (self.kind == Some(CoreKind::Vector));
            if here && used.contains(&name) {
                self.fresh(buf, &name, cores.span);
            }
        }
    }

    /// Binds the indices to where the block begins.
    fn place_block(
        &mut self,
        cores: &TileCores,
        axes: &[Axis],
        number: Arg,
        half: bool,
    ) -> Option<()> {
        let span = cores.span;
        let numbers = self.numbers(cores, axes, number)?;
        for (n, (axis, at)) in axes.iter().zip(numbers).enumerate() {
            let mut from = self.scalar(ScalarOp::Mul, at, Arg::Const(axis.size), span);
            let mut last = (axis.count - 1) * axis.size;
            if half && n == 0 {
                let own = self.values.get(SUBCORE).copied()?;
                let rows = axis.size / 2;
                let skip = self.scalar(ScalarOp::Mul, Arg::Val(own), Arg::Const(rows), span);
                from = self.scalar(ScalarOp::Add, from, skip, span);
                last += rows;
            }
            let name = &axis.name.text;
            let value = match from {
                Arg::Val(value) => value,
                Arg::Const(_) => self.constant(from, span),
            };
            if self.values.insert(name.clone(), value).is_some() {
                self.twice("value", &axis.name);
            }
            if self.func.values[value].name.is_none() {
                self.func.values[value].name = Some(self.new_name(&axis.name));
            }
            self.scope.push(name.clone());
            self.ranges.insert(name.clone(), (0, last));
        }
        Some(())
    }

    /// A constant as a value that can have a name.
    fn constant(&mut self, value: Arg, span: Span) -> ir::tile::Value {
        let dst = self.func.add_value();
        self.levels.insert(dst, self.open.len());
        let op = Op::Scalar {
            dst,
            op: ScalarOp::Add,
            a: value,
            b: Arg::Const(0),
        };
        self.emit(op, span);
        dst
    }

    /// The number of the block along each index.
    fn numbers(&mut self, cores: &TileCores, axes: &[Axis], number: Arg) -> Option<Vec<Arg>> {
        let span = cores.span;
        let (word, size) = match &cores.order {
            None => ("row", None),
            Some((word, size)) => (word.text.as_str(), *size),
        };
        match (word, size, axes) {
            ("row", None, _) => Some(self.mixed_radix(axes, number, span)),
            ("col", None, _) => {
                let turned: Vec<Axis> = axes.iter().rev().cloned().collect();
                let mut numbers = self.mixed_radix(&turned, number, span);
                numbers.reverse();
                Some(numbers)
            }
            ("swizzle", Some(size), [rows, cols]) => self.swizzled(rows, cols, size, number, span),
            _ => {
                let at = cores.order.as_ref().map_or(span, |(word, _)| word.span);
                let message = "an order is `row`, `col`, or `swizzle(n)` of two indices";
                self.problem(at, message, "not an order here");
                None
            }
        }
    }

    /// The last index fastest.
    fn mixed_radix(&mut self, axes: &[Axis], number: Arg, span: Span) -> Vec<Arg> {
        let mut rest = number;
        let mut numbers = Vec::new();
        for (n, axis) in axes.iter().enumerate().rev() {
            let count = Arg::Const(axis.count);
            if n == 0 {
                numbers.push(if axis.count == 1 { Arg::Const(0) } else { rest });
                continue;
            }
            numbers.push(self.scalar(ScalarOp::Rem, rest, count, span));
            rest = self.scalar(ScalarOp::Div, rest, count, span);
        }
        numbers.reverse();
        numbers
    }

    /// Bands of `size` rows, each walked column by column: neighbours share rows and columns.
    fn swizzled(
        &mut self,
        rows: &Axis,
        cols: &Axis,
        size: Int,
        number: Arg,
        span: Span,
    ) -> Option<Vec<Arg>> {
        let height = self.int(size)?;
        if height < 1 {
            self.out_of_range(size);
            return None;
        }
        let band_blocks = self.fits(height.checked_mul(cols.count), span)?;
        let (height, band_blocks) = (Arg::Const(height), Arg::Const(band_blocks));
        let band = self.scalar(ScalarOp::Div, number, band_blocks, span);
        let inside = self.scalar(ScalarOp::Rem, number, band_blocks, span);
        let from = self.scalar(ScalarOp::Mul, band, height, span);
        let left = self.scalar(ScalarOp::Sub, Arg::Const(rows.count), from, span);
        let high = self.scalar(ScalarOp::Min, left, height, span);
        let down = self.scalar(ScalarOp::Rem, inside, high, span);
        let row = self.scalar(ScalarOp::Add, from, down, span);
        Some(vec![row, self.scalar(ScalarOp::Div, inside, high, span)])
    }

    // ---- what is known before anything is read ----

    /// How many groups run if the header does not say: as many as there are blocks for, and cores.
    pub(super) fn groups_of(&mut self, func: &TileFunc) -> u32 {
        let Some(chip) = Chip::builtin(&func.target.text) else {
            return 1;
        };
        let most = u32::try_from(chip.core_count(CoreKind::Cube)).unwrap_or(1);
        let mut wanted = 1i64;
        for item in &func.items {
            let TileItem::Cores(cores) = item else {
                continue;
            };
            let mut quiet = self.clone();
            let Some(axes) = quiet.axes(cores) else {
                continue;
            };
            let total: i64 = axes.iter().map(|axis| axis.count).product();
            let alone = !blocks(cores).any(|(kind, _)| kind.text == "cube");
            let needed = if alone { total / 2 + total % 2 } else { total };
            wanted = wanted.max(needed);
        }
        u32::try_from(wanted).unwrap_or(u32::MAX).min(most.max(1))
    }

    /// A channel with a ring of its own; who sends is seen in the loops.
    pub(super) fn slots(
        &mut self,
        (name, elem): (&Name, &Name),
        shape: &[Int],
        depth: Int,
        span: Span,
    ) -> Option<Chan> {
        let elem = self.elem(elem)?;
        let [rows, cols] = shape else {
            let message = format!("a slot of `{}` has rows and columns", name.text);
            self.diagnostics
                .push(wrong::extent(message, span, "not two extents"));
            return None;
        };
        let (rows, cols, copies) = (self.int(*rows)?, self.int(*cols)?, self.small(depth)?);
        let from = self.senders.get(&name.text).copied();
        let Some(from) = from else {
            let message = format!("nothing is sent over `{}`", name.text);
            let error = wrong::channel(message, name.span, "no `send`, or from both kinds of core");
            self.diagnostics.push(error);
            return None;
        };
        if !self.receivers.contains(&name.text) {
            let message = format!("nothing receives from `{}`", name.text);
            let error = wrong::channel(message, name.span, "no `recv`");
            self.diagnostics.push(error);
            return None;
        }
        let groups = i64::from(self.func.groups);
        let mut ring = format!("{}_ring", name.text);
        while self.func.tensors.values().any(|tensor| tensor.name == ring) {
            ring.push('_');
        }
        let tensor = self.func.tensors.push(TensorData {
            name: ring,
            elem,
            shape: [groups, i64::from(copies), rows, cols]
                .into_iter()
                .collect(),
            role: TensorRole::Work,
            span,
        });
        let own = self.new_name(name);
        let chan = self.func.chans.push(ChanData {
            name: own,
            tensor,
            depth: copies,
            from,
        });
        if self.chans.insert(name.text.clone(), chan).is_some() {
            self.twice("channel", name);
        }
        Some(chan)
    }
}
