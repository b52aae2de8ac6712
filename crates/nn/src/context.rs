//! What layers build in: the graph's builder, the paths of parameters, the mode, and the key of random numbers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{Builder, DType, Expr, Shape, TensorType};

use crate::error::{NnError, accept};
use crate::frames::Frames;
use crate::hash::stable_hash;
use crate::init::Initializer;
use crate::regularizer::Regularizer;
use crate::spec::{Initial, ParameterSpec, StateSpec};
use crate::summary::Row;

/// The name of the state input that holds the key of random numbers.
pub const RANDOM_KEY: &str = "random_key";

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
    builder: &'g Builder,
    mode: Mode,
    dtype: Cell<DType>,
    tables: RefCell<Tables<'g>>,
}

#[derive(Debug)]
pub(crate) struct Tables<'g> {
    pub(crate) parameters: Vec<(ParameterSpec, Expr<'g>)>,
    /// The next value of each parameter, once a step has updated them.
    pub(crate) next_parameters: Vec<Expr<'g>>,
    pub(crate) states: Vec<Held<'g>>,
    frames: Frames,
    penalties: Vec<Expr<'g>>,
    rows: Vec<Row>,
    /// How many streams of random numbers each path has taken.
    streams: HashMap<String, u64>,
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
            next_parameters: Vec::new(),
            states: Vec::new(),
            frames: Frames::new([RANDOM_KEY, "optimizer"]),
            penalties: Vec::new(),
            rows: Vec::new(),
            streams: HashMap::new(),
        };
        Context { builder, mode, dtype: Cell::new(DType::F32), tables: RefCell::new(tables) }
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

    /// The parameter called `name` at the present path, of type [`dtype`](Context::dtype): made, or, inside
    /// [`shared`](Context::shared), found.
    ///
    /// # Panics
    /// As [`parameter_of`](Context::parameter_of).
    #[track_caller]
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, initializer: Initializer) -> Expr<'g> {
        self.parameter_of(name, TensorType::new(self.dtype(), shape), initializer, None)
    }

    /// [`parameter`](Context::parameter) of any floating-point type, with a penalty that training adds to the loss.
    ///
    /// # Panics
    /// With the message of an [`NnError`] and the caller's line: when a size is not known, the initializer or the penalty
    /// has no meaning, or another parameter has this path and is not shared, or is of another type.
    #[track_caller]
    pub fn parameter_of(
        &self,
        name: &str,
        ty: TensorType,
        initializer: Initializer,
        regularizer: Option<Regularizer>,
    ) -> Expr<'g> {
        let path = self.claim(name);
        let spec = ParameterSpec { path, ty, initializer, regularizer };
        if let Some(found) = self.found(&spec) {
            return found;
        }
        accept(spec.check().map_err(|error| error.at(Some(Location::caller().into()))));
        let input = self.builder.parameter(&spec.path, spec.ty.dtype, &spec.ty.shape);
        self.tables.borrow_mut().parameters.push((spec, input));
        input
    }

    /// The parameter of this path, if it was made and may be used again.
    #[track_caller]
    fn found(&self, spec: &ParameterSpec) -> Option<Expr<'g>> {
        let tables = self.tables.borrow();
        let (other, input) = tables.parameters.iter().find(|(other, _)| other.path == spec.path)?;
        let message = if !tables.frames.is_shared() {
            "there is a parameter of this path already".to_string()
        } else if other != spec {
            format!("this parameter is shared, and was {} with another initializer or penalty, or of another type", other.ty)
        } else {
            return Some(*input);
        };
        drop(tables);
        self.refuse_name(&spec.path, message, "each layer opens a box with `cx.layer`; `cx.shared` uses parameters again")
    }

    /// State at the present path that is carried from step to step: fed to every run, and changed by those that
    /// [`update`](Context::update) it.
    ///
    /// # Panics
    /// When a size is not known, or there is such state already and it is not shared.
    #[track_caller]
    pub fn state(&self, name: &str, ty: TensorType, initial: Initial) -> Expr<'g> {
        let name = self.claim(name);
        let tables = self.tables.borrow();
        let found = tables.states.iter().find(|held| held.spec.name == name).map(|held| held.input);
        let shared = tables.frames.is_shared();
        drop(tables);
        match found {
            Some(input) if shared => input,
            Some(_) => self.refuse_name(&name, "there is state of this name already".into(), "open a box with `cx.layer`"),
            None => self.hold(StateSpec { name, ty, initial }),
        }
    }

    /// State under its full name, outside all layers.
    #[track_caller]
    pub(crate) fn hold(&self, spec: StateSpec) -> Expr<'g> {
        accept(spec.check().map_err(|error| error.at(Some(Location::caller().into()))));
        let input = self.builder.state(&spec.name, spec.ty.dtype, &spec.ty.shape);
        self.tables.borrow_mut().states.push(Held { spec, input, next: None });
        input
    }

    /// Makes `next` the value of `state` for the next step. The last call counts. Only training changes state.
    ///
    /// # Panics
    /// When `state` was not made by [`state`](Context::state).
    #[track_caller]
    pub fn update(&self, state: Expr<'g>, next: Expr<'g>) {
        let mut tables = self.tables.borrow_mut();
        let held = tables.states.iter_mut().find(|held| held.input.id() == state.id());
        match held {
            Some(held) => held.next = Some(next),
            None => {
                drop(tables);
                NnError::input("update", format!("{state:?} is not state of this context")).stop()
            }
        }
    }

    /// Runs `build` as a layer: its nodes stand in a box and its parameters have paths under `name`, which is followed by
    /// `_1`, `_2`, … where it is taken. A [summary](crate::Summary) has a line for it.
    ///
    /// # Panics
    /// When `name` is empty or contains `/`.
    #[track_caller]
    pub fn layer(&self, name: &str, build: impl FnOnce() -> Expr<'g>) -> Expr<'g> {
        self.expect_simple(name);
        let (unique, before, at) = {
            let mut tables = self.tables.borrow_mut();
            let unique = tables.frames.enter_unique(name);
            let (path, depth) = (tables.frames.path().into(), tables.frames.depth());
            tables.rows.push(Row { path, depth, output: None, parameters: 0 });
            (unique, tables.parameters.len(), tables.rows.len() - 1)
        };
        let result = self.inside(&unique, build);
        let mut tables = self.tables.borrow_mut();
        let parameters = tables.parameters[before..].iter().map(|(spec, _)| spec.count()).sum();
        let row = &mut tables.rows[at];
        (row.output, row.parameters) = (Some(result.ty()), parameters);
        result
    }

    /// Runs `build` under exactly this name, however often: the second time, its layers find the parameters that the
    /// first time made. This is how weights are shared.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F32};
    /// use pullback_nn::{Context, Dense, Mode, Module};
    /// let b = Builder::new();
    /// let cx = Context::new(&b, Mode::Training);
    /// let (left, right) = (b.input("left", F32, [3]), b.input("right", F32, [3]));
    /// let encode = |x| cx.shared("encoder", || Dense::new(2).forward(&cx, x));
    /// let distance = (encode(left) - encode(right)).square().sum();
    /// let paths: Vec<_> = cx.parameters().iter().map(|spec| spec.path.to_string()).collect();
    /// assert_eq!(paths, ["encoder/dense/kernel", "encoder/dense/bias"]);
    /// # let _ = distance;
    /// ```
    ///
    /// # Panics
    /// When `name` is empty, contains `/`, or is a layer's.
    #[track_caller]
    pub fn shared<R>(&self, name: &str, build: impl FnOnce() -> R) -> R {
        self.expect_simple(name);
        let entered = self.tables.borrow_mut().frames.enter_shared(name);
        if !entered {
            self.refuse_name(name, "a layer has this name".into(), "choose another name for what is shared");
        }
        self.inside(name, build)
    }

    /// Runs `build` in a box of the builder, in the frame just entered, and leaves that also by a panic.
    fn inside<R>(&self, name: &str, build: impl FnOnce() -> R) -> R {
        struct Leave<'c, 'g>(&'c Context<'g>);
        impl Drop for Leave<'_, '_> {
            fn drop(&mut self) {
                if let Ok(mut tables) = self.0.tables.try_borrow_mut() {
                    tables.frames.leave();
                }
            }
        }
        let _leave = Leave(self);
        self.builder.scope(name, build)
    }

    /// Independent draws of the type of `like`, others in every step. Each call has a stream of its own, told apart by
    /// path; the key is state that every step of training counts up.
    ///
    /// # Panics
    /// When the elements of `like` are not of floating point.
    #[must_use]
    #[track_caller]
    pub fn random_like(&self, distribution: Distribution, like: Expr<'g>) -> Expr<'g> {
        let stream = {
            let mut tables = self.tables.borrow_mut();
            let path = tables.frames.path().to_string();
            let taken = tables.streams.entry(path.clone()).or_default();
            *taken += 1;
            stable_hash(&format!("{path}#{}", *taken - 1))
        };
        let ty = like.ty();
        self.random_key().apply(Random { distribution, stream, dtype: ty.dtype, shape: ty.shape })
    }

    /// The key of this step: a scalar of type i64, the same for every layer.
    #[track_caller]
    pub fn random_key(&self) -> Expr<'g> {
        let found = self.tables.borrow().states.iter().find(|held| &*held.spec.name == RANDOM_KEY).map(|held| held.input);
        found.unwrap_or_else(|| {
            let ty = TensorType::new(DType::I64, ());
            self.hold(StateSpec { name: RANDOM_KEY.into(), ty, initial: Initial::Key })
        })
    }

    /// Adds a scalar to the loss: what a layer wants kept small besides its parameters, such as its activity.
    pub fn penalize(&self, penalty: Expr<'g>) {
        self.tables.borrow_mut().penalties.push(penalty);
    }

    /// What is added to the loss: the penalty of every parameter that has one, then those of
    /// [`penalize`](Context::penalize). [`TrainingStep`](crate::TrainingStep) adds them by itself.
    #[must_use]
    pub fn penalties(&self) -> Vec<Expr<'g>> {
        let (regularized, others) = {
            let tables = self.tables.borrow();
            let regularized: Vec<_> = tables
                .parameters
                .iter()
                .filter_map(|(spec, input)| Some((spec.regularizer?, *input)))
                .collect();
            (regularized, tables.penalties.clone())
        };
        let mut penalties: Vec<_> = regularized.into_iter().map(|(regularizer, input)| regularizer.penalty(input)).collect();
        penalties.extend(others);
        penalties
    }

    /// The parameters made so far, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        self.tables.borrow().parameters.iter().map(|(spec, _)| spec.clone()).collect()
    }

    /// The layers built so far, in the order in which they were entered.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.tables.borrow().rows.clone()
    }

    /// Reads the tables; the closure must not build.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Tables<'g>) -> R) -> R {
        read(&self.tables.borrow())
    }

    /// The path of a name at this place.
    #[track_caller]
    fn claim(&self, name: &str) -> Arc<str> {
        self.expect_simple(name);
        self.tables.borrow().frames.join(name).into()
    }

    #[track_caller]
    fn expect_simple(&self, name: &str) {
        if name.is_empty() || name.contains('/') {
            self.refuse_name(name, "a name is not empty and has no `/`".into(), "boxes make the path: `cx.layer`");
        }
    }

    #[track_caller]
    fn refuse_name(&self, path: &str, message: String, help: &'static str) -> ! {
        let at = Some(Location::caller().into());
        NnError::Name { path: path.into(), message, help: Some(help), at }.stop()
    }
}
