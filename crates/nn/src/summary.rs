//! A network's layers, the types of their results and the sizes of their parameters, before anything runs.

use std::fmt;
use std::sync::Arc;

use pullback_graph::{Builder, TensorType};

use crate::context::{Context, Mode};
use crate::error::NnError;
use crate::module::Module;
use crate::spec::ParameterSpec;

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// The path of the layer, such as `encoder/dense_1`.
    pub path: Arc<str>,
    /// How many layers stand around it, itself included: 1 for those of the network itself.
    pub depth: usize,
    /// The type of its result; `None` if the layer never returned.
    pub output: Option<TensorType>,
    /// The number of elements of the parameters made in it and in the layers inside it. Those found again in a shared
    /// box count where they were made.
    pub parameters: usize,
}

/// The layers of a network for one type of input, in the order in which they are applied. `Display` prints a table.
///
/// ```
/// use pullback_graph::{DType::F32, TensorType, sym};
/// use pullback_nn::{Activation, Dense, Sequential, Summary};
/// let mlp = Sequential::new([Dense::new(64).activation(Activation::Relu).into(), Dense::new(10).into()]);
/// let summary = Summary::of(&mlp, &TensorType::new(F32, [sym("batch"), 784.into()]))?;
/// assert_eq!(summary.parameter_count(), 784 * 64 + 64 + 64 * 10 + 10);
/// assert!(summary.to_string().contains("dense_1  f32[batch, 10]"));
/// # Ok::<(), pullback_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The type of the input.
    pub input: TensorType,
    /// The type of the result.
    pub output: TensorType,
    /// The layers.
    pub rows: Vec<LayerRow>,
    /// The parameters, in order.
    pub parameters: Vec<ParameterSpec>,
}

impl Summary {
    /// Builds the network on the side and lists what it is made of.
    ///
    /// # Errors
    /// As [`Module::output_type`].
    pub fn of<M: Module + ?Sized>(module: &M, input: &TensorType) -> Result<Summary, NnError> {
        module.output_type(input)?;
        let builder = Builder::new();
        let cx = Context::for_input(&builder, Mode::Evaluation, input);
        let x = builder.input("input", input.dtype, &input.shape);
        let output = module.forward(&cx, x).ty();
        Ok(Summary { input: input.clone(), output, rows: cx.rows(), parameters: cx.parameters() })
    }

    /// The number of elements of all parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(ParameterSpec::count).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![["layer".to_string(), "output".into(), "parameters".into()]];
        lines.push(["input".into(), self.input.to_string(), String::new()]);
        for row in &self.rows {
            let name = row.path.rsplit('/').next().unwrap_or_default();
            let indented = format!("{}{name}", "  ".repeat(row.depth.saturating_sub(1)));
            let output = row.output.as_ref().map(ToString::to_string).unwrap_or_default();
            lines.push([indented, output, row.parameters.to_string()]);
        }
        lines.push(["total".into(), self.output.to_string(), self.parameter_count().to_string()]);
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [name, output, parameters] in &lines {
            writeln!(f, "{name:<0$}  {output:<1$}  {parameters:>2$}", widths[0], widths[1], widths[2])?;
        }
        Ok(())
    }
}
