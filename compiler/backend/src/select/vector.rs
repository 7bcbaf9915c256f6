//! How an operation on a matrix becomes repeats of vector instructions.
//!
//! Three forms: *flat*, the whole matrix as one run of elements; *by rows*, a run per row; *by columns*, an instruction
//! per chunk of columns with the rows as its repeats. What is known decides, the fewest instructions win. A run is made
//! of whole repeats and a masked tail; where its length is not known, or masks of bits must stay aligned, it goes in
//! count mode.

use diag::Diagnostic;
use ir::tile::{BufData, Operand, View};
use isa::inst::{self, Addr, Rep, St1, St2, St3, Val, XIn};
use isa::types::{BLOCK_BYTES, Elem, REPEAT_BYTES, Space};

use super::code::Num;
use super::{Done, Sel};

/// Repeats of one instruction: davinci-facts §3.7.
const MAX_REPEATS: i64 = 255;
/// Repeats of one instruction whose mask bits the next one must find at a block boundary.
const MAX_MASK_REPEATS: i64 = 252;
/// Rows up to which a loop by rows is written out: an instruction a row instead of one, its addresses and the loop's.
const WRITTEN_OUT: i64 = 32;
/// Chunks of columns up to which an instruction a chunk is preferred where the number of rows is not known.
const WRITTEN_OUT_CHUNKS: i64 = 32;
const BLOCK: i64 = BLOCK_BYTES as i64;
/// Bytes of a bank of UB, and bits after which its groups come round: davinci-facts §7, rule 1.
const BANK_BYTES: i64 = 1 << 16;
const BANK_PERIOD: i64 = 8 * 512;
/// Chunks of a row from which an instruction a row is worth its start.
const LEAST_CHUNKS: i64 = 4;
/// Bytes that a repeat covers.
pub(super) const REPEAT: i64 = REPEAT_BYTES as i64;

/// Which lanes the vector unit was last told to process.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum LaneState {
    /// Unknown: after a join of control flow.
    Unknown,
    /// The first so many lanes of a repeat.
    First(i64),
    /// So many elements in all.
    Count(Num),
}

/// Lanes of a repeat at most.
const ALL_LANES: i64 = 128;

/// An operand in UB.
#[derive(Copy, Clone, Debug)]
pub(super) struct Place {
    /// Byte address of its first element.
    pub(super) at: Num,
    /// Bits from one row to the next; 0 if every row is the same.
    pub(super) pitch: i64,
    /// Bits of an element.
    pub(super) bits: i64,
    /// Whether one block stands for a whole row.
    pub(super) spread: bool,
}

/// Block and repeat stride of an operand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    pub(super) blk: u8,
    pub(super) rep: u8,
}

/// What an instruction can do.
#[derive(Copy, Clone, Debug)]
pub(super) struct Shape {
    /// Lanes of a repeat.
    pub(super) lanes: i64,
    /// Whether it may stop in the middle of a block of its results: not if it writes or reads mask bits, or counts elements.
    pub(super) tails: bool,
    /// Whether rows may be repeats.
    pub(super) by_columns: bool,
}

/// Appends one instruction, given addresses and strides of its operands, destination first.
pub(super) type Emit<'e> = &'e dyn Fn(&mut Sel<'_>, &[Addr], Rep, &[Stride]) -> Done;

/// Bits of an element of a buffer.
pub(super) fn elem_bits(data: &BufData) -> i64 {
    if data.elem == Elem::Bool && data.space == Space::Ub {
        return 1;
    }
    8 * data.elem.bytes() as i64
}

impl Sel<'_> {
    /// The place of a view that has an element for each element.
    pub(super) fn full(&mut self, view: View) -> Result<Place, Diagnostic> {
        let data = &self.func.bufs[view.buf];
        let bits = elem_bits(data);
        Ok(Place {
            at: self.view_addr(view)?,
            pitch: data.cols.saturating_mul(bits),
            bits,
            spread: false,
        })
    }

    /// The place of an operand, if it lies in a buffer.
    pub(super) fn place(&mut self, operand: Operand) -> Result<Option<Place>, Diagnostic> {
        match operand {
            Operand::Full(view) => self.full(view).map(Some),
            Operand::EachRow(view) => Ok(Some(Place {
                pitch: 0,
                ..self.full(view)?
            })),
            Operand::EachCol(view) => Ok(Some(Place {
                spread: true,
                ..self.full(view)?
            })),
            Operand::Bits(_) | Operand::Scalar(_) => Ok(None),
        }
    }

    /// Processes `rows × cols` elements; `most_rows` bounds the rows.
    pub(super) fn matrix(
        &mut self,
        places: &[Place],
        shape: Shape,
        [rows, cols]: [Num; 2],
        most_rows: i64,
        emit: Emit<'_>,
    ) -> Done {
        if [rows, cols]
            .iter()
            .any(|extent| extent.known().is_some_and(|value| value <= 0))
        {
            return Ok(());
        }
        if rows == Num::Const(1) {
            let ats: Vec<Num> = places.iter().map(|place| place.at).collect();
            return self.span_of(&ats, places, shape, cols, emit);
        }
        if is_flat(places, cols) {
            let ats: Vec<Num> = places.iter().map(|place| place.at).collect();
            let count = self.product(rows, cols)?;
            return self.span_of(&ats, places, shape, count, emit);
        }
        let most_rows = rows.known().unwrap_or(most_rows);
        if let (Num::Const(cols), true) = (
            cols,
            shape.by_columns && rows_can_repeat(places, rows, most_rows),
        ) && chunks_are_fewer(rows, most_rows, cols, shape.lanes)
            && !rows_clash(places, rows, cols / shape.lanes)
        {
            return self.by_columns(places, shape, rows, cols, emit);
        }
        self.by_rows(places, shape, [rows, cols], emit)
    }

    /// One run of elements from the given addresses on.
    fn span_of(
        &mut self,
        ats: &[Num],
        places: &[Place],
        shape: Shape,
        count: Num,
        emit: Emit<'_>,
    ) -> Done {
        let strides: Vec<Stride> = places
            .iter()
            .map(|place| run_stride(place, shape.lanes))
            .collect();
        let Num::Const(count) = count else {
            return self.counted_run(ats, &strides, count, emit);
        };
        let (whole, tail) = (count / shape.lanes, count % shape.lanes);
        let most = if shape.tails {
            MAX_REPEATS
        } else {
            MAX_MASK_REPEATS
        };
        if !shape.tails && (tail != 0 || whole > most) {
            return self.counted_run(ats, &strides, Num::Const(count), emit);
        }
        let mut done = 0;
        while done < whole {
            let piece = (whole - done).min(most);
            self.use_first(shape.lanes, shape.lanes)?;
            self.piece(
                ats,
                places,
                done * shape.lanes,
                Num::Const(piece),
                &strides,
                emit,
            )?;
            done += piece;
        }
        if tail > 0 {
            self.use_first(tail, shape.lanes)?;
            self.piece(
                ats,
                places,
                whole * shape.lanes,
                Num::Const(1),
                &strides,
                emit,
            )?;
        }
        Ok(())
    }

    fn counted_run(&mut self, ats: &[Num], strides: &[Stride], count: Num, emit: Emit<'_>) -> Done {
        self.use_count(count)?;
        let addrs = self.addrs(ats)?;
        emit(self, &addrs, Val::Imm(1), strides)
    }

    /// One instruction that starts `skip` elements behind the given addresses.
    fn piece(
        &mut self,
        ats: &[Num],
        places: &[Place],
        skip: i64,
        rep: Num,
        strides: &[Stride],
        emit: Emit<'_>,
    ) -> Done {
        let mark = self.homes.mark();
        let mut starts = Vec::with_capacity(ats.len());
        for (&at, place) in ats.iter().zip(places) {
            let bytes = if place.spread {
                0
            } else {
                skip * place.bits / 8
            };
            starts.push(self.sum(at, Num::Const(bytes))?);
        }
        let addrs = self.addrs(&starts)?;
        let rep = self.val(rep)?;
        emit(self, &addrs, rep, strides)?;
        self.homes.cut(mark);
        Ok(())
    }

    fn addrs(&mut self, ats: &[Num]) -> Result<Vec<Addr>, Diagnostic> {
        ats.iter().map(|&at| self.addr(at)).collect()
    }

    /// An instruction per chunk of columns, in pieces of at most 255 rows.
    fn by_columns(
        &mut self,
        places: &[Place],
        shape: Shape,
        rows: Num,
        cols: i64,
        emit: Emit<'_>,
    ) -> Done {
        let strides: Vec<Stride> = places.iter().map(row_stride).collect();
        let mut start = 0;
        while start < cols {
            let lanes = (cols - start).min(shape.lanes);
            self.use_first(lanes, shape.lanes)?;
            let mut row = 0;
            loop {
                let piece = match rows {
                    Num::Const(rows) => Num::Const((rows - row).min(MAX_REPEATS)),
                    rows => rows,
                };
                let mark = self.homes.mark();
                let mut ats = Vec::with_capacity(places.len());
                for place in places {
                    ats.push(self.sum(place.at, Num::Const(row * place.pitch / 8))?);
                }
                self.piece(&ats, places, start, piece, &strides, emit)?;
                self.homes.cut(mark);
                row += MAX_REPEATS;
                if rows.known().is_none_or(|rows| row >= rows) {
                    break;
                }
            }
            start += lanes;
        }
        Ok(())
    }

    fn by_rows(
        &mut self,
        places: &[Place],
        shape: Shape,
        [rows, cols]: [Num; 2],
        emit: Emit<'_>,
    ) -> Done {
        if let Num::Const(count) = rows
            && count <= WRITTEN_OUT
        {
            for row in 0..count {
                let mark = self.homes.mark();
                let mut ats = Vec::with_capacity(places.len());
                for place in places {
                    ats.push(self.sum(place.at, Num::Const(row * place.pitch / 8))?);
                }
                self.span_of(&ats, places, shape, cols, emit)?;
                self.homes.cut(mark);
            }
            return Ok(());
        }
        let steady = match cols {
            Num::Const(cols) if cols % shape.lanes == 0 && shape.tails => Some(shape.lanes),
            Num::Const(_) | Num::Reg(_) => None,
        };
        self.row_loop(places, rows, steady, |sel, ats| {
            sel.span_of(ats, places, shape, cols, emit)
        })
    }

    /// A hardware loop over rows; `body` gets the addresses of each row. `steady` lanes are set once, before it.
    pub(super) fn row_loop(
        &mut self,
        places: &[Place],
        rows: Num,
        steady: Option<i64>,
        body: impl FnOnce(&mut Self, &[Num]) -> Done,
    ) -> Done {
        let mut ats = Vec::with_capacity(places.len());
        for place in places {
            ats.push(if place.pitch == 0 {
                place.at
            } else {
                Num::Reg(self.copied(place.at)?)
            });
        }
        match steady {
            Some(lanes) => self.use_first(lanes, lanes)?,
            None => self.lanes = LaneState::Unknown,
        }
        self.counted(rows, |sel| {
            body(sel, &ats)?;
            for (at, place) in ats.iter().zip(places) {
                if let (Num::Reg(reg), true) = (*at, place.pitch != 0) {
                    let b = sel.xval(Num::Const(place.pitch / 8))?;
                    sel.push(inst::Add {
                        dst: inst::XOut(reg),
                        a: inst::XVal::Reg(reg),
                        b,
                    });
                }
            }
            Ok(())
        })?;
        if steady.is_none() {
            self.lanes = LaneState::Unknown;
        }
        Ok(())
    }

    /// Lets the following instructions process the first lanes of each repeat.
    ///
    /// All lanes of a type with `full` of them are on where all 128 are, so that types of both widths share that state.
    pub(super) fn use_first(&mut self, lanes: i64, full: i64) -> Done {
        let lanes = if lanes >= full { ALL_LANES } else { lanes };
        let state = LaneState::First(lanes);
        if self.lanes == state {
            return Ok(());
        }
        self.lanes = state;
        let mark = self.homes.mark();
        let (lo, hi) = mask(lanes);
        let lo_reg = self.in_reg(Num::Const(lo))?;
        let hi_reg = if hi == lo {
            lo_reg
        } else {
            self.in_reg(Num::Const(hi))?
        };
        self.push(inst::Vsetmask {
            lo: XIn(lo_reg),
            hi: XIn(hi_reg),
        });
        self.homes.cut(mark);
        Ok(())
    }

    /// Lets the following instructions process so many elements.
    pub(super) fn use_count(&mut self, count: Num) -> Done {
        // A register may have another value by now: only known counts are remembered.
        if count.known().is_some() && self.lanes == LaneState::Count(count) {
            return Ok(());
        }
        self.lanes = LaneState::Count(count);
        let count = self.xval(count)?;
        self.push(inst::Vsetcount { count });
        Ok(())
    }
}

/// Mask words of the first lanes.
fn mask(lanes: i64) -> (i64, i64) {
    let word = |lanes: i64| match lanes {
        ..=0 => 0,
        1..=63 => ((1u64 << lanes) - 1) as i64,
        64.. => -1,
    };
    (word(lanes), word(lanes - 64))
}

/// Whether rows as repeats would read the banks that the repeat before writes (davinci-facts §7, rule 1), where the
/// chunks of a row as repeats take turns.
fn rows_clash(places: &[Place], rows: Num, chunks: i64) -> bool {
    let bank = |place: &Place| place.at.known().map(|at| at / BANK_BYTES);
    let alike = |place: &Place| !place.spread && place.pitch != 0 && place.pitch % BANK_PERIOD == 0;
    let Some((to, from)) = places.split_first() else {
        return false;
    };
    let clashes = |place: &Place| alike(place) && bank(place).is_some() && bank(place) == bank(to);
    let written_out = rows.known().is_some_and(|rows| rows <= WRITTEN_OUT);
    written_out && chunks >= LEAST_CHUNKS && alike(to) && from.iter().any(clashes)
}

/// Whether rows follow each other without gaps everywhere.
fn is_flat(places: &[Place], cols: Num) -> bool {
    let follows =
        |place: &Place| !place.spread && Num::Const(place.pitch) == scale(cols, place.bits);
    places.iter().all(follows)
}

fn scale(cols: Num, bits: i64) -> Num {
    match cols {
        Num::Const(cols) => Num::Const(cols.saturating_mul(bits)),
        other => other,
    }
}

/// Whether rows may be the repeats: their distance fits a stride, their number a repeat count.
pub(super) fn rows_can_repeat(places: &[Place], rows: Num, most_rows: i64) -> bool {
    let blocks = |place: &Place| {
        place.pitch % (8 * BLOCK) == 0 && place.pitch / (8 * BLOCK) <= 255 && place.bits >= 8
    };
    places.iter().all(blocks) && (rows.known().is_some() || most_rows <= MAX_REPEATS)
}

/// Whether an instruction a chunk of columns makes fewer instructions than one a row, or a loop over rows.
fn chunks_are_fewer(rows: Num, most_rows: i64, cols: i64, lanes: i64) -> bool {
    let chunks = cols.saturating_add(lanes - 1) / lanes;
    let written_out = rows.known().is_some_and(|rows| rows <= WRITTEN_OUT);
    match written_out {
        true => chunks < most_rows,
        false => chunks <= most_rows.max(WRITTEN_OUT_CHUNKS),
    }
}

/// Strides of a run of elements.
fn run_stride(place: &Place, lanes: i64) -> Stride {
    if place.spread {
        return Stride { blk: 0, rep: 0 };
    }
    Stride {
        blk: 1,
        rep: (lanes * place.bits / (8 * BLOCK)) as u8,
    }
}

/// Strides with a row per repeat.
pub(super) fn row_stride(place: &Place) -> Stride {
    Stride {
        blk: u8::from(!place.spread),
        rep: (place.pitch / (8 * BLOCK)) as u8,
    }
}

/// Strides of a destination alone.
pub(super) fn st1(st: &[Stride]) -> St1 {
    St1 {
        dst_blk: st[0].blk,
        dst_rep: st[0].rep,
    }
}

/// Strides of a destination and a source.
pub(super) fn st2(st: &[Stride]) -> St2 {
    St2 {
        dst_blk: st[0].blk,
        a_blk: st[1].blk,
        dst_rep: st[0].rep,
        a_rep: st[1].rep,
    }
}

/// Strides of a destination and two sources.
pub(super) fn st3(st: &[Stride]) -> St3 {
    St3 {
        dst_blk: st[0].blk,
        a_blk: st[1].blk,
        b_blk: st[2].blk,
        dst_rep: st[0].rep,
        a_rep: st[1].rep,
        b_rep: st[2].rep,
    }
}
