//! A window that moves over an image, and the matrix that it makes: what a convolution multiplies.
//!
//! Row `r` of the matrix is position (r / w, r % w) of the window, where w is the number of positions along the width;
//! column `c` is channel c % C0 of element c / C0 of the window, its elements row by row, C0 = 32 B / element size.
//! Around the image stand zeros.

use super::Arg;

/// An image, the window over it, and where a part of the matrix begins. Of each pair the first is down, the second across.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the image.
    pub image: [Arg; 2],
    /// Rows of zeros above and below, columns left and right.
    pub pad: [Arg; 4],
    /// Extents of the window.
    pub extent: [i64; 2],
    /// How far the window moves.
    pub step: [i64; 2],
    /// Distance of the window's elements.
    pub apart: [i64; 2],
    /// First position and first element of the window.
    pub from: [Arg; 2],
}

/// The greatest values that the machine's fields hold (davinci-facts §3.4): image, padding, extent, step, distance.
const MOST: [(&str, i64, i64); 5] = [
    ("image", 1, 65_535),
    ("padding", 0, 255),
    ("window", 1, 511),
    ("step", 1, 63),
    ("distance", 1, 255),
];

impl Window {
    /// Every scalar operand.
    pub(super) fn args_mut(&mut self) -> impl Iterator<Item = &mut Arg> {
        let all = [&mut self.image[..], &mut self.pad, &mut self.from];
        all.into_iter().flatten()
    }

    /// What no field of the machine holds.
    pub fn refused(&self) -> Option<String> {
        let known = |args: &[Arg]| -> Vec<i64> {
            let value = |arg: &Arg| match arg {
                Arg::Const(value) => Some(*value),
                Arg::Val(_) => None,
            };
            args.iter().filter_map(value).collect()
        };
        let fields = [
            known(&self.image),
            known(&self.pad),
            self.extent.to_vec(),
            self.step.to_vec(),
            self.apart.to_vec(),
        ];
        for ((what, least, most), values) in MOST.into_iter().zip(fields) {
            if let Some(value) = values.iter().find(|v| !(least..=most).contains(*v)) {
                return Some(format!("{what} {value} is not from {least} to {most}"));
            }
        }
        None
    }

    /// How far the window reaches: from its first element to behind its last.
    pub fn reach(&self, along: usize) -> i64 {
        self.apart[along] * (self.extent[along] - 1) + 1
    }
}

/// A window whose scalars are known.
#[derive(Copy, Clone, Debug)]
pub(super) struct Known {
    pub(super) image: [i64; 2],
    pub(super) pad: [i64; 4],
    pub(super) from: [i64; 2],
    pub(super) window: Window,
}

impl Known {
    /// Which element of the image, counted row by row, stands in a row of the matrix for an element of the window; none
    /// in the padding and outside the matrix.
    pub(super) fn element(&self, row: i64, tap: i64) -> Option<i64> {
        let w = &self.window;
        let along = |d: usize| {
            let room = self.image[d] + self.pad[2 * d] + self.pad[2 * d + 1] - w.reach(d);
            if room < 0 { 0 } else { room / w.step[d] + 1 }
        };
        let (high, wide) = (along(0), along(1));
        let (row, tap) = (self.from[0] + row, self.from[1] + tap);
        if row < 0 || row >= high * wide || tap < 0 || tap >= w.extent[0] * w.extent[1] {
            return None;
        }
        let place = |d: usize, position: i64, tap: i64| {
            let at = position * w.step[d] + tap * w.apart[d] - self.pad[2 * d];
            (0..self.image[d]).contains(&at).then_some(at)
        };
        let down = place(0, row / wide, tap / w.extent[1])?;
        let across = place(1, row % wide, tap % w.extent[1])?;
        Some(down * self.image[1] + across)
    }
}
