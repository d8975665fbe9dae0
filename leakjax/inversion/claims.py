"""What the source claims, beside what a study measured of it: each verdict follows from rows of the report.

Source: "The Hidden Privacy Cost of Explainability: Understanding Model Inversion via Local Explanations".
"""

from collections.abc import Callable, Sequence

from leakjax.inversion import (
    aggregated,
    backgrounds,
    extracted,
    extracted_units,
    guards,
    inverted,
    patterns,
    reidentified,
)
from leakjax.inversion.document import AttackRow, Claim, Verdict

_KEPT = 0.5  # of what is gained without it, a guard that leaves less than this protects

Rows = Sequence[AttackRow]
Judged = tuple[Verdict, str]
_NOT: Judged = ("not measured", "the part that measures it was left out of this run")


def claims_of(rows: Rows) -> list[Claim]:
    """Every claim of the source with its verdict."""
    return [
        Claim(claim=text, verdict=verdict, why=why)
        for text, judge in CLAIMS.items()
        for verdict, why in [judge(rows)]
    ]


def _find(
    rows: Rows, attack: str, measure: str, setting: str = "", guard: str | None = "none"
) -> AttackRow | None:
    """The first row of an attack by a measure whose setting holds a text."""
    for row in rows:
        right = row.attack == attack and row.measure == measure and setting in row.setting
        if right and guard in (None, row.guard):
            return row
    return None


def _reconstruction(rows: Rows) -> Judged:
    climbed = _find(rows, inverted.ASCENT, inverted.FAR, "explanation")
    near = _find(rows, inverted.ASCENT, inverted.NEAR, "explanation")
    if climbed is None or climbed.baseline is None or near is None:
        return _NOT
    why = (
        f"the climb ends {climbed.found.value:.3f} (squared error of a feature) from the mean of the class's records; "
        f"the mean of public data, at no query, {climbed.baseline.value:.4f}. Its closeness tells members from others "
        f"with an AUC of {near.found.value:.2f} ({near.found.low:.2f} to {near.found.high:.2f})"
    )
    return ("refuted" if climbed.found.value > climbed.baseline.value else "confirmed", why)


def _gradient(rows: Rows) -> Judged:
    by = {
        way: _find(rows, inverted.ASCENT, inverted.QUERIES, way.replace("_", " ")) for way in inverted.STEPS
    }
    found = {way: row.found.value for way, row in by.items() if row is not None}
    if len(found) < len(by):
        return _NOT
    fewer = found["explanation"] < min(found["finite_differences"], found["nes"])
    why = (
        f"99 % confidence after {found['explanation']:.0f} explained queries, against {found['nes']:.0f} plain ones by "
        f"NES and {found['finite_differences']:.0f} by finite differences"
    )
    return ("confirmed" if fewer else "refuted", why)


def _few_hundred(rows: Rows) -> Judged:
    background = _find(rows, backgrounds.ATTACK, backgrounds.MEASURE)
    closed = _find(rows, inverted.CLOSED, inverted.NAMED)
    if background is None or closed is None:
        return _NOT
    why = (
        f"a background falls to {background.explained:.0f} explained queries ({background.found.value:.2f} of its rows "
        f"named), with {background.plain:,.0f} plain ones beside where the weights are unknown; with known weights one "
        f"gradient names the input in {closed.found.value:.2f} of cases{_searched(rows)}. Training records that were "
        f"never asked about do not come out of any number of queries here"
    )
    return ("depends", why)


def _searched(rows: Rows) -> str:
    """What queries alone name, without weights."""
    found = _find(rows, patterns.ATTACK, inverted.NAMED)
    if found is None:
        return ""
    asked = found.explained * found.models / found.targets
    return f", and without weights {asked:,.0f} explained queries do in {found.found.value:.2f}"


def _granularity(rows: Rows) -> Judged:
    plain = _find(rows, reidentified.ATTACK, reidentified.MEASURE)
    coarse = _find(rows, reidentified.ATTACK, reidentified.MEASURE, guard=guards.SEGMENTS)
    signs = _find(rows, reidentified.ATTACK, reidentified.MEASURE, guard="signs of 2 x 2")
    if plain is None or coarse is None or signs is None:
        return _NOT
    less = _left(coarse, plain) < _KEPT
    why = (
        f"segments of 2 x 2 in place of pixels name the subject in {coarse.found.value:.2f} of cases, pixels in "
        f"{plain.found.value:.2f}; their signs alone in {signs.found.value:.2f}"
    )
    return ("confirmed" if less else "refuted", why)


def _left(guarded: AttackRow, plain: AttackRow) -> float:
    """The share of the plain gain that a guard leaves."""
    if guarded.margin is None or plain.margin is None or plain.margin.value <= 0:
        return 1.0
    return guarded.margin.value / plain.margin.value


def _noise(rows: Rows) -> Judged:
    said, left = [], []
    for attack, measure, guard in (
        (reidentified.ATTACK, reidentified.MEASURE, guards.NOISE),
        (reidentified.ATTACK, reidentified.MEASURE, guards.STICKY),
        (inverted.CLOSED, inverted.NAMED, guards.NOISE),
        (inverted.ASCENT, inverted.REACHED, guards.NOISE),
        (extracted.ATTACK, extracted.AGREES, guards.NOISE),
        (extracted_units.ATTACK, extracted_units.FOUND, guards.NOISE),
        (backgrounds.ATTACK, backgrounds.MEASURE, "noise of 0.25 rms"),
    ):
        guarded = _find(rows, attack, measure, guard=guard)
        plain = guarded and _find(rows, attack, measure, guarded.setting)
        if guarded is None or not plain:
            continue
        left.append(max(0.0, _left(guarded, plain)))
        sticky = " where it is sticky" if guard == guards.STICKY else ""
        said.append(f"{attack} keeps {left[-1]:.2f} of its gain{sticky}")
    if not left:
        return _NOT
    verdict: Verdict = "confirmed" if max(left) < _KEPT else "refuted" if min(left) > _KEPT else "depends"
    return (verdict, "under noise " + ", ".join(said))


def _aggregates(rows: Rows) -> Judged:
    curves = _find(rows, aggregated.ATTACK, aggregated.MEASURE, "ICE")
    means = [row for row in rows if row.attack == aggregated.ATTACK and row.setting.startswith("mean")]
    if curves is None or not means:
        return _NOT
    groups = "; ".join(f"{row.setting}: {row.found.value:.2f}" for row in means)
    partial = _find(rows, aggregated.ATTACK, aggregated.MEASURE, "partial")
    why = f"members named by ICE curves {curves.found.value:.2f}"
    why += f", by partial dependence {partial.found.value:.2f}" if partial else ""
    own = _find(rows, reidentified.ATTACK, reidentified.MEASURE, guard=guards.CLASS_MEAN)
    sure = _find(rows, reidentified.ATTACK, reidentified.MEASURE, guard=guards.CONFIDENT)
    why += f"; {groups}"
    why += (
        f"; the mean map of a public class names the subject in {own.found.value:.2f} of cases" if own else ""
    )
    why += f", explanations of confident predictions alone in {sure.found.value:.2f}" if sure else ""
    return ("depends", why)


def _dashboard(rows: Rows) -> Judged:
    told = [row for row in rows if row.attack == "attribute inference" and row.control is not None]
    if not told:
        return _NOT
    best = max(told, key=lambda row: row.margin.value if row.margin else 0.0)
    control = best.control.value if best.control else 0.0
    why = (
        f"{best.setting}: {best.found.value:.2f} for records that were trained on and {control:.2f} for others, so "
        f"that it says what is in the query, not what is in the training set"
    )
    return ("refuted" if best.found.value - control < 0.05 else "confirmed", why)


def _trained(rows: Rows, names: Sequence[str]) -> list[tuple[str, float]]:
    """For each kind of training, how much of the plain gain one gradient still gives."""
    plain = _find(rows, inverted.CLOSED, inverted.NAMED)
    found = [
        (name, row)
        for name in names
        for row in rows
        if (row.attack, row.measure) == (inverted.CLOSED, inverted.NAMED) and name in row.guard
    ]
    return [(name, _left(row, plain)) for name, row in found if plain is not None]


def _regularised(rows: Rows) -> Judged:
    left = _trained(rows, ("weight decay", "dropout"))
    if not left:
        return _NOT
    why = ", ".join(f"under {name} one gradient keeps {share:.2f} of its gain" for name, share in left)
    return ("confirmed" if max(share for _, share in left) > _KEPT else "refuted", why)


def _private(rows: Rows) -> Judged:
    left = _trained(rows, ("DP-SGD",))
    if not left:
        return _NOT
    why = (
        f"under DP-SGD one gradient keeps {left[0][1]:.2f} of its gain: it protects who was trained on, and not the "
        f"input that an answer is about, nor a background that the service holds beside the model"
    )
    return ("depends" if left[0][1] > _KEPT else "confirmed", why)


def _elsewhere(why: str) -> Callable[[Rows], Judged]:
    return lambda rows: ("not measured", why)


CLAIMS: dict[str, Callable[[Rows], Judged]] = {
    "An explanation serves as the gradient that an attacker needs (steps 3 and 4).": _gradient,
    "After many iterations the input resembles a real training record (step 5).": _reconstruction,
    "Inversion takes as few as a few hundred queries.": _few_hundred,
    "Feature-level explanations are less risky than pixel-level maps.": _granularity,
    "Demographic sweeps of a dashboard reveal the attributes of training records.": _dashboard,
    "Noise on explanations makes inversion unstable.": _noise,
    "Aggregate explanations, or those of confident predictions alone, reduce what leaks.": _aggregates,
    "Dropout and weight decay do not prevent it.": _regularised,
    "Differential privacy in training prevents it.": _private,
    "Query monitoring stops attackers before they succeed.": _elsewhere("experiments.monitor measures it"),
}
