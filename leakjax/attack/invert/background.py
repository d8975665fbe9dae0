"""Leaking backgrounds: explanations over a background set name the rows of that set.

The Shapley values of a query over a background are the mean of its Shapley values over each row alone, because the
worth of a coalition is. One-row values need nothing but predictions of mixed examples: an attacker with candidates
computes them by plain queries (or on a model it knows) and solves for the rows. Integrated gradients, DeepLIFT and
expected gradients over a background are such means too; their terms need a model that the attacker knows.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.attack import needed
from leakjax.attack.invert.mixture import Named, name_members
from leakjax.explain import Segments
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, candidates that hold the background's rows, the segments, and how many rows there are"
MOST_PLAYERS = 12  # 4,096 plain queries a candidate and explained query
OUTPUTS = ("probability", "log_probability")

# log-probabilities [queries, classes] of examples [queries, ...]
Predict = Callable[[np.ndarray], np.ndarray]
# [candidates, numbers] of the query at a place [queries], explained for a class, over each candidate alone
Alone = Callable[[int, int], np.ndarray]


class Recovered(NamedTuple):
    """What an attack on a background found.

    Attributes:
      named: the rows, as candidates.
      explained: explained queries that were answered.
      note: what kept the attack from going on, "" if nothing did.
    """

    named: Named | None
    explained: int
    note: str


def recover_background(
    oracle: Oracle[Answer],
    queries: np.ndarray,
    candidates: np.ndarray,
    *,
    segments: Segments,
    rows: int,
    seed: int,
    output: str = "probability",
    known: Predict | None = None,
    released: Callable[[np.ndarray], np.ndarray] | None = None,
    sparse: bool = False,
    terms: np.ndarray | None = None,
) -> Recovered:
    """Finds which candidates are the background of a Shapley explainer.

    One argument for each thing that the attacker knows or may spend.

    Args:
      oracle: releases vectors of probabilities, and Shapley values over its background.
      queries: [queries, ...], to be explained; any points of the attacker's own.
      candidates: [candidates, ...].
      segments: which features are players together, as the service's documentation or its maps say.
      rows: of the background.
      seed: of the simulations that the residual is compared with.
      output: whose Shapley values they are, of the explained class: a name in `OUTPUTS`.
      known: predicts instead of the oracle, for an attacker who has the weights.
      released: what the service does to Shapley values [queries x players] before it shows them; see `name_members`.
      sparse: whether zeros mean that a value was left out, as after `keep_top_k`.
      terms: [candidates, queries, players] from `one_row_values` of an attack before on the same model and queries;
        they do not depend on what is done to explanations. None: they are asked for.

    Returns:
      `Recovered`.

    Raises:
      UsageError: fewer than two candidates, too many players, another output, predictions without probabilities.
    """
    if segments.count > MOST_PLAYERS:
        raise fail("segments", segments.count, f"must be at most {MOST_PLAYERS}: 2^segments queries each")
    if output not in OUTPUTS:
        raise fail("output", output, f"must be one of {', '.join(OUTPUTS)}: what answers can say")
    predict = known or _asking(oracle)

    def alone(place: int, explained: int) -> np.ndarray:
        if terms is not None:
            return terms[:, place]
        return one_row_values(predict, queries[place], candidates, segments, explained, output)

    return recover_rows(
        oracle,
        queries,
        candidates,
        alone=alone,
        rows=rows,
        seed=seed,
        numbers=lambda maps: player_values(maps, segments),
        released=released,
        sparse=sparse,
    )


def recover_rows(
    oracle: Oracle[Answer],
    queries: np.ndarray,
    candidates: np.ndarray,
    *,
    alone: Alone,
    rows: int,
    seed: int,
    numbers: Callable[[np.ndarray], np.ndarray] | None = None,
    released: Callable[[np.ndarray], np.ndarray] | None = None,
    sparse: bool = False,
    units: bool = False,
) -> Recovered:
    """Finds which candidates an explanation is the mean over, whatever explains: Shapley values, gradients on a path.

    Args:
      oracle: releases explanations that are a mean over a background's rows.
      queries: [queries, ...], to be explained; any points of the attacker's own.
      candidates: [candidates, ...].
      alone: (place of a query, its explained class) -> [candidates, numbers]: what would be shown of it over each
        candidate alone, as far as the attacker can say.
      rows: of the background.
      seed: of the simulations that the residual is compared with.
      numbers: reads maps [queries, ...] as [queries, numbers]; None: every value of them.
      released: what the service does to [queries x numbers] before it shows them; see `name_members`.
      sparse: whether zeros mean that a value was left out, as after `keep_top_k`.
      units: whether each map is shown in a unit of its own, as after `normalize`.

    Returns:
      `Recovered`.

    Raises:
      UsageError: fewer than two candidates, no query, a release without explanations.
    """
    if len(candidates) < 2:
        raise fail("candidates", len(candidates), "must be at least 2, or there is nobody to tell apart")
    if not len(queries):
        raise fail("queries", 0, "must be at least 1")
    answer = oracle.ask(queries)
    shown = needed.explanations(answer)[0]
    told = np.flatnonzero(answer.answered & np.isfinite(_flat(shown)).all(axis=1))
    if not len(told):
        return Recovered(None, 0, f"none of {len(queries)} explained queries was answered")
    observed = (numbers or _flat)(shown[told])
    found_terms: list[np.ndarray] = []
    note = ""
    for place, explained in zip(told, answer.explained_class[told, 0], strict=True):
        values = alone(int(place), int(explained))
        if not np.isfinite(values).all():
            note = f"the oracle refused plain queries after {len(found_terms)} of {len(told)} explanations"
            break
        found_terms.append(values)
    if not found_terms:
        return Recovered(None, 0, note)
    seen = observed[: len(found_terms)].reshape(-1)
    found = name_members(
        np.concatenate(found_terms, axis=1),
        seen,
        members=rows,
        seed=seed,
        released=released,
        shown=seen != 0 if sparse else None,
        pieces=len(found_terms) if units else None,
    )
    if len(told) < len(queries):
        note = note or f"{len(queries) - len(told)} of {len(queries)} explained queries were not answered"
    return Recovered(found, len(found_terms), note)


def one_row_values(
    predict: Predict,
    x: np.ndarray,
    candidates: np.ndarray,
    segments: Segments,
    explained: int,
    output: str,
) -> np.ndarray:
    """The exact Shapley values of an example over each candidate alone.

    Args:
      predict: log-probabilities of examples.
      x: [...].
      candidates: [candidates, ...].
      segments: the players.
      explained: the class.
      output: "probability" or "log_probability".

    Returns:
      [candidates, players], float64.
    """
    players = segments.count
    shown = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    masks = shown[:, np.broadcast_to(np.asarray(segments.map), x.shape)]
    mixed = np.where(masks[None], x, np.asarray(candidates)[:, None])
    logs = predict(mixed.reshape(-1, *x.shape))[:, explained].astype(np.float64)
    worth = (np.exp(logs) if output == "probability" else logs).reshape(len(candidates), 2**players)
    return worth @ _shapley_weights(shown)


def player_values(maps: np.ndarray, segments: Segments) -> np.ndarray:
    """Of maps [queries, ...] that give each feature its segment's value, those values [queries, segments]."""
    where = np.broadcast_to(np.asarray(segments.map), maps.shape[1:]).reshape(-1)
    first = np.array([np.flatnonzero(where == player)[0] for player in range(segments.count)])
    return _flat(maps)[:, first].astype(np.float64)


def _shapley_weights(shown: np.ndarray) -> np.ndarray:
    """[coalitions, players]: what the worth of each coalition counts in each player's value."""
    players = shown.shape[1]
    size = shown.sum(axis=1, keepdims=True) - shown
    chance = np.array([1 / (players * math.comb(players - 1, s)) for s in range(players)])[size]
    return np.where(shown, chance, -chance)


def _asking(oracle: Oracle[Answer]) -> Predict:
    def predict(x: np.ndarray) -> np.ndarray:
        return needed.vectors(oracle.ask(x, plain=True))

    return predict


def _flat(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1)
