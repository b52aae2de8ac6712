//! Sessions: a graph made ready to run again and again, with its training state.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pullback_graph::{Bindings, FeedError, Graph, Tensor, TensorType};

use crate::error::ExecError;
use crate::plan::{Plan, SlotId, Update};
use crate::run::cancel::CancelToken;
use crate::run::compile::compile_with;
use crate::run::crew::Crew;
use crate::run::entry::Entry;
use crate::run::memory::Buffer;
use crate::run::options::{Options, Record};
use crate::run::outputs::{Names, Outputs};
use crate::run::report::RunReport;

/// Runs a graph.
///
/// Inputs that an output updates are *state*: they keep their value from run to run and are set with
/// [`set_state`](Session::set_state), or by feeding them. All other inputs are fed in every run.
///
/// A plan is made for every binding of the graph's symbols that the feeds bring, and kept.
///
/// ```
/// use pullback_exec::Session;
/// use pullback_graph::{Builder, DType::F32, Output, Tensor};
/// let b = Builder::new();
/// let count = b.state("count", F32, ());
/// let step = b.input("step", F32, ());
/// let next = count + step;
/// let graph = b.finish([Output::from(("next", next)).updating(count), ("twice", next * 2.0).into()])?;
///
/// let mut session = Session::new(&graph)?;
/// session.set_state("count", Tensor::scalar(1.0_f32))?;
/// session.run([("step", Tensor::scalar(2.0_f32))])?;
/// let out = session.run([("step", Tensor::scalar(3.0_f32))])?;
/// assert_eq!(out["twice"].item(), Some(12.0));
/// assert_eq!(session.state("count").and_then(|count| count.item()), Some(6.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # After a run that failed
/// The session can be used again. Inputs and results are as before. State that the run had not begun to update has its old
/// value. If it had begun to update some, the next run is refused with [`ExecError::Torn`], which names it, until that
/// state is set anew. With [`Options::update_in_place`] off, a run that fails never changes state.
#[derive(Debug)]
pub struct Session {
    graph: Graph,
    options: Options,
    inputs: Vec<Input>,
    by_name: HashMap<Arc<str>, usize>,
    states: Vec<StateCell>,
    /// Which of `plans` has the states in its slots.
    home: Option<usize>,
    plans: Vec<Entry>,
    /// The plan of the last run: most runs use it again.
    current: Option<usize>,
    clock: u64,
    crew: Option<Crew>,
    record: Record,
    report: RunReport,
    output_names: Arc<Names>,
    /// What the present run was fed, by input; kept between runs for its memory.
    given: Vec<Option<Tensor>>,
}

#[derive(Debug)]
struct Input {
    name: Arc<str>,
    /// The index in `states`, if it is state.
    state: Option<usize>,
}

/// A state: state `k` of the session is state `k` of every plan.
#[derive(Debug)]
struct StateCell {
    input: usize,
    name: Arc<str>,
    /// The value, while no plan has it.
    buffer: Option<Buffer>,
    torn: bool,
}

impl Session {
    /// A session with [`Options::default`]: all cores.
    ///
    /// # Errors
    /// See [`Session::with`].
    pub fn new(graph: &Graph) -> Result<Session, ExecError> {
        Session::with(graph, Options::default())
    }

    /// A session with options of one's own.
    ///
    /// # Errors
    /// When the graph cannot be planned. A graph with symbols is planned when they have sizes.
    pub fn with(graph: &Graph, options: Options) -> Result<Session, ExecError> {
        let name_of = |at: usize| graph.label(graph.inputs()[at]).expect("inputs have names").clone();
        let position: HashMap<_, _> = graph.inputs().iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let state_inputs = graph.outputs().iter().filter_map(|output| output.updates.map(|id| position[&id]));
        let states: Vec<StateCell> = state_inputs
            .map(|input| StateCell { input, name: name_of(input), buffer: None, torn: false })
            .collect();
        let mut inputs: Vec<Input> =
            (0..graph.inputs().len()).map(|at| Input { name: name_of(at), state: None }).collect();
        for (at, state) in states.iter().enumerate() {
            inputs[state.input].state = Some(at);
        }
        let mut session = Session {
            by_name: inputs.iter().enumerate().map(|(at, input)| (input.name.clone(), at)).collect(),
            given: vec![None; inputs.len()],
            output_names: Arc::new(Names::of(graph)),
            graph: graph.clone(),
            options,
            inputs,
            states,
            home: None,
            plans: Vec::new(),
            current: None,
            clock: 0,
            crew: None,
            record: Record::off(),
            report: RunReport::default(),
        };
        if graph.symbols().is_empty() {
            session.current = Some(session.entry(&Bindings::new(), false)?);
        }
        Ok(session)
    }

    /// The graph as it was given.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How the session runs.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sets state, or any value of it anew.
    ///
    /// # Errors
    /// When there is no such state, or the type differs.
    pub fn set_state(&mut self, name: &str, value: Tensor) -> Result<(), ExecError> {
        let state = self.by_name.get(name).and_then(|input| self.inputs[*input].state);
        let Some(state) = state else {
            let known = self.states.iter().map(|state| state.name.clone()).collect();
            return Err(ExecError::State { name: name.to_string(), known });
        };
        let input = self.graph.inputs()[self.states[state].input];
        let expected = self.graph.ty(input);
        if *expected != value.ty() {
            let (name, at) = (self.states[state].name.clone(), self.graph.source(input).cloned());
            return Err(FeedError::Type { name, expected: expected.clone(), got: value.ty(), at }.into());
        }
        self.bring_home();
        self.put_state(state, &value);
        Ok(())
    }

    /// A copy of a state's present value; `None` if there is no such state or it was not set.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<Tensor> {
        let state = self.inputs[*self.by_name.get(name)?].state?;
        self.buffer(state).map(Buffer::to_tensor)
    }

    /// Copies of all states that have a value, by name, in the order of the outputs that update them.
    #[must_use]
    pub fn states(&self) -> Vec<(Arc<str>, Tensor)> {
        let value = |at: usize| Some((self.states[at].name.clone(), self.buffer(at)?.to_tensor()));
        (0..self.states.len()).filter_map(value).collect()
    }

    /// What runs from now on write down.
    pub fn record(&mut self, record: Record) {
        self.record = record;
        self.current = None;
    }

    /// How the last run went.
    #[must_use]
    pub fn last_run(&self) -> &RunReport {
        &self.report
    }

    /// The bytes of the buffers that workers keep for their kernels, in all plans: packed operands, tiles, partial sums. They
    /// grow in the first run of a plan, and every worker has the same from then on.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        self.plans.iter().map(|entry| entry.instance.scratch_bytes()).sum()
    }

    /// The plan for these sizes of the graph's symbols, made if there is none yet.
    ///
    /// # Errors
    /// When a size is missing or does not fit, or a constant cannot be evaluated.
    pub fn plan_for(&mut self, bindings: &Bindings) -> Result<&Plan, ExecError> {
        let at = self.entry(bindings, false)?;
        Ok(&self.plans[at].instance.plan)
    }

    /// Runs the graph once.
    ///
    /// Feeds are read where they are; they are not copied, except into state.
    ///
    /// What a run allocates it hands out: the list of results, and memory for those of the last run that are still held
    /// somewhere. [`run_into`](Session::run_into) takes the list back, too, and allocates nothing.
    ///
    /// # Errors
    /// [`ExecError::Feed`] when the feeds do not fit the inputs; then nothing has run. Otherwise what went wrong in a step,
    /// with its node and line: see [the type](Session) for what state is then.
    pub fn run<N: AsRef<str>>(
        &mut self,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
    ) -> Result<Outputs, ExecError> {
        self.run_steps(1, feeds)
    }

    /// Runs the graph once, in place of `outputs`, which are those of an earlier run: their memory is used again, unless
    /// their tensors are held elsewhere too. After an error they are empty.
    ///
    /// ```
    /// use pullback_exec::Session;
    /// use pullback_graph::{Builder, DType::F32, Tensor};
    /// let b = Builder::new();
    /// let x = b.input("x", F32, [2]);
    /// let graph = b.finish([("y", x * 2.0)])?;
    /// let mut session = Session::new(&graph)?;
    /// let feed = |value| [("x", Tensor::full(&[2], value))];
    /// let mut outputs = session.run(feed(1.0_f32))?;
    /// session.run_into(feed(3.0_f32), &mut outputs)?;
    /// assert_eq!(outputs["y"].values::<f32>(), [6.0, 6.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Session::run).
    pub fn run_into<N: AsRef<str>>(
        &mut self,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
        outputs: &mut Outputs,
    ) -> Result<(), ExecError> {
        self.run_watched(feeds, None, 1, outputs)
    }

    /// Runs the graph `steps` times over the same feeds, state going from each run to the next, and gives the results of
    /// the last: what a training loop over one batch would do, without leaving the session in between.
    ///
    /// # Errors
    /// As [`run`](Session::run), at the first run that fails.
    ///
    /// # Panics
    /// When `steps` is 0.
    pub fn run_steps<N: AsRef<str>>(
        &mut self,
        steps: usize,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
    ) -> Result<Outputs, ExecError> {
        assert!(steps > 0, "there is no result of no runs");
        let mut outputs = Outputs::of(self.output_names.clone());
        self.run_watched(feeds, None, steps, &mut outputs)?;
        Ok(outputs)
    }

    /// Runs the graph once, unless `token` stops it.
    ///
    /// # Errors
    /// As [`run`](Session::run), and [`ExecError::Cancelled`] or [`ExecError::Deadline`].
    pub fn run_until<N: AsRef<str>>(
        &mut self,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
        token: &CancelToken,
    ) -> Result<Outputs, ExecError> {
        let mut outputs = Outputs::of(self.output_names.clone());
        self.run_watched(feeds, Some(token.clone()), 1, &mut outputs)?;
        Ok(outputs)
    }

    fn run_watched<N: AsRef<str>>(
        &mut self,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
        cancel: Option<CancelToken>,
        times: usize,
        outputs: &mut Outputs,
    ) -> Result<(), ExecError> {
        outputs.clear();
        let ended = self.take_feeds(feeds).and_then(|()| self.run_given(cancel, times, outputs));
        // What was not used is not kept either.
        self.given.fill(None);
        ended
    }

    fn take_feeds<N: AsRef<str>>(
        &mut self,
        feeds: impl IntoIterator<Item = (N, Tensor)>,
    ) -> Result<(), ExecError> {
        for (name, tensor) in feeds {
            let Some(input) = self.by_name.get(name.as_ref()).copied() else {
                let known = self.inputs.iter().map(|input| input.name.clone()).collect();
                return Err(FeedError::Unknown { name: name.as_ref().to_string(), known }.into());
            };
            if self.given[input].replace(tensor).is_some() {
                return Err(FeedError::Twice { name: self.inputs[input].name.clone() }.into());
            }
        }
        Ok(())
    }

    fn run_given(
        &mut self,
        cancel: Option<CancelToken>,
        times: usize,
        outputs: &mut Outputs,
    ) -> Result<(), ExecError> {
        let at = match self.current {
            Some(at) if self.fits(at) => at,
            _ => {
                let bindings = self.solve()?;
                self.entry(&bindings, self.record.stats)?
            }
        };
        self.current = Some(at);
        self.take_in_states()?;
        if self.plans[at].instance.wants_crew() && self.crew.is_none() {
            let Options { pool, linger, .. } = &self.options;
            self.crew = Some(Crew::new(self.options.worker_count(), pool.clone(), *linger)?);
        }
        self.run_plan(at, cancel, times, outputs)
    }

    /// Whether the feeds are those that plan `at` was made for; if not, [`solve`](Session::solve) tells what is wrong.
    fn fits(&self, at: usize) -> bool {
        self.inputs.iter().zip(&self.given).zip(&self.plans[at].inputs).all(
            |((input, given), (dtype, sizes))| match (given, input.state) {
                (Some(tensor), _) => tensor.dtype() == *dtype && tensor.sizes() == &**sizes,
                (None, Some(state)) => self.buffer(state).is_some(),
                (None, None) => false,
            },
        )
    }

    /// The sizes of the symbols, by the feeds.
    fn solve(&self) -> Result<Bindings, ExecError> {
        let kept = |input: &Input| {
            let buffer = self.buffer(input.state?)?;
            Some(TensorType::new(buffer.dtype(), buffer.sizes()))
        };
        let types = self.inputs.iter().zip(&self.given).filter_map(|(input, given)| {
            let ty = given.as_ref().map(Tensor::ty).or_else(|| kept(input))?;
            Some((&*input.name, ty))
        });
        Ok(self.graph.solve_types(types)?)
    }

    /// The plan for `bindings`, made if there is none.
    fn entry(&mut self, bindings: &Bindings, recording: bool) -> Result<usize, ExecError> {
        let known = |entry: &Entry| entry.recording == recording && entry.bindings == *bindings;
        if let Some(at) = self.plans.iter().position(known) {
            return Ok(at);
        }
        let passes = self.options.passes && !recording;
        let plan = compile_with(&self.graph, bindings, passes, &self.options.plan_options(recording))?;
        let entry = Entry::new(&self.graph, plan, bindings.clone(), recording, self.options.worker_count());
        if self.plans.len() < self.options.plans_kept.max(1) {
            self.plans.push(entry);
            return Ok(self.plans.len() - 1);
        }
        // The plan that was not used for longest makes room.
        self.bring_home();
        let oldest =
            (0..self.plans.len()).min_by_key(|at| self.plans[*at].used).expect("at least one plan is kept");
        self.plans[oldest] = entry;
        self.current = None;
        Ok(oldest)
    }

    /// State that was fed takes its value; then all state must have one that can be trusted.
    fn take_in_states(&mut self) -> Result<(), ExecError> {
        for state in 0..self.states.len() {
            if let Some(tensor) = self.given[self.states[state].input].take() {
                self.bring_home();
                self.put_state(state, &tensor);
            }
        }
        let torn = self.states.iter().filter(|state| state.torn).map(|state| state.name.clone());
        let states: Vec<Arc<str>> = torn.collect();
        if states.is_empty() { Ok(()) } else { Err(ExecError::Torn { states }) }
    }

    fn run_plan(
        &mut self,
        at: usize,
        cancel: Option<CancelToken>,
        times: usize,
        outputs: &mut Outputs,
    ) -> Result<(), ExecError> {
        if self.home != Some(at) {
            self.bring_home();
            self.home = Some(at);
            let instance = self.plans[at].instance_mut();
            for (slot, state) in self.states.iter_mut().enumerate() {
                let buffer = state.buffer.take().expect("all state has a value");
                instance.slots.put_state(SlotId::new(slot), buffer);
            }
        }
        self.clock += 1;
        let entry = &mut self.plans[at];
        entry.used = self.clock;
        entry.lend(&mut self.given);
        entry.instance_mut().prepare(self.record, self.options.check_finite, cancel);
        let inputs = self.record.stats.then(|| entry.stats_of_inputs());

        let start = Instant::now();
        let mut ended = entry.instance.run(self.crew.as_ref());
        for _ in 1..times {
            if ended.is_err() {
                break;
            }
            entry.carry_over();
            ended = entry.instance.run(self.crew.as_ref());
        }
        let wall = start.elapsed();

        let crew = self.crew.as_ref().filter(|_| entry.instance.wants_crew());
        let trace = entry.instance.trace();
        self.report = RunReport {
            wall,
            steps: entry.instance.plan.steps().len(),
            threads: crew.map_or(1, Crew::workers),
            stats: inputs.map(|inputs| entry.stats_of_nodes(&inputs, trace.as_ref())),
            trace,
        };
        if ended.is_ok() {
            outputs.fill(&self.output_names, entry.results());
            entry.carry_over();
        } else {
            for state in entry.instance.touched() {
                self.states[state].torn = true;
            }
        }
        entry.instance_mut().slots.forget_feeds();
        ended
    }

    fn put_state(&mut self, state: usize, value: &Tensor) {
        self.plans.iter_mut().for_each(|plan| plan.instance_mut().hold(false));
        let cell = &mut self.states[state];
        cell.torn = false;
        match &mut cell.buffer {
            Some(buffer) => buffer.copy_from(value),
            None => cell.buffer = Some(Buffer::of(value)),
        }
    }

    fn buffer(&self, state: usize) -> Option<&Buffer> {
        match self.home {
            Some(home) => self.plans[home].instance.slots.state(SlotId::new(state)),
            None => self.states[state].buffer.as_ref(),
        }
    }

    /// Takes the states out of the plan that ran last.
    fn bring_home(&mut self) {
        let Some(home) = self.home.take() else { return };
        let instance = self.plans[home].instance_mut();
        for (slot, state) in self.states.iter_mut().enumerate() {
            state.buffer = instance.slots.take_state(SlotId::new(slot));
        }
        // State that one plan leaves alone another might change.
        if instance.plan.states().iter().any(|state| state.update != Update::Keep) {
            let others = self.plans.iter_mut().enumerate().filter(|(at, _)| *at != home);
            others.for_each(|(_, plan)| plan.instance_mut().hold(false));
        }
    }
}
