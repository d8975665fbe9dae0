"""Controls of the attack itself: a prediction that says all it can, an attacker that a transform cannot help."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.judge import Judge
from leakjax.auditing.subject import Subject
from leakjax.evaluate.document import Control, Estimate
from leakjax.explain import Explainer
from leakjax.oracle import prediction_part
from leakjax.oracle.release import show

# As of all controls; `hardened` looks at one difference for every explainer and defense.
_TOLERANCE = 4.0


def dressed(subject: Subject) -> Explainer:
    """An explainer whose maps hold what the first release shows of the prediction, and nothing else."""
    part = prediction_part(subject.releases[0])

    def explain(
        variables: object, x: jax.Array, target: jax.Array, *, key: jax.Array, segments: object = None
    ) -> jax.Array:
        logits = subject.logits_fn(variables, x)
        shown = show(part, logits)
        says = shown.probabilities
        if part.kind != "vector":  # which shows all classes, in their own order
            named = jax.nn.one_hot(shown.classes, len(logits), dtype=x.dtype).reshape(-1)
            says = jnp.concatenate([says, named])
        return says[jnp.arange(x.size) % says.size].astype(x.dtype).reshape(x.shape)

    return explain


def hardened(
    scores: Mapping[str, Sequence[tuple[np.ndarray, Judge]]], plain: Mapping[str, np.ndarray]
) -> Control:
    """Does any transform of a map leak more than the map itself? Then the attacker overlooked something in it.

    Args:
      scores: by explainer, of each hardened release the scores of both views, [targets, points], and who judges.
      plain: by explainer, scores of both views beside the plain map.

    Returns:
      The row of the pair that comes nearest to failing.
    """
    question = "Does a hardened explanation leak more than the plain one that it is made of?"
    found: list[tuple[float, Estimate]] = []
    for explainer, rows in scores.items():
        for both, judge in rows if explainer in plain else ():
            more = judge.added(judge.rates(both), judge.rates(plain[explainer]))
            difference = more.tpr_at_fpr[judge.headline]
            # Two equal scores differ by nothing, with no error.
            errors = difference.value / difference.error if difference.error > 0 else 0.0
            found.append((math.inf if math.isnan(errors) else errors, difference))
    if not found:
        return not_run("hardened", question, "a plain and a hardened release have to be audited together")
    errors, worst = max(found, key=lambda each: each[0])
    expected = f"not above 0 by {_TOLERANCE:g} standard errors"
    passed = errors <= _TOLERANCE
    return Control(name="hardened", question=question, expected=expected, seen=worst, passed=passed)


def not_run(name: str, question: str, why: str) -> Control:
    """A row of a control that could not be run.

    Args:
      name: of the control.
      question: what it asks.
      why: it could not be run, with the way out.

    Returns:
      The row, which neither passed nor failed.
    """
    nothing = Estimate(math.nan, math.nan, math.nan)
    return Control(name=name, question=question, expected="not run", seen=nothing, passed=False, not_run=why)
