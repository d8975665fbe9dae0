"""What an audit may be told beside its main arguments: who attacks, with what means, and how it is run."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from leakjax import _validate
from leakjax._workdir import Workdir
from leakjax.auditing.subject import LEAST_POINTS
from leakjax.evaluate.document import ExplainedClass, PrivateTraining
from leakjax.oracle import release

EXPLAINED_CLASSES = release.EXPLAINED_CLASSES


@dataclasses.dataclass(frozen=True)
class Attacker:
    """What the attacker knows and is shown.

    Attributes:
      label_known: whether the attacker knows the true class.
      explained_class: "predicted": each model explains the class that it predicts; "true": the true one; "asked":
        the attacker asks for all classes, each a query, and gets a map of each; "reference": the vote of all other
        models.
      releases: what is shown of a prediction, each for a service of its own, as `leakjax.oracle.prediction_part`
        reads it; the first one leads.
      neighbours: how many predictions near each point an attacker without explanations may ask for too: the point
        scaled by 0.8, 1.25, 0.5 and 2, then Gaussian steps; the report says how many an explanation is worth.
      neighbour_step: standard deviation of a Gaussian step in every feature.
      explained_by: variables of the models that answer explanations where these are not the attacked ones, leaves
        [models, ...]: one in the place of each, asked for the class that the attacked one names.
    """

    label_known: bool = True
    explained_class: ExplainedClass = "predicted"
    releases: tuple[str, ...] = release.DEFAULT
    neighbours: int = 0
    neighbour_step: float = 0.1
    explained_by: Any = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.releases, str) or not isinstance(self.releases, Sequence):
            raise _validate.fail("releases", self.releases, f"must be a tuple, as ({self.releases!r},)")
        if not self.releases:
            raise _validate.fail("releases", self.releases, "must name at least one")
        for text in self.releases:
            if not isinstance(text, str):
                raise _validate.fail("releases", text, f"must be one of {', '.join(release.PREDICTIONS)}")
        if not isinstance(self.label_known, bool):
            raise _validate.fail("label_known", self.label_known, "must be True or False")
        names = tuple(release.prediction_part(text).name for text in self.releases)
        object.__setattr__(self, "releases", tuple(dict.fromkeys(names)))
        _validate.one_of("explained_class", self.explained_class, EXPLAINED_CLASSES)
        if not isinstance(self.neighbours, int):
            raise _validate.fail("neighbours", self.neighbours, "must be a whole number")
        _validate.at_least("neighbours", self.neighbours, 0)
        _validate.positive("neighbour_step", self.neighbour_step)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What the audit may use beside the trained models and the audited points.

    Attributes:
      costly_points: costly explainers, of more than 10 runs of the model, are audited on so many of the points;
        None: on all.
      background: [rows, ...], points that are not audited, for the explainers that need some.
      untrained: variables of as many models that saw no data, leaves [models, ...], for a control; when None the
        trained weights, shuffled within each array, stand in for them.
      model_counts: with so many of the models, at least 8, the first explainer is audited once more each, so that the
        report says whether more shadows would find more.
    """

    costly_points: int | None = None
    background: np.ndarray | None = None
    untrained: Any = None
    model_counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.costly_points is not None:
            _validate.whole("costly_points", self.costly_points)
            _validate.at_least("costly_points", self.costly_points, LEAST_POINTS)


@dataclasses.dataclass(frozen=True)
class Run:
    """How the audit is run and reported; none of it changes a number of the main tables.

    Attributes:
      group: name of a column in `points.groups` by which leakage is broken down as well.
      config: what the report records as its configuration; when None, every setting of the call.
      store: a folder that keeps finished stages, so that an interrupted audit goes on from them; one process uses
        it at a time.
      say: called with a line when a stage begins.
      private: what private training guarantees of the models, to stand in the report.
      show_records: whether the examples of the report are points, which the first target was not trained on; else they
        are typical inputs, means of many points, so that the page shows nobody's values.
    """

    group: str | None = None
    config: Mapping[str, Any] | None = None
    store: str | os.PathLike[str] | Workdir | None = None
    say: Callable[[str], None] = lambda text: None
    private: PrivateTraining | None = None
    show_records: bool = False

    def __post_init__(self) -> None:
        if self.group is not None and not isinstance(self.group, str):
            raise _validate.fail("group", self.group, "must be the name of a column of points.groups")
        if self.config is not None and not isinstance(self.config, Mapping):
            raise _validate.fail("config", type(self.config).__name__, "must be a mapping")
        if not isinstance(self.store, str | os.PathLike | Workdir | None):
            rule = "must be a folder's path or a claimed workdir"
            raise _validate.fail("store", type(self.store).__name__, rule)
        if not callable(self.say):
            raise _validate.fail("say", self.say, "must be a function of one line of text, as print")
