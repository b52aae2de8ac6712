//! Which kernel computes which op.

use pullback_graph::{Graph, Op};

use crate::kernel::compute::Kernel;
use crate::kernel::conv::{Slide, Weights};
use crate::kernel::linalg::{Cholesky, Cofactor, Determinants, PerMatrix, Solve, TriangularSolve};
use crate::kernel::movement::concat::Concat;
use crate::kernel::movement::draw::Draw;
use crate::kernel::movement::fill::Fill;
use crate::kernel::movement::index::{Gather, GatherAlong};
use crate::kernel::movement::pad::Pad;
use crate::kernel::movement::rearrange::{Alias, Rearrange};
use crate::kernel::movement::scatter::{Scatter, ScatterAlong};
use crate::kernel::products::dot::Dot;
use crate::kernel::products::epilogue::Epilogue;
use crate::kernel::products::overlap::Overlap;
use crate::kernel::program::compile;
use crate::kernel::reductions::arg::{Arg, Extreme};
use crate::kernel::reductions::reduce::Reduce;
use crate::kernel::reductions::running::{Cumulative, LinearScan};
use crate::kernel::reductions::sort::ArgSort;
use crate::kernel::reference::Reference;
use crate::kernel::regions::heads::head;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, role};
use crate::kernel::strip::Blockwise;
use crate::kernel::windows::window::{Fold, Unfold};
use crate::kernel::windows::window_arg::WindowArg;

impl Kernel {
    /// The kernel of a region of a bound graph. It reads the region's operands, in their order.
    ///
    /// # Panics
    /// When a size is not known.
    pub(crate) fn lower(graph: &Graph, region: &Region) -> Kernel {
        let root = region.root;
        if let Some(strip) = &region.strip {
            return Kernel::of(Blockwise::of(graph, region, strip));
        }
        if role(graph, root) == Role::Alias {
            return Alias::of(graph, root).into();
        }
        if let Some(head) = head(&region.nodes, role(graph, root), |node| role(graph, node))
            && let Op::DotGeneral(op) = &graph.node(head).op
        {
            return Kernel::of(Epilogue::of(graph, region, head, op));
        }
        match &graph.node(root).op {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Logic(_)
            | Op::Select(_)
            | Op::Clamp(_)
            | Op::Polygamma(_)
            | Op::Cast(_) => Kernel::of(compile(graph, region, None)),
            Op::Literal(op) => Fill::of(graph, root, op.value).into(),
            Op::Broadcast(_) if region.operands.is_empty() => Fill::through(graph, root).into(),
            Op::Broadcast(_)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Slice(_)
            | Op::Reverse(_)
            | Op::StopGradient(_)
            | Op::Barrier(_)
            | Op::Checkpoint(_)
            | Op::CustomVjp(_) => Rearrange::of(graph, root).into(),
            Op::Pad(op) => Pad::of(graph, root, op).into(),
            Op::Concat(op) => Concat::of(graph, root, op.axis).into(),
            Op::Reduce(_) if role(graph, root) == Role::Overlap && region.nodes.len() > 1 => {
                Weights::of(graph, root).expect("a sum that overlaps is one of weights").into()
            }
            Op::Reduce(_)
                if region.nodes.len() > 1
                    || region.piece.is_some()
                    || matches!(role(graph, root), Role::Columns(_)) =>
            {
                Kernel::of(compile(graph, region, None))
            }
            Op::Reduce(op) => match Reduce::of(graph, root, op) {
                Some(kernel) => kernel.into(),
                None => Reference::of(graph, root).into(),
            },
            Op::ArgMax(_) if region.nodes.len() > 1 => WindowArg::of(graph, root, Extreme::Largest)
                .expect("a search through other nodes is one of windows")
                .into(),
            Op::ArgMax(op) => match Arg::of(graph, root, op.axis, Extreme::Largest) {
                Some(kernel) => kernel.into(),
                None => Reference::of(graph, root).into(),
            },
            Op::ArgMin(_) if region.nodes.len() > 1 => WindowArg::of(graph, root, Extreme::Smallest)
                .expect("a search through other nodes is one of windows")
                .into(),
            Op::ArgMin(op) => match Arg::of(graph, root, op.axis, Extreme::Smallest) {
                Some(kernel) => kernel.into(),
                None => Reference::of(graph, root).into(),
            },
            Op::Cumulative(op) => Cumulative::of(graph, root, op).into(),
            Op::LinearScan(op) => LinearScan::of(graph, root, op).into(),
            Op::ArgSort(op) => ArgSort::of(graph, root, op).into(),
            Op::DotGeneral(op) => match Slide::over(graph, region, root, op) {
                Some(kernel) => kernel.into(),
                None => Dot::of(graph, region, root, op).into(),
            },
            Op::Gather(op) => Gather::of(graph, root, op.axis).into(),
            Op::GatherAlong(op) => GatherAlong::of(graph, root, op.axis).into(),
            Op::Scatter(op) => Scatter::of(graph, region, op).into(),
            Op::ScatterAlong(op) => ScatterAlong::of(graph, region, op).into(),
            Op::Unfold(op) => Unfold::of(graph, root, &op.windows).into(),
            Op::Fold(op) => {
                if let Some(kernel) = Slide::adding_up(graph, region, &op.windows) {
                    return kernel.into();
                }
                let fold = Fold::of(graph, root, &op.windows);
                let product = region.nodes.iter().find_map(|node| match &graph.node(*node).op {
                    Op::DotGeneral(op) => Some(Dot::of(graph, region, *node, op)),
                    _ => None,
                });
                match product {
                    Some(product) => Overlap::new(product, fold).into(),
                    None => fold.into(),
                }
            }
            Op::Random(op) => Draw::of(graph, root, op).into(),
            // Leaves are made once and then read; of somebody else's op nothing but its rules is known.
            Op::Input(_) | Op::Constant(_) | Op::Iota(_) | Op::DimSize(_) | Op::Custom(_) => {
                Reference::of(graph, root).into()
            }
            Op::Cholesky(_) => PerMatrix::of(graph, root, Cholesky).into(),
            Op::TriangularSolve(op) => PerMatrix::of(graph, root, TriangularSolve(*op)).into(),
            Op::Solve(_) => PerMatrix::of(graph, root, Solve).into(),
            Op::Determinant(_) => Kernel::of(Determinants::of(graph, region)),
            Op::Cofactor(_) => PerMatrix::of(graph, root, Cofactor).into(),
        }
    }
}
