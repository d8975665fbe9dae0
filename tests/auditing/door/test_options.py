"""Options of an audit that cannot be meant are refused when they are made, before any model is looked at."""

import jax
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.auditing import Attacker, Budget, Run
from tests.auditing.world import MODELS


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Attacker, {"releases": "label"}, r"releases='label': must be a tuple, as \('label',\)"),
        (Attacker, {"releases": None}, "releases=None: must be a tuple"),
        (Attacker, {"releases": ()}, r"releases=\(\): must name at least one"),
        (Attacker, {"releases": (3,)}, "releases=3: must be one of none, label"),
        (Attacker, {"releases": ("labels",)}, "releases='labels': must be one of none, label"),
        (Attacker, {"explained_class": None}, "explained_class=None: must be one of predicted, true"),
        (Attacker, {"label_known": "yes"}, "label_known='yes': must be True or False"),
        (Budget, {"costly_points": 30.5}, "costly_points=30.5: must be a whole number"),
        (Budget, {"costly_points": "40"}, "costly_points='40': must be a whole number"),
        (Budget, {"costly_points": 29}, "costly_points=29: must be at least 30"),
        (Run, {"store": 3}, "store='int': must be a folder's path"),
        (Run, {"config": [1]}, "config='list': must be a mapping"),
        (Run, {"say": "hello"}, "say='hello': must be a function of one line"),
        (Run, {"group": 3}, "group=3: must be the name of a column"),
    ],
)
def test_an_option_of_another_kind(kind, options, message):
    with pytest.raises(UsageError, match=f"^{message}"):
        kind(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": None}, r"budget='NoneType': must be a leakjax.auditing.Budget\(...\)"),
        ({"attacker": {"label_known": True}}, r"attacker='dict': must be a leakjax.auditing.Attacker\(...\)"),
        ({"run": "here"}, r"run='str': must be a leakjax.auditing.Run\(...\)"),
        ({"run": Run(group="race")}, "group='race': must be one of side"),
    ],
)
def test_options_of_another_kind(enter, options, message):
    with pytest.raises(UsageError, match=f"^{message}"):
        enter(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: "yes", "untrained='str': must hold arrays"),
        (lambda v: {"w": v["w"]}, r"untrained=.*: must have the leaves of the trained variables, \['b'\]"),
        (
            lambda v: {**v, "w": v["w"][:, :3]},
            r"untrained=.*: must have the shape of the trained leaf \['w'\]",
        ),
        (
            lambda v: jax.tree.map(lambda leaf: leaf[:3], v),
            f"untrained=.*: must have leading axes of {MODELS}",
        ),
        (lambda v: {**v, "b": np.nan * v["b"]}, "untrained='non-finite': must hold finite numbers"),
    ],
)
def test_untrained_models_have_the_form_of_the_trained_ones(enter, ensemble, change, message):
    with pytest.raises(UsageError, match=f"^{message}"):
        enter(budget=Budget(untrained=change(ensemble.variables)))
