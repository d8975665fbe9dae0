"""Whether explanations name the points that they compare with, and what protects those: a part of the audit.

Where an explainer takes a background, the first target explains queries over it behind an oracle, and an attacker
looks for its rows among candidates: the rows, and audited points beside them. Then the same service hardens its
explanations, or compares with something else in the place of the rows, and is attacked again.
"""

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from scipy import stats

from leakjax import defend
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import fingerprint
from leakjax.attack.invert.background import recover_rows
from leakjax.attack.invert.known_guard import known_guard
from leakjax.attack.invert.mixture import name_members
from leakjax.auditing.compared import FRESH, Compared
from leakjax.auditing.resolve import Methods
from leakjax.auditing.rows import explained
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense
from leakjax.evaluate.document import BackgroundRow, Estimate, from_json, to_json
from leakjax.evaluate.document.backgrounds import BACKGROUND
from leakjax.explain import Named

ANEW = f"one in {FRESH} of its rows, drawn anew for each query"
EPSILON, DELTA = 4.0, 1e-5
MOST = 100  # rows that are sought: of a larger background, so many are the service's
OTHERS = 3  # candidates beside each row, as far as there are points
QUERIES, FEWEST = 30, 2
NUMBERS = 100_000  # that explained queries show at most, unless the fewest show more
_STAGE = 101  # of the audit's key


class Attacked(NamedTuple):
    """One explainer of one target, and an attacker with queries and candidates.

    Attributes:
      compared: the model and its explainer.
      rows: [rows, ...] of the background, which are sought.
      candidates: [candidates, ...], the rows among them.
      sought: int [rows], which of the candidates they are.
      queries: [queries, ...] to be explained.
      terms: [candidates, queries, ...], the explanation over each candidate alone.
      plain: queries for predictions alone that they took.
      knows: what the attacker has of the model.
    """

    compared: Compared
    rows: np.ndarray
    candidates: np.ndarray
    sought: np.ndarray
    queries: np.ndarray
    terms: np.ndarray
    plain: int
    knows: Literal["answers", "weights"]


def backgrounds(
    subject: Subject,
    methods: Methods,
    background: np.ndarray | None,
    *,
    store: Workdir | None = None,
    marks: Mapping[str | None, str],
) -> list[BackgroundRow]:
    """Attacks the background of every explainer that takes one; nothing is run where none does.

    Args:
      subject: whose first target is attacked.
      methods: its explainers and defenses. A function of the user's own hides what it compares with, and is left out.
      background: [rows, ...], for the methods that cannot do without.
      store: of rows that were found before.
      marks: fingerprints of what was found with each explainer, by its name; none without a store.

    Returns:
      For each explainer a row of the background, of hardened explanations over it, and of what may stand in its place.
    """
    found: dict[str, list[BackgroundRow]] = {}
    for name, method, rows in with_background(methods, background):
        work = functools.partial(
            _work, subject, method, rows.astype(subject.points.x.dtype), methods.defenses
        )
        if method.name in found:
            continue
        if store is None:
            kept = work()
        else:
            mark = fingerprint(explainer=marks[name], part=method.name)
            kept = store.stage(f"background {method.name}", mark, work)
        found[method.name] = [from_json(BackgroundRow, row, "backgrounds") for row in kept["rows"]]
    return [row for rows in found.values() for row in rows]


def with_background(methods: Methods, background: np.ndarray | None) -> list[tuple[str, Named, np.ndarray]]:
    """The audited name, the method and the rows of each that compares with rows; of some shown together, each."""
    parts = [(name, part) for name, method in methods.named.items() for part in method.parts or (method,)]
    held = [(name, part, part.background(background)) for name, part in parts]
    return [(name, part, np.asarray(rows)) for name, part, rows in held if rows is not None]


def instead(rows: np.ndarray, points: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """What may stand in the place of a background, by what it is: as many rows each, so that programs are shared.

    Args:
      rows: [rows, ...].
      points: [points, ...], others of the same kind, whose range bounds what is noisy.
      seed: of what is drawn.
    """
    few, private = max(1, len(rows) // 4), max(1, len(rows) // 50)
    whole = lambda found: np.resize(found, rows.shape)
    noisy = defend.private_centres(
        rows,
        private,
        epsilon=EPSILON,
        delta=DELTA,
        low=points.min(axis=0),
        high=points.max(axis=0),
        seed=seed,
    )
    return {
        "zeros": np.zeros_like(rows),
        "the mean of its rows": whole(defend.mean_row(rows)),
        "synthetic rows, feature by feature": defend.shuffled(rows, seed=seed),
        f"k-means centres, {few} of its rows": defend.centres(rows, few, seed=seed),
        f"k-means centres, {private}, private at epsilon {EPSILON:g}": whole(noisy),
    }


def _work(
    subject: Subject, method: Named, held: np.ndarray, defenses: Mapping[str, Defense]
) -> dict[str, Any]:
    attacked = _attacked(subject, method, held)
    plain, maps = _row(subject, attacked, BACKGROUND, attacked.rows)
    row = functools.partial(_row, subject, attacked, plain=maps)
    hardening = [one for name, one in defenses.items() if name != defend.identity().name]
    found = [plain, *(row(BACKGROUND, attacked.rows, defense=one)[0] for one in hardening)]
    others = instead(attacked.rows, subject.points.x, seed=subject.seed)
    found += [row(name, rows)[0] for name, rows in others.items()]
    found.append(row(ANEW, attacked.rows, fresh=True)[0])
    return {"rows": [to_json(each) for each in found]}


def _attacked(subject: Subject, method: Named, held: np.ndarray) -> Attacked:
    draws = np.random.default_rng([subject.seed, _STAGE])
    target, points = subject.targets[0], subject.points.x
    models = subject.variables if subject.explained_by is None else subject.explained_by
    variables = jax.tree.map(lambda leaf: leaf[target], models)
    compared = Compared(subject.logits_fn, variables, method, jax.random.fold_in(subject.key, _STAGE))
    rows = held[np.sort(draws.permutation(len(held))[:MOST])]
    others = points[draws.permutation(len(points))[: OTHERS * len(rows)]]
    # Their places say nothing about who is who.
    places = draws.permutation(len(rows) + len(others))
    candidates = np.concatenate([rows, others])[places]
    asked = int(np.clip(NUMBERS // points[0].size, FEWEST, QUERIES))
    queries = points[draws.permutation(len(points))[:asked]]
    terms, plain, knows = compared.terms(queries, candidates, vector="vector" in subject.releases)
    return Attacked(
        compared, rows, candidates, np.flatnonzero(places < len(rows)), queries, terms, plain, knows
    )


def _row(
    subject: Subject,
    attacked: Attacked,
    name: str,
    rows: np.ndarray,
    *,
    defense: Defense | None = None,
    fresh: bool = False,
    plain: np.ndarray | None = None,
) -> tuple[BackgroundRow, np.ndarray]:
    """What is found of a service that compares with some rows, and its maps [queries, ...].

    Args:
      subject: what is audited.
      attacked: the explainer, and who attacks it.
      name: of what it compares with.
      rows: [rows, ...].
      defense: of its maps.
      fresh: whether each query is compared with other ones of these rows.
      plain: maps over the background itself; None: these are they.
    """
    guard = defense or defend.identity()
    key = jax.random.fold_in(attacked.compared.key, 2)
    known = known_guard(defense, attacked.queries, attacked.terms, key)
    offered = attacked.compared.offered(rows, defense=guard, fresh=fresh)
    count = len(attacked.sought)
    found = recover_rows(
        offered,
        attacked.queries,
        attacked.candidates,
        alone=lambda place, _: known.terms[:, place],
        rows=count,
        seed=subject.seed,
        released=known.released,
        sparse=known.sparse,
        units=known.units,
    )
    assert offered.transcript is not None
    maps = offered.transcript.lines[0].answer.explanations[0]
    named, without = found.named, float("nan")
    others = np.setdiff1d(np.arange(len(known.terms)), attacked.sought)
    if named is not None and len(others) > 1:
        seen = maps.reshape(-1)
        without = name_members(
            known.terms[others].reshape(len(others), -1),
            seen,
            members=count,
            seed=0,
            shown=seen != 0 if known.sparse else None,
            simulations=0,
            pieces=len(maps) if known.units else None,
        ).residual
    right = 0 if named is None else int(np.isin(named.members, attacked.sought).sum())
    about = explained(attacked.compared.method.name, attacked.compared.method, guard.name, subject)
    row = BackgroundRow(
        **{**vars(about), "explained_class": "predicted"},
        compared_with=name,
        knows=attacked.knows,
        rows=count,
        candidates=len(known.terms),
        explained=offered.explained,
        plain=attacked.plain,
        recovered=share(right, count),
        chance=count / len(known.terms),
        residual=float("nan") if named is None else named.residual,
        residual_without=without,
        believed=named is not None and named.inside,
        cosine=_cosine(maps if plain is None else plain, maps),
    )
    return row, maps


def share(right: int, count: int) -> Estimate:
    """A share of so many with its 95 % interval (Clopper-Pearson)."""
    low = float(stats.beta.ppf(0.025, right, count - right + 1)) if right else 0.0
    high = float(stats.beta.ppf(0.975, right + 1, count - right)) if right < count else 1.0
    return Estimate(right / count, low, high)


def _cosine(plain: np.ndarray, maps: np.ndarray) -> float:
    """The mean over queries; NaN where maps have another shape."""
    if plain.shape != maps.shape:
        return float("nan")
    one, other = (each.reshape(len(each), -1).astype(np.float64) for each in (plain, maps))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(axis=1) / np.where(norms > 0, norms, 1)))
