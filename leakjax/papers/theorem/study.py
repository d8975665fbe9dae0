"""The study of what can be revealed: constructions are drawn, tried by brute force and kept one by one."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment as packages
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.environment import environment
from leakjax.evaluate.document import from_json, to_json
from leakjax.papers.theorem import claims, constructions
from leakjax.papers.theorem.algorithm import DRAWS, d_wise, found
from leakjax.papers.theorem.document import LemmaRow, Theorem, TheoremRow
from leakjax.papers.theorem.family import Family, around, on_a_line, revealed
from leakjax.papers.theorem.lemma import one_in_truth, says_one, statement

_DIRECTIONS, _SPATIAL, _RUNS = 720, 10, 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the numbers.

    Attributes:
      families: drawn of each construction.
      records: of each family of the lemmas.
      tangents: numbers of records for lemma F.2.
      theorem_records: of each family of the theorem.
      theorem_features: likewise.
      seed: of all draws.
    """

    families: int
    records: int
    tangents: tuple[int, ...]
    theorem_records: int
    theorem_features: int
    seed: int


def theorem(
    settings: Settings, *, config: Mapping[str, Any], workdir: Workdir, say: Callable[[str], None]
) -> Theorem:
    """Tries every construction that the workdir does not hold.

    Args:
      settings: what decides the numbers.
      config: every setting of the run, for the document.
      workdir: keeps every finished construction.
      say: called with a line when one begins.
    """
    seconds: dict[str, float] = {}

    def kept(cls: type, name: str, compute: Callable[[], Any]) -> Any:
        def timed() -> dict[str, Any]:
            say(name)
            start = time.perf_counter()
            return {"row": to_json(compute()), "seconds": time.perf_counter() - start}

        stored = workdir.stage(name, fingerprint(environment=packages(), settings=settings), timed)
        seconds[name] = round(stored["seconds"], 2)
        return from_json(cls, stored["row"])

    lemmas = [
        kept(LemmaRow, name, partial(on_line, name, draw, settings))
        for name, draw in constructions.ON_A_LINE.items()
    ]
    lemmas += [
        kept(LemmaRow, "trained: alternating labels on a circle", lambda: on_circle(settings)),
        kept(LemmaRow, "meeting in a point, two features", lambda: in_space(settings)),
    ]
    for count in settings.tangents:
        for corrected in (False, True):
            name = f"{'raised tangents' if corrected else 'tangents'} of a parabola, {count} records"
            lemmas.append(
                kept(
                    LemmaRow,
                    name,
                    partial(on_parabola, name, count, corrected),
                )
            )
    rows = [kept(TheoremRow, f"theorem: {name}", partial(of_theorem, name, settings)) for name in DRAWS]
    return Theorem(
        config=config,
        environment=environment(),
        timings=seconds,
        lemmas=lemmas,
        theorem=rows,
        claims=claims.of_study(lemmas, rows),
    )


def on_line(name: str, draw: constructions.Draw, settings: Settings) -> LemmaRow:
    """Families of one feature: brute force beside lemma F.1."""
    families = [draw(rng, settings.records) for rng in _generators(settings)]
    counts = np.array([len(revealed(one, on_a_line(one))) for one in families])
    single = counts == 1
    kinds = sorted({statement(one) for one in families})
    says = {says_one(one) for one in families}
    return LemmaRow(
        construction=name,
        statement=" or ".join(str(kind) for kind in kinds),
        families=len(families),
        records=settings.records,
        features=1,
        expected="1 or at least 2" if len(says) > 1 else "1" if True in says else "at least 2",
        least=int(counts.min()),
        most=int(counts.max()),
        agrees=float(np.mean(single == [says_one(one) for one in families])),
        corrected=float(np.mean(single == [one_in_truth(one) for one in families])),
    )


def on_circle(settings: Settings) -> LemmaRow:
    """All points of a circle with alternating labels, under ordinary training."""
    families = [
        constructions.circle(rng, 2 * settings.records) for rng in _generators(settings, most=_SPATIAL)
    ]
    counts = [_in_plane(one, np.zeros(2)) for one in families]
    every = float(np.mean([count == 2 * settings.records for count in counts]))
    return _of_count(
        "trained: alternating labels on a circle", "figure 8, right", families, counts, "all", every, every
    )


def in_space(settings: Settings) -> LemmaRow:
    """Models of two features that meet the full one in one point: statement 2 is written for points of R^n."""
    families, counts = [], []
    for rng in _generators(settings, most=_SPATIAL):
        centre, w = rng.normal(size=2), rng.normal(size=2)
        ws = w + 0.5 * rng.normal(size=(settings.records, 2))
        families.append(Family(w, float(w @ centre), ws, ws @ centre))
        counts.append(_in_plane(families[-1], centre))
    single = float(np.mean([count == 1 for count in counts]))
    return _of_count("meeting in a point, two features", "2", families, counts, "1", single, 1 - single)


def on_parabola(name: str, count: int, corrected: bool) -> LemmaRow:
    """Lemma F.2: is every record revealed by some query?"""
    draw = constructions.raised_tangents if corrected else constructions.tangents
    family = draw(np.random.default_rng(0), count)
    reach = np.linspace(-2.0 * count, 3.0 * count, 200_001)[:, None]
    seen = len(revealed(family, reach))
    right = float(seen == count)
    return _of_count(name, "F.2", [family], [seen], "all", right, right if corrected else 0.0)


def of_theorem(name: str, settings: Settings) -> TheoremRow:
    """Algorithm 1 on families of one construction, beside the d of the theorem in both readings."""
    families = [
        DRAWS[name](rng, settings.theorem_records, settings.theorem_features)
        for rng in _generators(settings, most=_RUNS)
    ]
    keys = [jax.random.fold_in(jax.random.key(settings.seed), place) for place in range(len(families))]
    counts = np.array([found(one, key=key) for one, key in zip(families, keys, strict=True)])
    apart = np.array([d_wise(one.ws) for one in families])
    jointly = np.array([d_wise(one.ws, beside=one.w) for one in families])
    return TheoremRow(
        construction=name,
        runs=len(families),
        records=len(families[0].ws),
        features=settings.theorem_features,
        pairwise=int(apart.min()),
        jointly=int(jointly.min()),
        least=int(counts.min()),
        most=int(counts.max()),
        holds_pairwise=float(np.mean(counts >= apart)),
        holds_jointly=float(np.mean(counts >= jointly)),
    )


def _of_count(
    name: str,
    which: str,
    families: list[Family],
    counts: list[int],
    expected: str,
    agrees: float,
    corrected: float,
) -> LemmaRow:
    records, features = families[0].ws.shape
    return LemmaRow(
        construction=name,
        statement=which,
        families=len(families),
        records=records,
        features=features,
        expected=expected,
        least=min(counts),
        most=max(counts),
        agrees=agrees,
        corrected=corrected,
    )


def _in_plane(family: Family, centre: np.ndarray) -> int:
    return len(revealed(family, around(centre, directions=_DIRECTIONS, seed=0)))


def _generators(settings: Settings, most: int | None = None) -> list[np.random.Generator]:
    count = settings.families if most is None else min(settings.families, most)
    return [np.random.default_rng([settings.seed, place]) for place in range(count)]
