//! The list of ops: one line each makes the enum, its dispatch, its names in texts and files, and the catalogue.

use crate::op::attributes::{self, AttributeError};
use crate::op::linalg::{Cholesky, Cofactor, Determinant, Solve, TriangularSolve};
use crate::op::{
    ArgMax, ArgMin, ArgSort, Barrier, BinaryOp, Broadcast, Cast, Checkpoint, Choices, Clamp, CompareOp,
    Concat, Constant, Cumulative, Custom, CustomVjp, DimSize, DotGeneral, Fold, Gather, GatherAlong, Input,
    Iota, LinearScan, Literal, LogicOp, OpRules, Pad, Permute, Polygamma, Random, Reduce, Registry, Reshape,
    Reverse, Sample, Scatter, ScatterAlong, Select, Slice, StopGradient, UnaryOp, Unfold,
};

/// Declares the `Op` enum, the way from each struct to it, the dispatch of rules, and the catalogue.
///
/// `families` are enums whose every value is an op of its own name (rows of a table); `structs` are ops with
/// attributes, named in the text IR as written here.
macro_rules! ops {
    (families { $($family:ident($Family:ty)),* $(,)? } structs { $($name:literal => $variant:ident($Struct:ty)),* $(,)? }) => {
        /// A tensor operation with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is documented at its struct")]
        pub enum Op {
            $($family($Family),)*
            $($variant($Struct),)*
            Custom(Custom),
        }

        $(impl From<$Family> for Op {
            fn from(op: $Family) -> Op {
                Op::$family(op)
            }
        })*

        $(impl From<$Struct> for Op {
            fn from(op: $Struct) -> Op {
                Op::$variant(op)
            }
        })*

        impl From<Custom> for Op {
            fn from(op: Custom) -> Op {
                Op::Custom(op)
            }
        }

        impl Op {
            /// The rules of this op.
            #[must_use]
            pub fn rules(&self) -> &dyn OpRules {
                match self {
                    $(Op::$family(op) => op,)*
                    $(Op::$variant(op) => op,)*
                    Op::Custom(op) => op,
                }
            }

            /// The name in the text IR and the attributes, as files hold them.
            #[must_use]
            pub fn to_parts(&self) -> (String, serde_json::Map<String, serde_json::Value>) {
                match self {
                    $(Op::$family(op) => (op.name().to_string(), serde_json::Map::new()),)*
                    $(Op::$variant(op) => ($name.to_string(), attributes::to_map(op)),)*
                    Op::Custom(op) => (op.name().to_string(), serde_json::Map::new()),
                }
            }

            /// The op of a name and attributes; custom ops are looked up in `registry`.
            ///
            /// # Errors
            /// [`AttributeError`] when the name is unknown or the attributes do not fit it.
            pub fn from_parts(
                name: &str,
                map: serde_json::Map<String, serde_json::Value>,
                registry: &Registry,
            ) -> Result<Op, AttributeError> {
                let (name, map) = attributes::renamed(name, map);
                match name {
                    $($name => return Ok(Op::$variant(attributes::from_map(map)?)),)*
                    _ => {}
                }
                let op = None$(.or_else(|| <$Family>::from_name(name).map(Op::$family)))*;
                let op = op.or_else(|| registry.get(name).map(Op::Custom)).ok_or(AttributeError::UnknownOp)?;
                attributes::expect_none(&map)?;
                Ok(op)
            }

            /// One entry per op that exists: its name, and well-typed samples of it for tests.
            #[must_use]
            pub fn catalogue() -> Vec<(&'static str, fn(&str, &mut Choices) -> Sample)> {
                let mut entries: Vec<(&'static str, fn(&str, &mut Choices) -> Sample)> = Vec::new();
                $(entries.extend(<$Family>::ALL.iter().map(|op| -> (&'static str, fn(&str, &mut Choices) -> Sample) {
                    (op.name_static(), |name, choices| {
                        <$Family>::from_name(name).expect("a row of the table").sample(choices)
                    })
                }));)*
                $(entries.push(($name, |_, choices| <$Struct>::sample(choices)));)*
                entries
            }
        }
    };
}

ops! {
    families {
        Unary(UnaryOp),
        Binary(BinaryOp),
        Compare(CompareOp),
        Logic(LogicOp),
    }
    structs {
        "input" => Input(Input),
        "literal" => Literal(Literal),
        "constant" => Constant(Constant),
        "iota" => Iota(Iota),
        "dim_size" => DimSize(DimSize),
        "select" => Select(Select),
        "clamp" => Clamp(Clamp),
        "cast" => Cast(Cast),
        "polygamma" => Polygamma(Polygamma),
        "reduce" => Reduce(Reduce),
        "argmax" => ArgMax(ArgMax),
        "argmin" => ArgMin(ArgMin),
        "argsort" => ArgSort(ArgSort),
        "linear_scan" => LinearScan(LinearScan),
        "cumulative" => Cumulative(Cumulative),
        "broadcast" => Broadcast(Broadcast),
        "reshape" => Reshape(Reshape),
        "permute" => Permute(Permute),
        "slice" => Slice(Slice),
        "pad" => Pad(Pad),
        "concat" => Concat(Concat),
        "reverse" => Reverse(Reverse),
        "dot_general" => DotGeneral(DotGeneral),
        "cholesky" => Cholesky(Cholesky),
        "triangular_solve" => TriangularSolve(TriangularSolve),
        "solve" => Solve(Solve),
        "determinant" => Determinant(Determinant),
        "cofactor" => Cofactor(Cofactor),
        "gather" => Gather(Gather),
        "gather_along" => GatherAlong(GatherAlong),
        "scatter" => Scatter(Scatter),
        "scatter_along" => ScatterAlong(ScatterAlong),
        "unfold" => Unfold(Unfold),
        "fold" => Fold(Fold),
        "random" => Random(Random),
        "stop_gradient" => StopGradient(StopGradient),
        "barrier" => Barrier(Barrier),
        "checkpoint" => Checkpoint(Checkpoint),
        "custom_vjp" => CustomVjp(CustomVjp),
    }
}
