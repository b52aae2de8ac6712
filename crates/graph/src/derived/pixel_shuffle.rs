//! Channels as places of squares of an image, and back.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// `[n…, channels · r · r, rows, columns]` as `[n…, channels, rows · r, columns · r]`: each `r · r` channels are the places of a
    /// square (Shi et al., "Real-time single image and video super-resolution", 2016).
    ///
    /// # Panics
    /// When there are fewer than three axes, or the channels are no such multiple.
    #[must_use]
    #[track_caller]
    pub fn pixel_shuffle(self, r: usize) -> Expr<'g> {
        self.builder().derived("pixel_shuffle", Location::caller(), || {
            let own = self.shape();
            let Some(at) = own.rank().checked_sub(3) else { self.refuse_rank("pixel_shuffle", 3) };
            let side = Dim::Known(r);
            let Some(channels) = own[at].exact_div(&(side.clone() * side.clone())) else {
                let message = format!("the channels of {} are no multiple of {r} · {r}", self.ty());
                self.refuse("pixel_shuffle", Violation::new("C3", message), &[])
            };
            let (rows, columns) = (own[at + 1].clone(), own[at + 2].clone());
            let lead = || own[..at].iter().cloned();
            let apart = [channels.clone(), side.clone(), side.clone(), rows.clone(), columns.clone()];
            let joined = [channels, rows * side.clone(), columns * side];
            let order: Vec<usize> = (0..=at).chain([at + 3, at + 1, at + 4, at + 2]).collect();
            let squares = self.reshape(lead().chain(apart).collect::<Shape>()).permute(order);
            squares.reshape(lead().chain(joined).collect::<Shape>())
        })
    }

    /// The inverse of [`pixel_shuffle`](Expr::pixel_shuffle): `[n…, channels, rows · r, columns · r]` as
    /// `[n…, channels · r · r, rows, columns]`.
    ///
    /// # Panics
    /// When there are fewer than three axes, or the last two are no multiples of `r`.
    #[must_use]
    #[track_caller]
    pub fn pixel_unshuffle(self, r: usize) -> Expr<'g> {
        self.builder().derived("pixel_unshuffle", Location::caller(), || {
            let own = self.shape();
            let Some(at) = own.rank().checked_sub(3) else { self.refuse_rank("pixel_unshuffle", 3) };
            let side = Dim::Known(r);
            let (Some(rows), Some(columns)) = (own[at + 1].exact_div(&side), own[at + 2].exact_div(&side))
            else {
                let message = format!("the last axes of {} are no multiples of {r}", self.ty());
                self.refuse("pixel_unshuffle", Violation::new("C3", message), &[])
            };
            let channels = own[at].clone();
            let lead = || own[..at].iter().cloned();
            let apart = [channels.clone(), rows.clone(), side.clone(), columns.clone(), side.clone()];
            let joined = [channels * side.clone() * side, rows, columns];
            let order: Vec<usize> = (0..=at).chain([at + 2, at + 4, at + 1, at + 3]).collect();
            let squares = self.reshape(lead().chain(apart).collect::<Shape>()).permute(order);
            squares.reshape(lead().chain(joined).collect::<Shape>())
        })
    }
}
