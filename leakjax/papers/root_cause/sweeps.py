"""The sweeps: each varies one property and leaves all else as it is."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from leakjax.shadow import TrainConfig

NONE, PREDICTED = "none", "predicted"


@dataclasses.dataclass(frozen=True)
class World:
    """What is trained.

    Attributes:
      dataset: a data set as `leakjax.data.load` reads it.
      model: a network as `leakjax.models.make` reads it.
      training: of every model.
    """

    dataset: str
    model: str
    training: TrainConfig


class Case(NamedTuple):
    """One setting of a sweep.

    Attributes:
      sweep: the property that is varied.
      setting: its value, in words.
      place: in the sweep, from 0.
      world: what is trained.
      explainer: text.
      defense: text.
      explained_class: "predicted" or "true".
    """

    sweep: str
    setting: str
    place: int
    world: World
    explainer: str = "gradient"
    defense: str = NONE
    explained_class: str = PREDICTED

    @property
    def named(self) -> dict[str, Any]:
        """What a row says of the sweep that it stands in."""
        return {"sweep": self.sweep, "setting": self.setting, "place": self.place, "model": self.world.model}


def sweeps(base: World, shape: tuple[int, ...], *, points: int, quick: bool) -> list[Case]:
    """All settings; those of one world stand together.

    Args:
      base: from which one property at a time departs.
      shape: of one example of the base's data set.
      points: of a synthetic data set, where the number of classes or of features is varied.
      quick: whether fewer settings of each sweep are taken.
    """
    found = [*of_explanations(base, shape, quick), *of_models(base, quick), *of_data(base, points, quick)]
    order = list(dict.fromkeys(case.world for case in found))
    return sorted(found, key=lambda case: order.index(case.world))


def of_explanations(base: World, shape: tuple[int, ...], quick: bool) -> list[Case]:
    """Sweeps that leave the models as they are."""
    size = math.prod(shape)
    shares = (1.0, 0.25, 0.05) if quick else (1.0, 0.5, 0.25, 0.1, 0.05, 0.02)
    tops = [(f"top {100 * share:g} %", max(1, round(share * size))) for share in shares]
    sigmas = (0.05, 0.15, 0.45) if quick else (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
    samples = (2, 10, 50) if quick else (2, 5, 10, 20, 50, 100)
    steps = (1, 5, 50) if quick else (1, 2, 5, 10, 20, 50, 100)
    baselines = (0.0, 0.5, 1.0)
    outputs = ("logit", "probability", "log_probability", "loss")
    methods = (
        "gradient",
        "input_x_gradient",
        "integrated_gradients(steps=20)",
        "guided_backprop",
        "lrp",
        "deeplift",
    )
    cases = {
        "sparsity": [(name, "gradient", NONE if k == size else f"keep_top_k({k})") for name, k in tops],
        "sensitivity": [
            ("not smoothed", "gradient", NONE),
            *((f"sigma {sigma:g}", f"smoothgrad(samples=20, sigma={sigma})", NONE) for sigma in sigmas),
        ],
        "samples": [(f"{count}", f"smoothgrad(samples={count})", NONE) for count in samples],
        "steps": [(f"{count}", f"integrated_gradients(steps={count})", NONE) for count in steps],
        "baseline": [
            (f"{value:g}", f"integrated_gradients(steps=20, baseline={value})", NONE) for value in baselines
        ],
        "output": [(output, f"gradient(output='{output}')", NONE) for output in outputs],
        "method": [(method.partition("(")[0], method, NONE) for method in methods],
    }
    found = [
        Case(sweep, setting, place, base, explainer, defense)
        for sweep, settings in cases.items()
        for place, (setting, explainer, defense) in enumerate(settings)
    ]
    return [
        *found,
        Case("explained class", "predicted", 0, base),
        Case("explained class", "true", 1, base, explained_class="true"),
    ]


def of_models(base: World, quick: bool) -> list[Case]:
    """Sweeps that train other models on the same data."""
    epochs = base.training.epochs
    lengths = [
        max(1, round(epochs * share))
        for share in ((0.1, 0.3, 1.0) if quick else (0.05, 0.1, 0.25, 0.5, 1, 2))
    ]
    widths = (16, 128, 512) if quick else (8, 32, 128, 512, 2048)
    activations = ("tanh", "sigmoid", "relu")
    noises = (0.0, 0.5, 2.0) if quick else (0.0, 0.3, 0.5, 1.0, 2.0, 4.0)
    trained = lambda **changes: dataclasses.replace(
        base, training=dataclasses.replace(base.training, **changes)
    )
    network = lambda model: dataclasses.replace(base, model=model)
    return [
        *_sweep(
            "overfitting", [(f"{count} epochs", trained(epochs=count)) for count in dict.fromkeys(lengths)]
        ),
        *_sweep("width", [(f"{width} units", network(f"mlp(widths=({width},))")) for width in widths]),
        *_sweep("activation", [(name, network(f"mlp(activation='{name}')")) for name in activations]),
        *_sweep("privacy", [(_said(noise), trained(noise_multiplier=noise)) for noise in noises]),
    ]


def of_data(base: World, points: int, quick: bool) -> list[Case]:
    """Sweeps over synthetic data: Gaussian clusters at the vertices of a hypercube."""
    classes = (2, 10, 50) if quick else (2, 5, 10, 20, 50, 100)
    features = (10, 50, 200) if quick else (8, 20, 50, 100, 200, 600)

    def made(features: int, classes: int) -> World:
        text = f"synthetic(points={points}, features={features}, classes={classes})"
        return dataclasses.replace(base, dataset=text)

    return [
        *_sweep("classes", [(f"{count} classes", made(50, count)) for count in classes]),
        *_sweep("features", [(f"{count} features", made(count, 2)) for count in features]),
    ]


def _said(noise: float) -> str:
    return f"noise {noise:g}" if noise else "not private"


def _sweep(name: str, settings: Sequence[tuple[str, World]]) -> list[Case]:
    return [Case(name, setting, place, world) for place, (setting, world) in enumerate(settings)]
