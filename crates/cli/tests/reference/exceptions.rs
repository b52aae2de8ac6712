//! What is not judged as the rest is, and why.

const NO_OPERATION: &str = "not an operation on tensors";

/// Operations, or single cases, without an answer.
pub(crate) const SKIPPED: &[(&str, &str)] = &[
    ("metric:accuracy", NO_OPERATION),
    ("metric:average_precision", NO_OPERATION),
    ("metric:balanced_accuracy", NO_OPERATION),
    ("metric:brier", NO_OPERATION),
    ("metric:cohen_kappa", NO_OPERATION),
    ("metric:confusion_matrix", NO_OPERATION),
    ("metric:explained_variance", NO_OPERATION),
    ("metric:f1", NO_OPERATION),
    ("metric:log_loss", NO_OPERATION),
    ("metric:mae", NO_OPERATION),
    ("metric:matthews_corrcoef", NO_OPERATION),
    ("metric:max_error", NO_OPERATION),
    ("metric:mse", NO_OPERATION),
    ("metric:precision", NO_OPERATION),
    ("metric:r2", NO_OPERATION),
    ("metric:recall", NO_OPERATION),
    ("metric:rmse", NO_OPERATION),
    ("metric:roc_auc", NO_OPERATION),
    ("metric:top_k_accuracy", NO_OPERATION),
    ("optimizer", NO_OPERATION),
    ("clip_grad_norm", NO_OPERATION),
    ("lr_schedule", NO_OPERATION),
    ("train_mlp", NO_OPERATION),
];

/// Cases whose expected values are not of double precision: they are judged as if the answers were single.
pub(crate) const INEXACT: &[(&str, &str)] = &[
    ("hard_sigmoid/scalar", "the slope 1/6 was rounded to single precision"),
    ("hard_sigmoid/vec", "the slope 1/6 was rounded to single precision"),
];
