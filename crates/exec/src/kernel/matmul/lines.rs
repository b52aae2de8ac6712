//! Products whose contracted elements lie together on both sides, element by element.

use crate::kernel::matmul::{Matmul, Product, Scalar};
use crate::kernel::simd::{self, Loop};

/// A sum of products per element of the result, for a vector times lines that each lie together in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines;

impl<T: Scalar> Matmul<T> for Lines {
    fn multiply(&self, product: Product<'_, T>) {
        simd::run(Sums(product));
    }
}

/// The elements of a product one by one, contracted elements lying together on both sides.
struct Sums<'a, T>(Product<'a, T>);

/// Products that are added up side by side.
const LANES: usize = 32;

impl<T: Scalar> Loop for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Product { dims, left, right, result, .. } = self.0;
        for (at, sum) in result.iter_mut().enumerate() {
            let (i, j) = (at / dims.n, at % dims.n);
            let ours = &left.elements[i * left.row..][..dims.k];
            let theirs = &right.elements[j * right.column..][..dims.k];
            let mut lanes = [T::default(); LANES];
            let (our_rows, our_rest) = ours.as_chunks::<LANES>();
            let (their_rows, their_rest) = theirs.as_chunks::<LANES>();
            for (ours, theirs) in our_rows.iter().zip(their_rows) {
                for lane in 0..LANES {
                    lanes[lane] = T::add_product(lanes[lane], ours[lane], theirs[lane]);
                }
            }
            for (lane, (ours, theirs)) in our_rest.iter().zip(their_rest).enumerate() {
                lanes[lane] = T::add_product(lanes[lane], *ours, *theirs);
            }
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    lanes[lane] = T::add(lanes[lane], lanes[lane + half]);
                }
                half /= 2;
            }
            *sum = lanes[0];
        }
    }
}
