//! The context: what has been built, and for what.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;

use pullback_graph::{Builder, DType, Expr, Shape};

use crate::context::frames::Frames;
use crate::names::RANDOM_KEY;
use crate::spec::{ParameterSpec, StateSpec};
use crate::summary::LayerRow;

/// What a network is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A step of training: dropout drops.
    Training,
    /// Evaluation or prediction: layers behave as they do in use.
    Evaluation,
}

/// Where layers put their nodes and find their parameters.
///
/// Parameters are named by path: the names of the layers around them, then their own. A layer's name is unique where it
/// stands (`dense`, `dense_1`, …, in the order in which layers are applied), so a network built twice by the same code
/// has the same paths, whatever the mode. Applying a layer twice makes two sets of parameters;
/// [`shared`](Context::shared) makes one.
///
/// ```
/// use pullback_graph::{Builder, DType::F32};
/// use pullback_nn::{Context, Initializer, Mode};
/// let b = Builder::new();
/// let cx = Context::new(&b, Mode::Training);
/// let x = b.input("x", F32, [4]);
/// let y = cx.layer("scale", || x * cx.parameter("factor", [4], Initializer::Ones));
/// assert_eq!(&*cx.parameters()[0].path, "scale/factor");
/// # let _ = y;
/// ```
#[derive(Debug)]
pub struct Context<'g> {
    pub(super) builder: &'g Builder,
    mode: Mode,
    dtype: Cell<DType>,
    /// Where the module being built stands in a list of modules.
    pub(super) listed_at: Cell<Option<&'static Location<'static>>>,
    pub(super) tables: RefCell<Tables<'g>>,
}

/// What has been built.
#[derive(Debug)]
pub(crate) struct Tables<'g> {
    pub(crate) parameters: Vec<(ParameterSpec, Expr<'g>)>,
    pub(crate) states: Vec<Held<'g>>,
    pub(super) frames: Frames,
    pub(super) penalties: Vec<Expr<'g>>,
    pub(super) rows: Vec<LayerRow>,
    /// How many streams of random numbers each path has taken.
    pub(super) streams: HashMap<String, u64>,
}

/// State, the input that holds it, and its next value.
#[derive(Clone, Debug)]
pub(crate) struct Held<'g> {
    pub(crate) spec: StateSpec,
    pub(crate) input: Expr<'g>,
    pub(crate) next: Option<Expr<'g>>,
}

impl<'g> Context<'g> {
    /// A context in which nothing has been built; parameters are of type f32 unless a layer says otherwise.
    #[must_use]
    pub fn new(builder: &'g Builder, mode: Mode) -> Self {
        let tables = Tables {
            parameters: Vec::new(),
            states: Vec::new(),
            frames: Frames::new([RANDOM_KEY, "optimizer"]),
            penalties: Vec::new(),
            rows: Vec::new(),
            streams: HashMap::new(),
        };
        Context {
            builder,
            mode,
            dtype: Cell::new(DType::F32),
            listed_at: Cell::new(None),
            tables: RefCell::new(tables),
        }
    }

    /// The builder.
    #[must_use]
    pub fn builder(&self) -> &'g Builder {
        self.builder
    }

    /// What the network is built for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether this is a step of training.
    #[must_use]
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Training
    }

    /// The element type of parameters made by [`parameter`](Context::parameter).
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype.get()
    }

    /// Changes the element type of the parameters that follow.
    pub fn set_dtype(&self, dtype: DType) {
        self.dtype.set(dtype);
    }

    /// The names of the layers around, outermost first: `encoder/dense_1`. Empty outside all layers.
    #[must_use]
    pub fn path(&self) -> String {
        self.tables.borrow().frames.path().to_string()
    }

    /// A data input; its name is not prefixed by the path.
    #[track_caller]
    pub fn input(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Expr<'g> {
        self.builder.input(name, dtype, shape)
    }

    /// The parameters made so far, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        self.tables.borrow().parameters.iter().map(|(spec, _)| spec.clone()).collect()
    }

    /// The state made so far, in order.
    #[must_use]
    pub fn states(&self) -> Vec<StateSpec> {
        self.tables.borrow().states.iter().map(|held| held.spec.clone()).collect()
    }

    /// The layers built so far, in the order in which they were entered.
    pub(crate) fn rows(&self) -> Vec<LayerRow> {
        self.tables.borrow().rows.clone()
    }

    /// Reads the tables; the closure must not build.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Tables<'g>) -> R) -> R {
        read(&self.tables.borrow())
    }
}
