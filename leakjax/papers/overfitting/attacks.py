"""The paper's attacks on one sitting: five information sets, a network and a tree, learnt on a half or on shadows."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from leakjax.attack.registry import Attack, parse
from leakjax.attack.replies import Replies
from leakjax.attack.run import run
from leakjax.evaluate import roc
from leakjax.evaluate.bootstrap import Resamples, estimate, mean_over_targets, resample
from leakjax.evaluate.document import Estimate
from leakjax.evaluate.document.explained import Rate
from leakjax.evaluate.leakage import FPRS, leakage
from leakjax.papers.overfitting.document import Learns

GRADIENT, NORMALISED, NORM, LOSS, LABEL = "gradient", "normalised gradient", "1-norm", "loss", "class alone"
PREDICTION, BOTH, AND_LABEL = "prediction", "gradient and prediction", "gradient and true label"
# What a network sees, and the option of `neural` that says so.
_INFORMATION = {
    GRADIENT: "explanation",
    AND_LABEL: "explanation_and_label",
    PREDICTION: "prediction",
    BOTH: "both",
    LABEL: "label",
    NORMALISED: "explanation",
}
_RATE: Rate = "0.01"


class Asked(NamedTuple):
    """An attack of the paper: what it is made of, what it learns on and what it sees."""

    attack: str
    learns: Learns
    sees: str
    epochs: int = 15

    @property
    def text(self) -> str:
        """The attack's call."""
        if self.attack == "tree":
            return f"tree(signal='map_log_l1', protocol={self.learns!r})"
        options = f"information={_INFORMATION[self.sees]!r}, protocol={self.learns!r}, epochs={self.epochs}"
        return f"neural({options})"


class Caught(NamedTuple):
    """What one attack finds."""

    accuracy: Estimate
    auc: Estimate
    tpr: Estimate


def asked(learns: Sequence[Learns], epochs: int) -> list[Asked]:
    """Every attack of figures 1 and 2, learnt in each way.

    Args:
      learns: the ways.
      epochs: of training a network, the most.
    """
    found = []
    for way in learns:
        found += [Asked("neural", way, sees, epochs) for sees in _INFORMATION]
        found += [Asked("tree", way, NORM), Asked("threshold", way, LOSS)]
    return found


def caught(
    one: Asked,
    logits: np.ndarray,
    maps: np.ndarray,
    y: np.ndarray,
    membership: np.ndarray,
    targets: int,
    key: jax.Array,
) -> Caught:
    """Runs one attack on the first `targets` models.

    Args:
      one: which.
      logits: [models, points, classes].
      maps: [models, points, ...], the explanations.
      y: int [points].
      membership: bool [models, points].
      targets: how many models are attacked.
      key: of what the attack draws.
    """
    logs = np.asarray(jax.nn.log_softmax(logits, axis=-1))
    own = membership[:targets]
    if one.attack == "threshold":
        scores, valid, at = _by_loss(one.learns, logs, y, membership, targets)
    else:
        if one.sees == NORMALISED:
            flat = np.abs(maps).reshape(*maps.shape[:2], -1).sum(-1)
            maps = maps / np.maximum(flat, 1e-30).reshape(*flat.shape, *(1,) * (maps.ndim - 2))
        replies = Replies(logs, y, maps=maps)
        attack = parse(one.text)
        assert isinstance(attack, Attack)  # `stacked` is measured by the audit's own programs
        found = run(attack, replies, membership, targets=np.arange(targets), key=key)
        scores, valid = found.scores, found.valid
        at = np.asarray(0.5 if one.attack == "tree" else 0.0)
    return judged(scores, own, valid, at)


def judged(scores: np.ndarray, membership: np.ndarray, valid: np.ndarray, at: np.ndarray | float) -> Caught:
    """What scores are worth.

    Args:
      scores: [targets, points], higher = member.
      membership: bool [targets, points].
      valid: bool [targets, points].
      at: the threshold above which a point is called a member; one, or one for each target, [targets].
    """
    resamples = resample(scores.shape[1], len(scores), seed=0)
    found = leakage(roc.rates_of(scores, membership, valid, resamples, FPRS), resamples)
    level = np.broadcast_to(np.asarray(at, float), len(scores))[:, None]
    said = np.where(scores == level, 0.5, scores > level)  # a point on the threshold by a fair coin
    return Caught(_accuracy(said, membership, valid, resamples), found.auc, found.tpr_at_fpr[_RATE])


def _accuracy(said: np.ndarray, membership: np.ndarray, valid: np.ndarray, resamples: Resamples) -> Estimate:
    inside, outside = (valid & membership).astype(float), (valid & ~membership).astype(float)
    weights = resamples.points
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold no member, or no other
        right = (said * inside) @ weights / (inside @ weights)
        right = right + ((1 - said) * outside) @ weights / (outside @ weights)
    return estimate(mean_over_targets(right / 2, resamples))


def _by_loss(
    learns: Learns, logs: np.ndarray, y: np.ndarray, membership: np.ndarray, targets: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A threshold on the loss, best on half of the target's points or on the other models: scores, valid, threshold."""
    scores = np.take_along_axis(logs, y[None, :, None], axis=-1)[..., 0].astype(np.float64)
    valid = np.ones((targets, len(y)), bool)
    if learns == "shadows":
        at = np.full(targets, best_threshold(scores[targets:].ravel(), membership[targets:].ravel()))
    else:
        given = np.arange(0, len(y), 2)
        valid[:, given] = False
        at = np.array([best_threshold(scores[t, given], membership[t, given]) for t in range(targets)])
    return scores[:targets], valid, at


def best_threshold(scores: np.ndarray, member: np.ndarray) -> float:
    """The threshold of the highest balanced accuracy, halfway between two scores: [points], bool [points]."""
    order = np.argsort(scores, kind="stable")
    ranked, inside = scores[order], member[order]
    # Called a member: all above place i.
    members = inside.sum() - np.concatenate([[0], np.cumsum(inside)])
    others = np.concatenate([[0], np.cumsum(~inside)])
    balanced = members / max(inside.sum(), 1) + others / max((~inside).sum(), 1)
    cuts = np.concatenate([[ranked[0] - 1], (ranked[:-1] + ranked[1:]) / 2, [ranked[-1] + 1]])
    real = np.concatenate([[True], ranked[:-1] < ranked[1:], [True]])
    return float(cuts[real][np.argmax(balanced[real])])
