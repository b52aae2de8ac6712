//! Statistics of values: what a run records per node, and dumps show beside it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dispatch;
use crate::dtype::Element;
use crate::dump::units;
use crate::id::NodeId;
use crate::interpret::Values;
use crate::tensor::Tensor;

/// Statistics of one value. Numbers that are not finite are counted, and left out of mean, deviation and norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStats {
    /// The number of elements.
    pub count: u64,
    /// The smallest element that is not NaN; NaN if there is none.
    #[serde(with = "float")]
    pub min: f64,
    /// The largest element that is not NaN; NaN if there is none.
    #[serde(with = "float")]
    pub max: f64,
    /// The mean of the finite elements; NaN if there is none.
    #[serde(with = "float")]
    pub mean: f64,
    /// The standard deviation of the finite elements (divided by their number); NaN if there is none.
    #[serde(with = "float")]
    pub std: f64,
    /// The square root of the sum of the squares of the finite elements.
    #[serde(with = "float")]
    pub norm: f64,
    /// Which share of the elements is zero; 0 if there is none.
    #[serde(with = "float")]
    pub zeros: f64,
    /// How many elements are NaN.
    pub nan: u64,
    /// How many elements are infinite.
    pub inf: u64,
    /// The size in memory.
    #[serde(default)]
    pub bytes: u64,
    /// How long it took to compute, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nanos: Option<u64>,
}

impl NodeStats {
    /// The statistics of a tensor.
    #[must_use]
    pub fn of(tensor: &Tensor) -> Self {
        let stats = dispatch!(tensor.dtype(), T => {
            NodeStats::of_values(tensor.values::<T>().iter().map(|value| value.to_f64()))
        });
        NodeStats { bytes: (tensor.len() * tensor.dtype().bytes()) as u64, ..stats }
    }

    /// The statistics of a stream of values, in one pass; `bytes` is left at 0.
    ///
    /// Each block of values is centred on its own mean, and blocks are merged by Chan's formula: neither a large mean
    /// nor many values cost precision.
    pub fn of_values(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sums = Sums::default();
        let mut block = Block { values: [0.0; Block::SIZE], len: 0 };
        for value in values {
            sums.see(value);
            if value.is_finite() {
                block.values[block.len] = value;
                block.len += 1;
            }
            if block.len == Block::SIZE {
                sums.merge(&mut block);
            }
        }
        sums.merge(&mut block);
        sums.finish()
    }
}

impl fmt::Display for NodeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mean, std, min, max, norm] =
            [self.mean, self.std, self.min, self.max, self.norm].map(units::short);
        match self.count {
            0 => f.write_str("empty")?,
            1 => write!(f, "{min}")?,
            _ => write!(f, "mean {mean} ± {std}, {min} .. {max}, norm {norm}")?,
        }
        if self.zeros > 0.0 && self.count > 1 {
            write!(f, ", zeros {}", units::percent(self.zeros))?;
        }
        for (count, name) in [(self.nan, "NaN"), (self.inf, "inf")] {
            if count > 0 {
                write!(f, ", {} {name}", units::grouped(count))?;
            }
        }
        match self.nanos {
            Some(nanos) => write!(f, ", {}", units::nanos(nanos)),
            None => Ok(()),
        }
    }
}

/// Finite values on their way into [`Sums`].
struct Block {
    values: [f64; Block::SIZE],
    len: usize,
}

impl Block {
    const SIZE: usize = 256;
}

/// What has been seen so far.
struct Sums {
    count: u64,
    zeros: u64,
    nan: u64,
    inf: u64,
    min: f64,
    max: f64,
    /// Of the finite values: their number, their mean, and the sum of squared distances from it.
    finite: f64,
    mean: f64,
    spread: f64,
}

impl Default for Sums {
    fn default() -> Self {
        let (min, max) = (f64::NAN, f64::NAN);
        Sums { count: 0, zeros: 0, nan: 0, inf: 0, min, max, finite: 0.0, mean: 0.0, spread: 0.0 }
    }
}

impl Sums {
    fn see(&mut self, value: f64) {
        self.count += 1;
        self.zeros += u64::from(value == 0.0);
        self.nan += u64::from(value.is_nan());
        self.inf += u64::from(value.is_infinite());
        // `min` and `max` of f64 pass over NaN.
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn merge(&mut self, block: &mut Block) {
        let values = &block.values[..block.len];
        if values.is_empty() {
            return;
        }
        let count = values.len() as f64;
        // Relative to one of them, so that equal values have no deviation; the difference of huge ones overflows.
        let shifted = values[0] + values.iter().map(|value| (value - values[0]) / count).sum::<f64>();
        let mean = if shifted.is_finite() { shifted } else { values.iter().map(|value| value / count).sum() };
        let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let (total, distance) = (self.finite + count, mean - self.mean);
        self.mean += distance * (count / total);
        self.spread += spread + distance.powi(2) * (self.finite * count / total);
        self.finite = total;
        block.len = 0;
    }

    fn finish(self) -> NodeStats {
        let some = self.finite > 0.0;
        NodeStats {
            count: self.count,
            min: self.min,
            max: self.max,
            mean: if some { self.mean } else { f64::NAN },
            std: if some { (self.spread / self.finite).sqrt() } else { f64::NAN },
            norm: (self.spread + self.finite * self.mean.powi(2)).sqrt(),
            zeros: if self.count == 0 { 0.0 } else { self.zeros as f64 / self.count as f64 },
            nan: self.nan,
            inf: self.inf,
            bytes: 0,
            nanos: None,
        }
    }
}

/// Statistics of the nodes of one run. Nodes whose values never existed in memory have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunStats {
    nodes: BTreeMap<NodeId, NodeStats>,
}

impl RunStats {
    /// No statistics.
    #[must_use]
    pub fn new() -> Self {
        RunStats::default()
    }

    /// The statistics of every node of an interpreted graph.
    #[must_use]
    pub fn of_values(values: &Values) -> Self {
        values.graph().ids().map(|id| (id, NodeStats::of(values.node(id)))).collect()
    }

    /// Sets those of a node.
    pub fn insert(&mut self, id: NodeId, stats: NodeStats) {
        self.nodes.insert(id, stats);
    }

    /// Those of a node, if it has any.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&NodeStats> {
        self.nodes.get(&id)
    }

    /// All of them, by node.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, &NodeStats)> {
        self.nodes.iter().map(|(id, stats)| (*id, stats))
    }

    /// How many nodes have statistics.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl FromIterator<(NodeId, NodeStats)> for RunStats {
    fn from_iter<I: IntoIterator<Item = (NodeId, NodeStats)>>(entries: I) -> Self {
        RunStats { nodes: entries.into_iter().collect() }
    }
}

/// Serde form of doubles: a number, or a string for those that JSON has no numbers for.
mod float {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(value),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_two_pass_formula() {
        let values: Vec<f64> = (0..1000).map(|i| 1e8 + f64::from(i % 7)).collect();
        let mean = values.iter().sum::<f64>() / 1000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1000.0;
        let stats = NodeStats::of_values(values);
        assert!((stats.mean - mean).abs() < 1e-7, "{stats:?}");
        assert!((stats.std - variance.sqrt()).abs() < 1e-9, "{stats:?}");
        assert_eq!((stats.min, stats.max, stats.count), (1e8, 1e8 + 6.0, 1000));
    }

    #[test]
    fn what_is_not_finite_is_counted_and_left_out() {
        let stats = NodeStats::of_values([f64::NAN, 3.0, f64::INFINITY, -4.0, 0.0]);
        assert_eq!((stats.nan, stats.inf, stats.zeros), (1, 1, 0.2));
        assert_eq!((stats.min, stats.max), (-4.0, f64::INFINITY));
        assert!((stats.norm - 5.0).abs() < 1e-12 && (stats.mean + 1.0 / 3.0).abs() < 1e-12, "{stats:?}");
        assert_eq!(stats.to_string(), "mean -0.3333 ± 2.867, -4 .. inf, norm 5, zeros 20 %, 1 NaN, 1 inf");
    }

    #[test]
    fn equal_values_have_no_deviation_and_huge_ones_a_mean() {
        let stats = NodeStats::of_values([0.1; 1000]);
        assert_eq!((stats.mean, stats.std), (0.1, 0.0));
        assert_eq!(NodeStats::of_values([f64::MAX, -f64::MAX, f64::MAX, f64::MAX]).mean, f64::MAX / 2.0);
    }

    #[test]
    fn nothing_and_nan_alone_have_no_moments() {
        for (values, text) in [(vec![], "empty"), (vec![f64::NAN], "NaN, 1 NaN")] {
            let stats = NodeStats::of_values(values);
            assert!(stats.mean.is_nan() && stats.min.is_nan() && stats.norm == 0.0);
            assert_eq!(stats.to_string(), text);
        }
    }

    #[test]
    fn tensors_know_their_bytes() {
        let stats = NodeStats::of(&Tensor::of([3], [true, false, true]));
        assert_eq!((stats.bytes, stats.mean > 0.6, stats.count), (3, true, 3));
        assert_eq!(NodeStats::of(&Tensor::zeros([2, 2])).bytes, 16);
    }

    #[test]
    fn json_holds_every_double() {
        let stats = NodeStats::of_values([f64::NEG_INFINITY, f64::NAN]);
        let stats = NodeStats { nanos: Some(12), std: 0.1 + 0.2, ..stats };
        let text = serde_json::to_string(&stats).unwrap();
        assert!(text.contains(r#""min":"-inf""#) && text.contains(r#""mean":"NaN""#), "{text}");
        let back: NodeStats = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert_eq!(back.std.to_bits(), stats.std.to_bits());
    }
}
