//! The ids of a plan.

use pullback_graph::id_type;

id_type!(
    /// A step of a [`Plan`](crate::Plan); prints as `s3`. Every step comes after the steps it depends on.
    StepId,
    "s"
);
id_type!(
    /// A buffer of a [`Plan`](crate::Plan) that steps write; prints as `b2`.
    SlotId,
    "b"
);
id_type!(
    /// A value of a [`Plan`](crate::Plan): what one step writes, or what is there before the first; prints as `v5`.
    ValueId,
    "v"
);
