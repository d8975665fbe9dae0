"""How much of its training data does a service give away that explains predictions by training records?

    python -m experiments.records --dataset=adult

trains a logistic regression on 2,000 people of UCI Adult ten times over, with every leave-one-out model, and
attacks its explanations as section 5 of Shokri, Strobel and Zick (Privacy Risks of Explaining Machine
Learning Models) does. Expect 11 / 21 / 28 % of the records to reveal themselves at k = 1 / 5 / 10 and some 91
to fall to subspace reduction; about four minutes on one core, half a minute with --parts=draws.

Other data sets: fashion_mnist (two classes, lifted to 2,048 random features, 1,800 points: all fall;
half a minute), parkinsons (--source_dir with pd_speech.csv or pd_speech.csv.gz) and npz:<path> with binary
labels.

The workdir receives config.json, metrics.jsonl, report.json, report.html and figures/. The same command on
the same workdir resumes it. Exit codes: 0 done, 1 failed, 2 bad usage.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import app, flags, logging

from leakjax._validate import UsageError, at_least, fail, one_of
from leakjax.auditing.environment import environment
from leakjax.data import adult, default_data_dir, load
from leakjax.evaluate.document import dumps
from leakjax.records import compare, encode, figures, section, study, summary
from leakjax.records.document import (
    AgreementRow,
    DefenseRow,
    Network,
    RecordsReport,
    RecordsTask,
    Results,
)
from leakjax.report.schema import write_file

PARTS = ("draws", "defenses", "approximations", "network", "sweep", "sizes")
# Below it, the rounding of 1e-9-converged models looks like records beyond the rank.
THRESHOLDS = {("adult", "probability"): 1e-13, ("adult", "cross_entropy"): 1e-12}
POINTS = {"adult": 2000, "parkinsons": 200, "fashion_mnist": 1800}

flags.DEFINE_string("dataset", "adult", "adult, fashion_mnist, parkinsons or npz:<path>.")
flags.DEFINE_string("data_dir", None, "Folder where data sets are kept once prepared.")
flags.DEFINE_string(
    "source_dir", None, "Folder with the original files; nothing is downloaded that is there."
)
flags.DEFINE_string("workdir", None, "Folder for results; runs/records-<dataset> if unset.")
flags.DEFINE_list("parts", None, f"Which of {', '.join(PARTS)}; all for adult, draws alone otherwise.")
flags.DEFINE_integer("draws", None, "Draws of training points; 10, or 1 for fashion_mnist.")
flags.DEFINE_integer(
    "points", None, "Training points of a draw; 2000 (adult), 200 (parkinsons), 1800 (fashion_mnist)."
)
flags.DEFINE_integer("seed", 0, "Of everything that is drawn.")
flags.DEFINE_float("l2", 1.0, "Penalty on the sum of losses, the 1/C of scikit-learn.")
flags.DEFINE_string("scaling", "zscore", f"Of continuous features: {', '.join(encode.SCALINGS)}.")
flags.DEFINE_string(
    "loss", "probability", "Whose change is the influence: probability (the paper's) or cross_entropy."
)
flags.DEFINE_integer("k", 5, "Records of an explanation, for the influence graph and the defenses.")
flags.DEFINE_integer("queries", 1000, "Queries of a static batch.")
flags.DEFINE_integer("walks", 20, "Starts from which each strategy walks the influence graph.")
flags.DEFINE_list(
    "oracles", None, f"For Algorithm 1: {', '.join(study.ORACLES)}; exact alone for fashion_mnist."
)
flags.DEFINE_float(
    "threshold",
    None,
    "Influence that Algorithm 1 takes for noise; 1e-13 for adult (1e-12 by cross_entropy), 1e-14 otherwise.",
)
flags.DEFINE_integer("network_points", 200, "Records of the network, which is retrained without each.")
flags.DEFINE_list("pair", ["5", "7"], "The two classes of fashion_mnist.")
flags.DEFINE_integer("width", 2048, "Random features of fashion_mnist.")


@dataclasses.dataclass(frozen=True)
class Config:
    """What decides the numbers of a run."""

    dataset: str
    parts: tuple[str, ...]
    draws: int
    points: int | None
    seed: int
    l2: float
    scaling: str
    loss: str
    k: int
    queries: int
    walks: int
    oracles: tuple[str, ...]
    threshold: float
    network_points: int
    pair: tuple[int, int]
    width: int


def config_from(values: Any) -> Config:
    """The config of parsed flags; UsageError names the flag that is wrong."""
    large = values.dataset == "fashion_mnist"
    parts = values.parts or (PARTS if values.dataset == "adult" else PARTS[:1])
    oracles = values.oracles or (("exact",) if large else tuple(study.ORACLES))
    for name, given, allowed in (("parts", parts, PARTS), ("oracles", oracles, study.ORACLES)):
        for each in given:
            one_of(name, each, allowed)
    one_of("scaling", values.scaling, encode.SCALINGS)
    one_of("loss", values.loss, compare.LOSSES)
    draws = values.draws if values.draws is not None else 1 if large else 10
    points = values.points if values.points is not None else POINTS.get(values.dataset)
    for name, value, least in (
        ("draws", draws, 1), ("l2", values.l2, 0), ("k", values.k, 1), ("queries", values.queries, 1),
        ("walks", values.walks, 1), ("network_points", values.network_points, 2), ("width", values.width, 1),
    ):  # fmt: skip
        at_least(name, value, least)
    if points is not None and values.k > points:
        raise fail("k", values.k, f"must be at most points={points}, the size of the training set")
    if len(values.pair) != 2 or not all(each.isdigit() for each in values.pair):
        raise fail("pair", ",".join(values.pair), "must be two classes, as in 5,7")
    threshold = THRESHOLDS.get((values.dataset, values.loss), 1e-14)
    same = ("dataset", "seed", "l2", "scaling", "loss", "k", "queries", "walks", "network_points", "width")
    return Config(
        **{name: getattr(values, name) for name in same},
        parts=tuple(parts),
        draws=draws,
        points=points,
        oracles=tuple(oracles),
        threshold=values.threshold if values.threshold is not None else threshold,
        pair=(int(values.pair[0]), int(values.pair[1])),
    )


def load_task(config: Config, data_dir: str | None, source_dir: str | None, scaling: str) -> encode.Task:
    """The task of a config, with its continuous features scaled."""
    source = Path(source_dir).expanduser() if source_dir else None
    if config.dataset == "adult":
        return encode.adult(
            adult.raw(Path(data_dir or default_data_dir()).expanduser(), source), scaling=scaling
        )
    if config.dataset == "parkinsons":
        if source is None:
            raise UsageError(
                "source_dir: parkinsons needs the folder that holds pd_speech.csv or pd_speech.csv.gz"
            )
        plain = source / "pd_speech.csv"
        return encode.parkinsons(plain if plain.exists() else source / "pd_speech.csv.gz", scaling=scaling)
    if config.dataset == "fashion_mnist":
        points = load("fashion_mnist", data_dir=data_dir, source_dir=source_dir)
        key = jax.random.fold_in(jax.random.key(config.seed), 1_000_000)
        return encode.pair(points.x, points.y, config.pair, width=config.width, key=key, name="fashion_mnist")
    if not config.dataset.startswith("npz:"):
        one_of("dataset", config.dataset, [*POINTS, "npz:<path>"])
    points = load(config.dataset, data_dir=data_dir)
    if points.classes != 2:
        raise UsageError(f"dataset={config.dataset!r}: has {points.classes} classes, a records audit needs 2")
    x = encode.scale(points.x.reshape(len(points.x), -1).astype(np.float64), scaling)
    return encode.Task(points.name, x, points.y, np.arange(x.shape[1]), dict(points.groups))


Work = tuple[str, int, Callable[[], Any]]


def work(config: Config, load_scaled: Callable[[str], encode.Task]) -> Iterator[Work]:
    """Every unit of work: its part, its number within it, and the function that measures it."""
    task = load_scaled(config.scaling)
    points = config.points or len(task.y) // 2

    def key(index: int) -> jax.Array:
        return jax.random.fold_in(jax.random.key(config.seed), index)

    def make(index: int) -> study.Draw:
        return study.make_draw(task, points, l2=config.l2, key=key(index))

    def one_draw(index: int) -> dict[str, Any]:
        drawn = make(index)
        return {
            "membership": study.membership(task, drawn, loss=config.loss),
            "static": study.static(task, drawn, queries=config.queries, loss=config.loss),
            "graph": study.graph(drawn, k=config.k, walks=config.walks, loss=config.loss),
            "subspace": study.subspace(
                drawn, oracles=config.oracles, loss=config.loss, threshold=config.threshold
            ),
        }

    def defenses(index: int) -> dict[str, Any]:
        return study.defenses(
            task,
            make(index),
            k=config.k,
            queries=config.queries,
            loss=config.loss,
            threshold=config.threshold,
        )

    def approximations(index: int) -> dict[str, Any]:
        drawn = make(index)
        some = drawn.outside[:200]
        return compare.compare_linear(drawn.service, task.x[some], task.y[some])

    def network(index: int, l2: float) -> dict[str, Any]:
        rows, others = encode.draw(task, config.network_points, key=key(index))
        return compare.compare_network(
            task,
            rows,
            others,
            l2=l2,
            k=min(config.k, len(rows)),
            queries=config.queries,
            loss=config.loss,
            key=key(index),
        )

    def setting(index: int, l2: float, scaling: str) -> dict[str, Any]:
        drawn = study.make_draw(load_scaled(scaling), points, l2=l2, key=key(index))
        return {
            "setting": f"{scaling}, lambda = {l2 / points:g}",
            **study.brief(drawn, k=config.k, loss=config.loss),
        }

    def size(index: int, count: int) -> dict[str, Any]:
        drawn = study.make_draw(task, count, l2=config.l2, key=key(index))
        return {"points": count, **study.brief(drawn, k=config.k, loss=config.loss)}

    repeats = range(min(3, config.draws))
    settings = [(l2, scaling) for scaling in ("zscore", "minmax") for l2 in (0.01, 0.1, 1.0, 10.0, 100.0)]
    sizes = [
        count
        for count in (points // 8, points // 4, points // 2, points, 2 * points)
        if 10 < count <= len(task.y)
    ]
    units: dict[str, list[Callable[[], Any]]] = {
        "draws": [partial(one_draw, i) for i in range(config.draws)],
        "defenses": [partial(defenses, i) for i in repeats],
        "approximations": [partial(approximations, 0)],
        "network": [partial(network, 0, l2) for l2 in (1.0, 5.0)],
        "sweep": [partial(setting, i, *each) for each in settings for i in repeats],
        "sizes": [partial(size, i, count) for count in sizes for i in repeats],
    }
    for part in config.parts:
        for number, measure in enumerate(units[part]):
            yield part, number, measure


def run(config: Config, workdir: Path, load_scaled: Callable[[str], encode.Task]) -> dict[str, Any]:
    """Measures what the workdir does not hold yet; returns the rows of each part."""
    rows: dict[str, dict[int, Any]] = {part: {} for part in config.parts}
    seconds: dict[str, float] = dict.fromkeys(config.parts, 0.0)
    log = workdir / "metrics.jsonl"
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # the line that a kill cut short is measured again
        rows[row["part"]][row["number"]] = row["result"]
        seconds[row["part"]] += row["seconds"]
    for part, number, measure in work(config, load_scaled):
        if number in rows[part]:
            continue
        start = time.perf_counter()
        result = json.loads(json.dumps(measure()))
        took = time.perf_counter() - start
        rows[part][number], seconds[part] = result, seconds[part] + took
        with log.open("a") as file:
            file.write(json.dumps({"part": part, "number": number, "seconds": took, "result": result}) + "\n")
        print(f"{part} {number}: {took:.1f} s", flush=True)
    return {"rows": {part: list(found.values()) for part, found in rows.items()}, "seconds": seconds}


def results_of(rows: dict[str, list[Any]]) -> Results:
    """The results of report.json from the rows of each part."""
    draws = summary.summarise_draws(rows["draws"])
    settings: dict[str, list[Any]] = {}
    for row in rows.get("sweep", []):
        settings.setdefault(row["setting"], []).append({k: v for k, v in row.items() if k != "setting"})
    nets = {f"{net['records']} records, l2 = {net['l2']:g}": net for net in rows.get("network", [])}
    linear = rows.get("approximations", [{}])[0]
    approximations = {
        f"influence functions, logistic regression, {loss}": AgreementRow(**row)
        for loss, row in linear.items()
    }
    for named, network in nets.items():
        for name, row in network["agreement"].items():
            approximations[f"{name}; network, {named}"] = AgreementRow(**row, residual=None)
    return Results(
        draws=draws,
        beside_paper=summary.beside_paper(draws),
        defenses=summary.average_defenses(rows.get("defenses", [])),
        sweep={name: summary.average_rows(alike) for name, alike in settings.items()},
        approximations=approximations,
        networks={named: network_of(network) for named, network in nets.items()},
        sizes=rows.get("sizes", []),
    )


def network_of(network: dict[str, Any]) -> Network:
    """The attacks on one network, at a few numbers of queries."""
    curves = network["discovered"]
    asked = [count for count in (100, 1000, 10_000, 20_000) if count <= len(curves["descent"])]
    return Network(
        queries=asked,
        records=network["records"],
        accuracy=network["accuracy"],
        defenses={name: DefenseRow(**row) for name, row in network["defenses"].items()},
        discovered={name: [curve[n - 1] for n in asked] for name, curve in curves.items()},
    )


def publish(config: Config, workdir: Path, measured: dict[str, Any]) -> RecordsReport:
    """Writes report.json, figures/ and report.html; returns the report."""
    rows = measured["rows"]
    report = RecordsReport(
        config=dataclasses.asdict(config),
        environment=environment(),
        task=RecordsTask(dataset=config.dataset, points=rows["draws"][0]["membership"]["records"]),
        results=results_of(rows),
        timings=measured["seconds"],
    )
    write_file(workdir / "report.json", dumps(report).encode())
    images = figures.images(report.results.draws, rows["draws"], report.results.sizes)
    for name, content in images.items():
        write_file(workdir / "figures" / f"{name}.png", content)
    write_file(workdir / "report.html", section.page(report, images).encode())
    return report


def claim(workdir: Path, config: Config) -> None:
    """Takes a workdir for a config; UsageError names the flags that differ from those of its results."""
    path = workdir / "config.json"
    mine = json.loads(json.dumps({"schema": RecordsReport.SCHEMA, **dataclasses.asdict(config)}))
    try:
        theirs = json.loads(path.read_text()) if path.exists() else mine
        write_file(path, (json.dumps(theirs, indent=1) + "\n").encode())
    except OSError as error:
        raise fail("workdir", str(workdir), f"cannot be written ({error.strerror})") from None
    except json.JSONDecodeError:
        raise fail("workdir", str(workdir), "its config.json is damaged; remove it") from None
    differ = [name for name in mine if theirs.get(name) != mine[name]]
    if differ:
        raise fail("workdir", str(workdir), f"holds a run with another {', '.join(differ)}; choose another")


def main(argv: list[str]) -> int:
    """Reads the flags and runs; 0, or 2 for what the user can mend."""
    try:
        if not flags.FLAGS["verbosity"].present:  # absl has raised the default to INFO by now
            logging.set_verbosity(logging.WARNING)
        if len(argv) > 1:
            raise UsageError(f"unexpected argument {argv[1]!r}: flags start with --")
        values = flags.FLAGS
        config = config_from(values)
        if "draws" not in config.parts:
            raise fail("parts", ",".join(config.parts), "must contain draws")
        tasks: dict[str, encode.Task] = {}

        def load_scaled(scaling: str) -> encode.Task:
            if scaling not in tasks:
                tasks[scaling] = load_task(config, values.data_dir, values.source_dir, scaling)
            return tasks[scaling]

        load_scaled(config.scaling)  # first: a data set that is missing must not leave a workdir behind
        workdir = Path(values.workdir or f"runs/records-{config.dataset.replace(':', '-').replace('/', '-')}")
        claim(workdir.expanduser(), config)
        report = publish(config, workdir.expanduser(), run(config, workdir.expanduser(), load_scaled))
        print(section.lead(report))
        for row in report.results.beside_paper if config.dataset == "adult" else ():
            ours, spread, paper = map(section.number, (row.ours, row.spread, row.paper))
            print(f"{section.NAMES.get(row.what, row.what):38} {ours:>8} ± {spread:<8} paper {paper}")
        print(f"report: {workdir / 'report.html'}")
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; a bad one is one line and exit status 2, help is status 0."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit:
        raise SystemExit(0) from None


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
