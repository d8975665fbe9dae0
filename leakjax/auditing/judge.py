"""From scores to rows of the report: one place that knows who is a member, so that no attack has to."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from leakjax.attack import likelihood
from leakjax.auditing.subject import Subject
from leakjax.evaluate import bootstrap, leakage, roc

CURVE_FPRS = np.logspace(-3, 0, 61)


class Judge:
    """Evaluates scores [targets, points] of one subject; all its figures share their resamples, so they pair."""

    def __init__(self, subject: Subject, *, seed: int) -> None:
        """Args: subject: whose membership is the truth. seed: of the bootstrap."""
        self.membership = subject.membership[subject.targets]
        self.valid = likelihood.enough_shadows(subject.membership, subject.targets[:, None])[:, 0]
        self.resamples = bootstrap.resample(len(subject.points.x), len(subject.targets), seed=seed)
        self.nonmembers = int((self.valid & ~self.membership).sum(axis=1).mean())
        self.headline = leakage.headline_fpr(self.nonmembers)

    def rates(self, scores: np.ndarray, of: np.ndarray | None = None) -> leakage.Rates:
        """AUC and TPR of every target in every resample. Args: as `roc.rates_of`."""
        return roc.rates_of(scores, self.membership, self.valid, self.resamples, leakage.FPRS, of=of)

    def figures(self, rates: leakage.Rates) -> leakage.Leakage:
        """The figures of an attack."""
        return leakage.leakage(rates, self.resamples)

    def added(self, both: leakage.Rates, prediction: leakage.Rates) -> leakage.Leakage:
        """What the explanation adds."""
        return leakage.margin(both, prediction, self.resamples)

    def figure(self, rates: leakage.Rates) -> bootstrap.Interval:
        """The headline figure: TPR at the headline false-positive rate."""
        return self.figures(rates).tpr_at_fpr[self.headline]

    def row(
        self, scores: np.ndarray, about: Mapping[str, Any], prediction: leakage.Rates | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A row of `leakage` in the report and its ROC.

        Args:
          scores: [targets, points].
          about: explainer, family, defense, view, attack, label_known.
          prediction: of the prediction view, where the margin over it is asked for.
        """
        rates = self.rates(scores)
        margin = None if prediction is None else _as_json(self.added(rates, prediction))
        row = {
            **about,
            "targets": len(self.membership),
            "nonmembers": self.nonmembers,
            "false_positives_allowed": {
                str(fpr): int(roc.allowed(fpr, self.nonmembers)) for fpr in leakage.FPRS
            },
            "headline_fpr": self.headline,
            **_as_json(self.figures(rates)),
            "margin": margin,
        }
        curve = {name: about[name] for name in ("explainer", "defense", "view", "attack")}
        tpr = roc.mean_curve(scores, self.membership, self.valid, CURVE_FPRS)
        return row, {**curve, "fpr": CURVE_FPRS, "tpr": tpr}

    def caught(self, scores: np.ndarray) -> np.ndarray:
        """Which points are called members at the headline false-positive rate: bool [targets, points]."""
        result = np.zeros_like(self.membership)
        for target, valid in enumerate(self.valid):
            others = np.sort(scores[target][valid & ~self.membership[target]])[::-1]
            limit = int(roc.allowed(float(self.headline), len(others)))
            result[target] = valid & (scores[target] > others[min(limit, len(others) - 1)])
        return result

    def exposed(self, scores: np.ndarray, ids: np.ndarray, most: int) -> list[dict[str, Any]]:
        """The records that are caught most often: rows without explainer and defense."""
        counts = self.membership & self.valid
        times = np.maximum(counts.sum(axis=0), 1)
        share = (self.caught(scores) & counts).sum(axis=0) / times
        mean = np.where(counts, scores, 0.0).sum(axis=0) / times
        order = np.lexsort((ids, -mean, -share))[:most]
        return [
            {
                "id": int(ids[i]),
                "score": float(mean[i]),
                "share_caught": float(share[i]),
                "times_member": int(counts.sum(axis=0)[i]),
            }
            for i in order
        ]

    def groups(self, scores: np.ndarray, group: str, levels: np.ndarray) -> list[dict[str, Any]]:
        """True- and false-positive rates of each level of a group column, the threshold set over all points."""
        caught, rows = self.caught(scores), []
        at = leakage.FPRS.index(float(self.headline))
        for level in np.unique(levels):
            part = levels == level
            tpr = bootstrap.mean_over_targets(self.rates(scores, of=part).tpr[at], self.resamples)
            alarms = self.valid & ~self.membership & part[None]
            with np.errstate(invalid="ignore", divide="ignore"):
                fpr = ((caught & alarms) @ self.resamples.points) / (alarms @ self.resamples.points)
            rows.append(
                {
                    "group": group,
                    "level": str(level),
                    "points": int(part.sum()),
                    "share": float(part.mean()),
                    "tpr": bootstrap.interval(tpr).as_json(),
                    "fpr": bootstrap.interval(bootstrap.mean_over_targets(fpr, self.resamples)).as_json(),
                }
            )
        return rows


def _as_json(found: leakage.Leakage) -> dict[str, Any]:
    return {
        "auc": found.auc.as_json(),
        "tpr_at_fpr": {fpr: figure.as_json() for fpr, figure in found.tpr_at_fpr.items()},
    }
