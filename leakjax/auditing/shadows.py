"""Leakage against the number of models: whether more shadows would find more."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from leakjax import _progress, _validate
from leakjax.attack.stacked import LEAST_MODELS
from leakjax.auditing.explanations import defend_program, explain_program
from leakjax.auditing.judge import Judge
from leakjax.auditing.measure import attack
from leakjax.auditing.predictions import predict_program
from leakjax.auditing.resolve import Methods
from leakjax.auditing.rows import Results
from leakjax.auditing.subject import Subject
from leakjax.evaluate.document import ShadowsRow

_TARGETS = 8  # the same ones for every number of models, so that these differ in nothing else


def check_counts(counts: Sequence[int], models: int) -> list[int]:
    """Numbers of models in ascending order; UsageError where one is more than there are or too few to learn from."""
    for count in counts:
        if not LEAST_MODELS <= count <= models:
            rule = f"must lie between {LEAST_MODELS} and the {models} models that there are"
            raise _validate.fail("model_counts", count, rule)
    return sorted(set(counts))


def of_models(subject: Subject, count: int) -> Subject:
    """The same audit with the first models alone, of which the first few are attacked."""
    first = lambda tree: jax.tree.map(lambda leaf: leaf[:count], tree)
    return dataclasses.replace(
        subject,
        variables=first(subject.variables),
        explained_by=first(subject.explained_by),
        model_ids=subject.model_ids[:count],
        membership=subject.membership[:count],
        targets=np.arange(_TARGETS),
    )


def by_models(methods: Methods, results: Results, counts: Sequence[int]) -> list[ShadowsRow]:
    """Attacks the first models with the help of ever more others, under the leading release.

    Args:
      methods: the first explainer and the first defense stand for all.
      results: of the same methods.
      counts: from `check_counts`.

    Returns:
      A row for each number of models.
    """
    explainer, defense = next(iter(methods.explainers.values())), next(iter(methods.defenses.values()))
    several = bool(next(iter(methods.named.values())).parts)
    (subject, *_), _, explanation = next(iter(results.values()))
    rows = []
    for count in _progress.track(list(counts)):
        few = of_models(subject, count)
        scores = attack(
            predict_program(few),
            explain_program(few, explainer),
            defend_program(few, defense, several=several),
            few,
        )
        judge = Judge(few, seed=few.seed).narrowed(scores.valid)
        alone, both = judge.rates(scores.prediction[0]), judge.rates(scores.both[0])
        row = ShadowsRow(
            **vars(explanation),
            release=few.releases[0],
            models=count,
            targets=len(few.targets),
            headline_fpr=judge.headline,
            prediction=judge.headline_tpr(alone),
            explanation=judge.headline_tpr(judge.rates(scores.explanation)),
            both=judge.headline_tpr(both),
            margin=judge.added(both, alone).tpr_at_fpr[judge.headline],
        )
        rows.append(row)
    return rows
