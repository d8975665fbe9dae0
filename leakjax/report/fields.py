"""What report.json holds: every field with its kind, unit and meaning, and the check of a value against it.

A kind is one of: a Python type (`float` is a finite number, or null for "could not be measured"), `Choice`,
`ListOf`, `MapOf`, `Nullable`, or a record, which is a mapping from names to `Field`.
"""

import math
import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from leakjax._validate import UsageError

Kind = Any


class Field(NamedTuple):
    """One field of a record: the kind of its value, what it means, and its unit where it has one."""

    kind: Kind
    meaning: str
    units: str = ""


class Choice(NamedTuple):
    """One of a few texts."""

    allowed: tuple[str, ...]


class ListOf(NamedTuple):
    """A list of values of one kind."""

    kind: Kind


class MapOf(NamedTuple):
    """An object with any names, and values of one kind."""

    kind: Kind


class Nullable(NamedTuple):
    """A value of a kind, or null."""

    kind: Kind


SHARE = "share, 0 to 1"
DIFFERENCE = "difference of shares, -1 to 1"
RATES = ("0.001", "0.01")

INTERVAL = {
    "value": Field(float, "the estimate"),
    "low": Field(float, "the lower end of its 95 % interval"),
    "high": Field(float, "the upper end of its 95 % interval"),
}
AT_RATES = {rate: Field(INTERVAL, f"at a false-positive rate of at most {rate}", SHARE) for rate in RATES}

TASK = {
    "dataset": Field(str, "name of the data set"),
    "points": Field(int, "records in it, after exact duplicates went", "records"),
    "duplicates_removed": Field(int, "exact duplicates that were removed", "records"),
    "classes": Field(int, "number of classes"),
    "models": Field(int, "models trained, diverged ones included", "models"),
    "diverged": Field(ListOf(int), "ids of the models that diverged and were excluded"),
    "train_accuracy": Field(INTERVAL, "accuracy on each model's own training records", SHARE),
    "test_accuracy": Field(INTERVAL, "accuracy on the records that a model was not trained on", SHARE),
    "generalisation_gap": Field(INTERVAL, "train accuracy minus test accuracy", DIFFERENCE),
    "audited_points": Field(int, "records whose membership was attacked", "records"),
    "dropped_points": Field(int, "records with too few models in or out to be attacked", "records"),
    "non_finite_attributions": Field(int, "attributions with a NaN or an infinity, set to zero"),
}

# What a row is about: predictions do not depend on an explainer or a defense, so those are "none" there.
SUBJECT = {
    "explainer": Field(str, 'name of the explainer, or "none" for predictions'),
    "defense": Field(str, 'name of the defense, or "none" for plain explanations and for predictions'),
}
ATTACK = {
    "view": Field(Choice(("prediction", "explanation", "both")), "what the attacker sees"),
    "attack": Field(str, "name of the attack"),
}

LEAKAGE = {
    **SUBJECT,
    "family": Field(str, 'family of the explainer, or "none" for predictions'),
    **ATTACK,
    "label_known": Field(bool, "whether the attacker knows the true label"),
    "targets": Field(int, "models attacked, each with the others as its shadows", "models"),
    "nonmembers": Field(int, "non-members per target, the mean rounded down", "records"),
    "false_positives_allowed": Field(
        {rate: Field(int, f"false positives that a rate of {rate} allows", "records") for rate in RATES},
        "false positives per target",
    ),
    "headline_fpr": Field(
        Choice(RATES), "the smaller rate that allows at least 5 false positives, else 0.01"
    ),
    "auc": Field(INTERVAL, "area under the ROC curve; 0.5 is guessing", SHARE),
    "tpr_at_fpr": Field(AT_RATES, "members caught at a false-positive rate"),
    "margin": Field(
        Nullable(
            {
                "auc": Field(INTERVAL, "AUC of both views minus AUC of the prediction", DIFFERENCE),
                "tpr_at_fpr": Field(AT_RATES, "members caught with both views minus with the prediction"),
            }
        ),
        'what the explanation adds to the prediction; null unless the view is "both"',
    ),
}

UTILITY = {
    **SUBJECT,
    "cosine": Field(INTERVAL, "cosine between plain and hardened explanation; 1 is unchanged", "-1 to 1"),
    "top_overlap": Field(INTERVAL, "share of the most important features that stay so", SHARE),
    "relative_change": Field(
        INTERVAL, "L2 norm of the change over L2 norm of the plain explanation", "ratio"
    ),
}

EXPOSED = {
    **SUBJECT,
    "id": Field(int, "row of the record in its source"),
    "score": Field(float, "mean score of the attack where the record was a member; higher is more exposed"),
    "share_caught": Field(float, "models that it was in and was caught in, at the headline rate", SHARE),
    "times_member": Field(int, "models that it was in", "models"),
}

GROUPS = {
    **SUBJECT,
    **ATTACK,
    "group": Field(str, "name of the group column"),
    "level": Field(str, "value of the group column"),
    "points": Field(int, "records in the group", "records"),
    "share": Field(float, "of the audited records that are in the group", SHARE),
    "tpr": Field(INTERVAL, "members of the group caught, threshold set over all groups", SHARE),
    "fpr": Field(INTERVAL, "non-members of the group caught, at that threshold", SHARE),
}

CONTROL = {
    "name": Field(str, "name of the control"),
    "question": Field(str, "what it checks, in words"),
    "expected": Field(str, "what is seen if the audit is sound"),
    "figure": Field(INTERVAL, "what was seen"),
    "passed": Field(bool, "whether the two agree"),
}

CURVE = {
    **SUBJECT,
    **ATTACK,
    "fpr": Field(ListOf(float), "false-positive rates, ascending", SHARE),
    "tpr": Field(ListOf(float), "mean true-positive rate over targets at each of them", SHARE),
}

REPORT = {
    "config": Field(dict, "the frozen configuration of the run, as the flags gave it"),
    "environment": Field(dict, "versions, devices, platform"),
    "timings": Field(MapOf(float), "wall time of each stage", "seconds"),
    "task": Field(TASK, "what was attacked"),
    "leakage": Field(
        ListOf(LEAKAGE), "one row per explainer, defense, view and attack; the headline attack first"
    ),
    "utility": Field(ListOf(UTILITY), "what each defense changes in each explainer's output"),
    "exposed": Field(ListOf(EXPOSED), "the most exposed records, most exposed first"),
    "groups": Field(ListOf(GROUPS), "leakage by group; may be empty"),
    "controls": Field(ListOf(CONTROL), "checks of the audit itself"),
    "smallest_margin": Field(
        {
            "fpr": Field(Choice(RATES), "the false-positive rate that it holds at"),
            "value": Field(float, "the margin", DIFFERENCE),
        },
        "the smallest margin, among leaks planted evenly over all records, whose interval lay above 0",
    ),
    "curves": Field(ListOf(CURVE), "mean ROC curves on a common logarithmic grid"),
}

_TYPES: dict[type, tuple[Any, str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    bool: (bool, "true or false"),
    dict: (dict, "an object"),
    float: ((int, float, type(None)), "a finite number or null"),
}


def check(value: Any, kind: Kind, path: str) -> None:
    """Raises UsageError, naming the `path`, unless `value` is of `kind`."""
    match kind:
        case Nullable(inner):
            if value is not None:
                check(value, inner, path)
        case Choice(allowed):
            _require(value in allowed, value, path, f"one of {', '.join(allowed)}")
        case ListOf(inner):
            _require(isinstance(value, list), value, path, "a list")
            for index, item in enumerate(value):
                check(item, inner, f"{path}[{index}]")
        case MapOf(inner):
            _require(isinstance(value, dict), value, path, "an object")
            for name, item in value.items():
                check(item, inner, f"{path}.{name}")
        case Mapping():
            _check_record(value, kind, path)
        case _:
            types, words = _TYPES[kind]
            sound = isinstance(value, types) and (kind is bool or not isinstance(value, bool))
            _require(sound and not _non_finite(value), value, path, words)


def _check_record(value: Any, fields: Mapping[str, Field], path: str) -> None:
    _require(isinstance(value, dict), value, path, "an object")
    for name, field in fields.items():
        if name not in value:
            raise UsageError(f"{path}.{name}: missing ({field.meaning})")
        check(value[name], field.kind, f"{path}.{name}")
    for name in value:
        if name not in fields:
            raise UsageError(f"{path}.{name}: unknown; the fields are {', '.join(fields)}")


def _require(sound: bool, value: Any, path: str, words: str) -> None:
    if not sound:
        raise UsageError(f"{path}={reprlib.repr(value)}: must be {words}")


def _non_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
