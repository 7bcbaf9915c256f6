//! Parts of tensors and buffers: where they begin, and how much of them there is.

use ir::tile::{Buf, Tensor};
use syntax::tile_ast::{TileAccess, TileCoord};

use super::extents::{Cut, Extent, Linear};
use super::{Loader, wrong};

/// A rectangle in a tensor: of its last two dimensions, or of its last one.
pub(super) struct Region {
    pub(super) tensor: Tensor,
    /// Flat offset of the first element.
    pub(super) at: Linear,
    /// Where it begins and ends in each direction; a tensor of rank 1 has one row.
    pub(super) rows: Option<(i64, Linear)>,
    pub(super) cols: (i64, Linear),
    pub(super) pitch: i64,
}

impl Loader {
    /// The part of a tensor that an access begins.
    pub(super) fn region(&mut self, access: &TileAccess) -> Option<Region> {
        let tensor = self.tensor(&access.name)?;
        let data = self.func.tensors[tensor].clone();
        let coordinates = access.at.clone().unwrap_or_default();
        if coordinates.len() != data.shape.len() || coordinates.is_empty() {
            let message = format!(
                "`{}` has {} dimensions, and {} coordinates are given",
                data.name,
                data.shape.len(),
                coordinates.len()
            );
            self.diagnostics.push(
                wrong::extent(message, access.span, "one for each dimension")
                    .label(data.span, "declared here"),
            );
            return None;
        }
        let mut ends = Vec::new();
        for (coordinate, extent) in coordinates.iter().zip(&data.shape) {
            let at = match coordinate {
                TileCoord::All(_) => Linear::default(),
                TileCoord::At(sum) => self.linear(sum)?,
            };
            let starts = at.range(&self.ranges);
            if starts.is_some_and(|(low, high)| low < 0 || high < 0 && low >= *extent) {
                let message = format!("this part of `{}` begins before the tensor", data.name);
                self.diagnostics.push(wrong::extent(
                    message,
                    access.span,
                    "a coordinate is below 0",
                ));
                return None;
            }
            ends.push((*extent, at));
        }
        let mut flat = Linear::default();
        let mut pitch = 1i64;
        let mut pitches = Vec::new();
        for (extent, at) in ends.iter().rev() {
            pitches.push(pitch);
            let sum = flat.plus(at, pitch);
            flat = self.fits(sum, access.span)?;
            pitch = self.fits(pitch.checked_mul(*extent), access.span)?;
        }
        let cols = ends.pop()?;
        let rows = ends.pop();
        let pitch = pitches.get(1).copied().unwrap_or(cols.0);
        Some(Region {
            tensor,
            at: flat,
            rows,
            cols,
            pitch,
        })
    }

    /// The extents of a region that fills a buffer of these, cut off where the tensor ends.
    pub(super) fn clipped(&self, region: &Region, [rows, cols]: [i64; 2]) -> [Extent; 2] {
        let cut = |(limit, at): &(i64, Linear), most: i64| {
            let mut extent = Extent::whole(most);
            extent.cuts.push(Cut {
                limit: *limit,
                at: at.clone(),
            });
            extent.without_idle(&self.ranges)
        };
        let down = region.rows.as_ref().map(|row| cut(row, rows));
        [
            down.unwrap_or_else(|| Extent::whole(1)),
            cut(&region.cols, cols),
        ]
    }

    /// Where a part of a buffer begins, and its extents in the source's order.
    pub(super) fn slice(
        &mut self,
        src: Buf,
        access: &TileAccess,
        dst: Buf,
        transposed: bool,
    ) -> Option<([Linear; 2], [Extent; 2])> {
        let all = TileCoord::All(access.span);
        let at = access.at.clone().unwrap_or_else(|| vec![all.clone(), all]);
        let [row, col] = at.as_slice() else {
            let message = format!("`{}` has rows and columns", access.name.text);
            self.diagnostics
                .push(wrong::extent(message, access.span, "not two coordinates"));
            return None;
        };
        let target = self.data(dst).clone();
        let mut room = [target.rows, target.cols];
        if transposed {
            room.reverse();
        }
        let held = self.extents_of(src);
        let mut places = [Linear::default(), Linear::default()];
        let mut parts = Vec::new();
        for (n, coordinate) in [row, col].into_iter().enumerate() {
            let part = match coordinate {
                TileCoord::All(_) => held[n].clone(),
                TileCoord::At(sum) => {
                    places[n] = self.linear(sum)?;
                    let part = held[n].part(&places[n], room[n], &self.ranges);
                    self.fits(part, access.span)?
                }
            };
            if part.most > room[n] {
                let direction = ["rows", "columns"][n];
                let left = format!("`{}` has {} {direction}", access.name.text, part.most);
                let right = format!("`{}` has room for {}", target.name, room[n]);
                let what = "the part does not fit";
                let error = wrong::shape(what, (&left, access.span), (&right, target.span));
                self.diagnostics.push(error);
                return None;
            }
            parts.push(part);
        }
        let [rows, cols] = <[Extent; 2]>::try_from(parts).ok()?;
        Some((places, [rows, cols]))
    }
}
