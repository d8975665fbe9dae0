r"""Trains an ensemble of shadow models in blocks: any number, killable at any moment, on one machine or many.

    python -m experiments.train_shadows --models=1024 --workdir=runs/digits-1024

trains 1,024 small networks on 1,797 handwritten digits, each on a random half. The same command goes on where it
stopped; --models=2048 adds as many again. The audit reads them by --ensemble=runs/digits-1024, Python by
leakjax.shadow.load("runs/digits-1024"). With --answers --explainers=gradient it writes what all models answer to all
points to answers.npz beside them, which the audit of answers reads: python -m experiments.score --answers=FILE.

On many hosts the same command runs on each, over one shared directory, each host training its own blocks:

    python -m experiments.train_shadows --models=4096 --block=256 --workdir=/shared/run --distributed
    python -m experiments.train_shadows ... --coordinator=10.0.0.1:1234 --processes=2 --process=0

--distributed finds the others by itself on TPU pods and under Slurm. No host waits for another while it trains: where
one dies, the others finish their blocks, and its own wait until it is started again; where process 0 dies, so do the
others, and the same command goes on. With --processes and --process alone, without a coordinator, none can harm
another: whichever dies, process 0 too, the others finish. Exit codes: 0 done, 2 bad usage.
"""

import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from rich.console import Console

from leakjax import _spec, models, shadow
from leakjax._validate import at_least, one_of, seed
from leakjax.auditing import explainers
from leakjax.auditing.pool import set_aside
from leakjax.auditing.written import write_answers
from leakjax.data.membership import DESIGNS
from leakjax.report.progress import Stages
from leakjax.shadow import private

from . import _main, host_flags, training_flags


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    flags.DEFINE_string("workdir", None, "Where the ensemble is stored. Default: runs/shadows-DATASET.")
    training_flags.define_flags()
    flags.DEFINE_integer("models", 64, "How many models: those with the ids 0, 1, 2, ...")
    flags.DEFINE_list("model_ids", None, "Train these ids alone instead, for instance one that diverged.")
    flags.DEFINE_integer("block", None, "Models between two writes. Default: as many as fit into memory.")
    flags.DEFINE_float("save_every", 60.0, "Seconds between two checkpoints inside a block.")
    flags.DEFINE_enum("damaged", "refuse", ["refuse", "retrain"], "What becomes of a damaged block.")
    flags.DEFINE_string("design", "bernoulli", f"Who is trained on what: one of {', '.join(DESIGNS)}.")
    flags.DEFINE_integer("folds", 5, "Of --design=out_of_fold.")
    flags.DEFINE_integer("teachers", 8, "Of --design=disjoint.")
    flags.DEFINE_list("left_out", ["0"], "Rows of the points that --design=leave_one_out names.")
    flags.DEFINE_bool("answers", False, "Write all models' logits and explanations to answers.npz.")
    flags.DEFINE_string(
        "explainers",
        "gradient",
        training_flags.choices("Of --answers: explainers, separated by commas.", explainers.describe()),
    )
    flags.DEFINE_integer(
        "background", 0, "Points set aside, not trained on, for explainers; the audit wants the same number."
    )
    host_flags.define_flags()


def run(values: flags.FlagValues, stages: Stages) -> dict[str, Any]:
    """Trains what the workdir lacks; returns what is stored, to be printed."""
    config = training_flags.read_training(values)
    at_least("models", values.models, 1)
    at_least("background", values.background, 0)
    seed("seed", values.seed)
    shown = _spec.split("explainers", values.explainers)
    for text in shown:
        if text not in explainers.LISTS:
            explainers.parse(text)
    one_of("design", values.design, DESIGNS)
    share = host_flags.joined(values)
    pool = set_aside(training_flags.load_data(values, values), values.background)
    points = pool.points
    model = models.make(values.model, points.classes)
    ids = np.arange(values.models, dtype=np.int32)
    if values.model_ids:
        ids = np.asarray(training_flags.numbers("model_ids", values.model_ids, int), np.int32)
    design: dict[str, Any] = {
        "out_of_fold": {"folds": values.folds},
        "disjoint": {"teachers": values.teachers},
        "leave_one_out": {"left_out": list(training_flags.numbers("left_out", values.left_out, int))},
    }.get(values.design, {})
    # As the audit splits its key, so that both train the same models.
    membership_key, training_key = jax.random.split(jax.random.key(values.seed))

    def members(model_ids: np.ndarray) -> jax.Array:
        return DESIGNS[values.design](membership_key, model_ids, len(points.x), **design)

    name = re.sub(r"[^\w.=-]", "_", values.dataset)[-100:]
    workdir = Path(values.workdir or f"runs/shadows-{name}").expanduser()
    metrics = workdir / f"metrics.{share.process}.jsonl" if share.processes > 1 else workdir / "metrics.jsonl"
    stages.say(f"{points.name}: {len(points.x)} points; {len(ids)} models in {workdir}")

    def on_epoch(now: shadow.BlockEpoch) -> None:
        shadow.metrics_writer(metrics, now.ids)(now.epoch, now.loss, now.accuracy)
        before = now.block * config.epochs
        stages.on_epoch(now.blocks * config.epochs, before + now.epoch, now.loss, now.accuracy)

    contents = shadow.train_blocks(
        workdir,
        model,
        points.x,
        points.y,
        config,
        key=training_key,
        members=members,
        ids=ids,
        named={"dataset": values.dataset, "model": values.model, "design": [values.design, design]},
        block=values.block,
        save_every=values.save_every,
        damaged=values.damaged,
        share=share,
        take_over=values.take_over,
        on_epoch=on_epoch,
        say=stages.say,
    )
    summary: dict[str, Any] = {"models": len(contents.ids), "diverged": contents.diverged.tolist()}
    missing = np.setdiff1d(ids, contents.ids)
    if values.answers and len(missing):
        stages.say(
            f"no answers yet: {len(missing)} models are other processes'; then run the same command again"
        )
    elif values.answers:
        # As the audit folds its key, so that both explain alike.
        key = jax.random.fold_in(jax.random.key(values.seed), 2)
        file = workdir / "answers.npz"
        write_answers(
            file, workdir, model, points, explainers=shown, background=pool.background, models=ids, key=key,
            writer=share.process, say=stages.say,
        )  # fmt: skip
        summary["answers"] = str(file)
    if config.noise_multiplier:
        epsilon = private.epsilon(config, len(points.x), delta=values.delta)
        summary |= {"epsilon": epsilon, "delta": values.delta}
    return summary


def main(values: flags.FlagValues) -> int:
    """Trains, and prints a line of JSON: how many models are stored, which of them diverged."""
    kept = "finished blocks and the last checkpoint inside one are kept"
    with _main.stopped_says(kept), Stages(Console(stderr=True)) as stages:
        summary = run(values, stages)
    print(json.dumps(summary))
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    flags.adopt_module_key_flags(training_flags)  # so that --help lists them
    _main.launch(main)
