"""The flags of what is trained, on what and how, for every binary that trains an ensemble."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from absl import flags

from leakjax import _validate, data, shadow
from leakjax.data import registry as data_sets
from leakjax.models import registry as networks
from leakjax.shadow.config import PRECISIONS, SCHEDULES

TRAINING = tuple(field.name for field in dataclasses.fields(shadow.TrainConfig))


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    flags.DEFINE_string("dataset", "digits", choices("A data set.", data_sets.describe()))
    flags.DEFINE_string("data_dir", None, "Where data sets are prepared once. Default: ~/.cache/leakjax.")
    flags.DEFINE_string(
        "source_dir", None, "A folder with the original files of the data set, if not downloaded."
    )
    flags.DEFINE_integer(
        "points", None, "Points of the training pool, an option of every data set. Default: all."
    )
    flags.DEFINE_integer("features", None, "Features of --dataset=synthetic.")
    flags.DEFINE_integer("classes", None, "Classes of --dataset=synthetic.")
    flags.DEFINE_integer("data_seed", None, "Seed of --dataset=synthetic.")
    flags.DEFINE_string(
        "label", None, "Column to be predicted, of --dataset=csv:PATH and parquet:PATH, and of adult: income."
    )
    flags.DEFINE_string("model", "mlp", choices("A network.", networks.describe()))
    flags.DEFINE_integer("epochs", 35, "Epochs of training.")
    flags.DEFINE_integer("batch_size", 32, "Points of a training step.")
    flags.DEFINE_float("learning_rate", 3e-3, "Of the optimiser, at the start.")
    flags.DEFINE_string("optimizer", "adam", f"One of {', '.join(shadow.OPTIMIZERS)}.")
    flags.DEFINE_float("momentum", 0.0, "Of sgd and rmsprop.")
    flags.DEFINE_float("weight_decay", 0.0, "Coefficient of the L2 penalty.")
    flags.DEFINE_string("schedule", "constant", f"Of the learning rate: one of {', '.join(SCHEDULES)}.")
    flags.DEFINE_float("label_smoothing", 0.0, "Share of a label that is spread over all classes.")
    flags.DEFINE_bool("flip", False, "Mirror every other image of a batch.")
    flags.DEFINE_integer("shift", 0, "Move each image of a batch by up to so many pixels.")
    flags.DEFINE_list("stop_at_gap", [], "Generalisation gaps at which a model is kept; it ends at the last.")
    flags.DEFINE_string("precision", "float32", f"Of the network's arithmetic: {', '.join(PRECISIONS)}.")
    flags.DEFINE_float("noise_multiplier", 0.0, "Of private training: noise as a multiple of --clip_norm.")
    flags.DEFINE_float("clip_norm", 1.0, "To which each point's gradient is clipped in private training.")
    flags.DEFINE_float("delta", 1e-5, "At which the epsilon of private training is told.")
    flags.DEFINE_integer("seed", 0, "Of all randomness.")


def define_ensemble() -> None:
    """Defines where models that were trained before are read."""
    flags.DEFINE_string(
        "ensemble",
        None,
        "A workdir of experiments.train_shadows: its first --models models, trained on these points, in place of "
        "training; flags of training have no say.",
    )
    flags.DEFINE_float("gap", None, "Of --ensemble: take the models at this gap, one of its --stop_at_gap.")


def check_gap(gap: float | None, ensemble: str | None) -> None:
    """Raises UsageError where models at a gap are wanted that nobody trained before."""
    if gap is not None and ensemble is None:
        raise _validate.fail("gap", gap, "is of an --ensemble, which must be named")


def read_training(values: Any) -> shadow.TrainConfig:
    """How every model is trained.

    Args:
      values: has an attribute for each field of `TrainConfig`: the flags, or a config made of them.

    Raises:
      UsageError: a value is not allowed.
    """
    given = {name: getattr(values, name) for name in TRAINING}
    given["stop_at_gap"] = numbers("stop_at_gap", given["stop_at_gap"], float)
    return shadow.TrainConfig(**given)


def load_data(values: Any, places: Any) -> data.Points:
    """The points.

    Args:
      values: the flags, or a config made of them: dataset and its options.
      places: likewise: data_dir and source_dir.
    """
    return data.load(
        values.dataset,
        data_dir=places.data_dir,
        source_dir=places.source_dir,
        points=values.points,
        features=values.features,
        classes=values.classes,
        seed=values.data_seed,
        label=values.label,
    )


def choices(text: str, listed: Sequence[str]) -> str:
    """What a flag is for, with the names and options that it takes."""
    own = "package.module:name(...), a factory of yours"
    return "\n".join([text, "Choices, with their options:", *(f"  {one}" for one in [*listed, own])])


def numbers(name: str, texts: Sequence[Any], kind: type) -> tuple[Any, ...]:
    """The numbers of a list flag.

    Raises:
      UsageError: one of them is none.
    """
    what = "whole numbers" if kind is int else "numbers"
    found = []
    for text in texts:
        try:
            found.append(kind(text))
        except ValueError:
            raise _validate.fail(name, text, f"must be {what}, separated by commas") from None
    return tuple(found)
