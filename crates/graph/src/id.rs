//! Typed indices: an id is its own type, prints as it does in the text IR, and is never a bare `usize`.

/// Declares a `u32` index type that prints with a prefix (`%7`, `s3`, `b2`).
#[macro_export]
macro_rules! id_type {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// The id of position `index`.
            ///
            /// # Panics
            /// When `index` does not fit in 32 bits.
            #[must_use]
            pub fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("fewer than 2^32 entities"))
            }

            /// The position this id stands for.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

id_type!(
    /// A node of a [`Graph`](crate::Graph); prints as `%7`.
    NodeId,
    "%"
);
id_type!(
    /// A scope of a [`Graph`](crate::Graph): one box in the dumps. Scope 0 is the root.
    ScopeId,
    "scope"
);
id_type!(
    /// An interned string of a [`Graph`](crate::Graph): a label, a rule or a pass.
    NameId,
    "name"
);
id_type!(
    /// An interned source position of a [`Graph`](crate::Graph).
    SourceId,
    "src"
);
