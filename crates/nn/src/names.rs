//! The names that inputs and outputs of steps have, beside those of parameters.

/// The input of a network, in graphs made from a module.
pub const INPUT: &str = "input";

/// What the network should answer, in graphs made from a module.
pub const TARGET: &str = "target";

/// The output that holds the loss, penalties included.
pub const LOSS: &str = "loss";

/// The output that holds the network's answer.
pub const PREDICTION: &str = "prediction";

/// The state input that holds the learning rate, a scalar of type f64. A step leaves it as it is: a schedule may set it
/// between steps.
pub const LEARNING_RATE: &str = "optimizer/learning_rate";

/// The state input that counts the steps taken, a scalar of type i64.
pub const STEP: &str = "optimizer/step";

/// The state input that holds the key of random numbers, a scalar of type i64, where a layer draws some.
pub const RANDOM_KEY: &str = "random_key";
