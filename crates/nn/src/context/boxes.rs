//! Entering layers: boxes in the graph, names in the paths of parameters.

use std::panic::Location;

use pullback_graph::Expr;

use crate::context::Context;
use crate::error::NnError;
use crate::summary::LayerRow;

impl<'g> Context<'g> {
    /// Runs `build` as a layer: its nodes stand in a box and its parameters have paths under `name`, which is followed by
    /// `_1`, `_2`, … where it is taken. A [summary](crate::Summary) has a line for it.
    ///
    /// # Panics
    /// When `name` is empty or contains `/`.
    #[track_caller]
    pub fn layer(&self, name: &str, build: impl FnOnce() -> Expr<'g>) -> Expr<'g> {
        self.expect_simple(name);
        self.enter_layer(name, None, build)
    }

    /// [`layer`](Context::layer) whose nodes all carry the line `at`: for layers that are described in one place and built
    /// in another, where the line of the description tells more. Their constructors take it from
    /// [`Location::caller`](std::panic::Location::caller).
    ///
    /// # Panics
    /// As [`layer`](Context::layer).
    #[track_caller]
    pub fn layer_at(
        &self,
        name: &str,
        at: &'static Location<'static>,
        build: impl FnOnce() -> Expr<'g>,
    ) -> Expr<'g> {
        self.expect_simple(name);
        self.enter_layer(name, Some(at), build)
    }

    /// [`layer`](Context::layer) of a module that does not know its line: it gets that of the list it stands in, if any.
    #[track_caller]
    pub(crate) fn listed_layer(&self, name: &str, build: impl FnOnce() -> Expr<'g>) -> Expr<'g> {
        self.enter_layer(name, self.listed_at.get(), build)
    }

    /// Runs `build` for a module that stands in a list at the line `at`.
    pub(crate) fn listed<R>(&self, at: &'static Location<'static>, build: impl FnOnce() -> R) -> R {
        let before = self.listed_at.replace(Some(at));
        let result = build();
        self.listed_at.set(before);
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
        self.inside(name, None, build)
    }

    fn enter_layer(
        &self,
        name: &str,
        at: Option<&'static Location<'static>>,
        build: impl FnOnce() -> Expr<'g>,
    ) -> Expr<'g> {
        let (unique, before, row) = {
            let mut tables = self.tables.borrow_mut();
            let unique = tables.frames.enter_unique(name);
            let (path, depth) = (tables.frames.path().into(), tables.frames.depth());
            tables.rows.push(LayerRow { path, depth, output: None, parameters: 0 });
            (unique, tables.parameters.len(), tables.rows.len() - 1)
        };
        let result = self.inside(&unique, at, build);
        let mut tables = self.tables.borrow_mut();
        let parameters = tables.parameters[before..].iter().map(|(spec, _)| spec.count()).sum();
        let row = &mut tables.rows[row];
        (row.output, row.parameters) = (Some(result.ty()), parameters);
        result
    }

    /// Runs `build` in a box of the builder, in the frame just entered, and leaves that also by a panic.
    fn inside<R>(&self, name: &str, at: Option<&'static Location<'static>>, build: impl FnOnce() -> R) -> R {
        struct Leave<'c, 'g>(&'c Context<'g>);
        impl Drop for Leave<'_, '_> {
            fn drop(&mut self) {
                if let Ok(mut tables) = self.0.tables.try_borrow_mut() {
                    tables.frames.leave();
                }
            }
        }
        let _leave = Leave(self);
        match at {
            Some(at) => self.builder.derived(name, at, build),
            None => self.builder.scope(name, build),
        }
    }

    #[track_caller]
    pub(super) fn expect_simple(&self, name: &str) {
        if name.is_empty() || name.contains('/') {
            self.refuse_name(
                name,
                "a name is not empty and has no `/`".into(),
                "boxes make the path: `cx.layer`",
            );
        }
    }

    #[track_caller]
    pub(super) fn refuse_name(&self, path: &str, message: String, help: &'static str) -> ! {
        let at = Some(Location::caller().into());
        NnError::Name { path: path.into(), message, help: Some(help), at }.stop()
    }
}
