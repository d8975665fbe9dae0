"""From scores to rows of the report: one place that knows who is a member, so that no attack has to."""

import copy

import numpy as np

from leakjax import _validate
from leakjax.attack.roles import enough
from leakjax.auditing.subject import Subject
from leakjax.evaluate import bootstrap, leakage, roc
from leakjax.evaluate.document import Attacked, Curve, Estimate, ExposedRow, GroupRow, LeakageRow, Margin

CURVE_FPRS = np.logspace(-3, 0, 61)


class Judge:
    """Evaluates scores [targets, points] of one subject; all its estimates share their resamples, so they pair."""

    def __init__(self, subject: Subject, *, seed: int) -> None:
        """Args: subject: whose membership is the truth. seed: of the bootstrap."""
        self.membership = subject.membership[subject.targets]
        # Of few models one of each kind is all that a point can be asked to have.
        least = 2 if subject.stackable else 1
        self.valid = enough(subject.membership, subject.roles.known[: len(subject.targets)], least)
        self._check()
        self.resamples = bootstrap.resample(len(subject.points.x), len(subject.targets), seed=seed)
        self.nonmembers = int((self.valid & ~self.membership).sum(axis=1).mean())
        self.headline = leakage.headline_fpr(self.nonmembers)

    def narrowed(self, valid: np.ndarray) -> "Judge":
        """The judge of the same points and resamples, but for those that are not valid, bool [targets, points]."""
        if valid[self.valid].all():
            return self
        other = copy.copy(self)
        other.valid = self.valid & valid
        other.nonmembers = int((other.valid & ~self.membership).sum(axis=1).mean())
        other._check()
        return other

    def chance(self, rate: float) -> float:
        """The mean over targets of the true-positive rate that is expected without any leakage.

        Not that of the mean number of non-members: of 899 a rate of 1 % allows eight false positives, of 900 nine.
        """
        others = (self.valid & ~self.membership).sum(axis=1)
        return float(np.mean([leakage.chance_tpr(rate, int(count)) for count in others]))

    def _check(self) -> None:
        """Raises UsageError where nothing is left to judge."""
        for some in (self.valid & self.membership, self.valid & ~self.membership):
            if not some.any():
                rule = "no point is left on which a target can be attacked: answers or explanations are not finite, or "
                raise _validate.fail(
                    "points", int(self.valid.any(axis=0).sum()), f"{rule}too few models hold them"
                )

    def rates(self, scores: np.ndarray, of: np.ndarray | None = None) -> leakage.Rates:
        """AUC and TPR of every target in every resample. Args: as `roc.rates_of`."""
        return roc.rates_of(scores, self.membership, self.valid, self.resamples, leakage.FPRS, of=of)

    def found(self, rates: leakage.Rates) -> leakage.Leakage:
        """What an attack finds."""
        return leakage.leakage(rates, self.resamples)

    def added(self, both: leakage.Rates, prediction: leakage.Rates) -> leakage.Leakage:
        """What the explanation adds."""
        return leakage.margin(both, prediction, self.resamples)

    def headline_tpr(self, rates: leakage.Rates) -> Estimate:
        """The share of members that an attack catches at the headline false-positive rate."""
        return self.found(rates).tpr_at_fpr[self.headline]

    def row(
        self, scores: np.ndarray, about: Attacked, prediction: leakage.Rates | None = None
    ) -> tuple[LeakageRow, Curve]:
        """A row of `leakage` in the report and its ROC.

        Args:
          scores: [targets, points].
          about: what the attack saw and knew.
          prediction: of the prediction view, where the margin over it is asked for.
        """
        rates = self.rates(scores)
        margin = None if prediction is None else Margin(**self.added(rates, prediction)._asdict())
        allowed = {rate: int(roc.allowed(float(rate), self.nonmembers)) for rate in leakage.RATES}
        row = LeakageRow(
            **vars(about),
            targets=len(self.membership),
            nonmembers=self.nonmembers,
            false_positives_allowed=allowed,
            headline_fpr=self.headline,
            **self.found(rates)._asdict(),
            margin=margin,
        )
        tpr = roc.mean_curve(scores, self.membership, self.valid, CURVE_FPRS)
        return row, Curve(**vars(about), fpr=CURVE_FPRS.tolist(), tpr=tpr.tolist())

    def caught(self, scores: np.ndarray) -> np.ndarray:
        """Which points are called members at the headline false-positive rate: bool [targets, points]."""
        return roc.caught(scores, self.membership, self.valid, float(self.headline))

    def exposed(self, scores: np.ndarray, about: Attacked, ids: np.ndarray, most: int) -> list[ExposedRow]:
        """The points that are caught most often.

        Args:
          scores: [targets, points].
          about: what the attack saw and knew.
          ids: int [points].
          most: how many points.
        """
        counts = self.membership & self.valid
        times = np.maximum(counts.sum(axis=0), 1)
        share = (self.caught(scores) & counts).sum(axis=0) / times
        mean = np.where(counts, scores, 0.0).sum(axis=0) / times
        order = np.lexsort((ids, -mean, -share))[:most]
        return [
            ExposedRow(
                **vars(about),
                id=int(ids[i]),
                score=float(mean[i]),
                share_caught=float(share[i]),
                times_member=int(counts.sum(axis=0)[i]),
            )
            for i in order
        ]

    def groups(self, scores: np.ndarray, about: Attacked, group: str, levels: np.ndarray) -> list[GroupRow]:
        """True- and false-positive rates of each level of a group column, the threshold set over all points.

        Args:
          scores: [targets, points].
          about: what the attack saw and knew.
          group: name of the column.
          levels: [points], its values.
        """
        caught, rows = self.caught(scores), []
        at = leakage.RATES.index(self.headline)
        for level in np.unique(levels):
            part = levels == level
            tpr = bootstrap.mean_over_targets(self.rates(scores, of=part).tpr[at], self.resamples)
            alarms = self.valid & ~self.membership & part[None]
            with np.errstate(invalid="ignore", divide="ignore"):
                fpr = ((caught & alarms) @ self.resamples.points) / (alarms @ self.resamples.points)
            rows.append(
                GroupRow(
                    **vars(about),
                    group=group,
                    level=str(level),
                    points=int(part.sum()),
                    share=float(part.mean()),
                    tpr=bootstrap.estimate(tpr),
                    fpr=bootstrap.estimate(bootstrap.mean_over_targets(fpr, self.resamples)),
                )
            )
        return rows
