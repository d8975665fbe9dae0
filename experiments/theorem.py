r"""How many training records can explanations by records reveal at all? Lemmas F.1, F.2, theorem 5.1 and figure 8.

    python -m experiments.theorem --quick

draws families of models for every statement of the lemmas, tries by brute force how many records some query reveals,
and holds that against the lemmas as they are written and as we correct them; then runs Algorithm 1 on families whose d
is known. The workdir receives report.json, report.html, figures/ and tables/; a run that was stopped goes on
construction by construction. Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from leakjax import _validate
from leakjax.papers.publish import publish
from leakjax.papers.theorem import Settings, section, theorem
from leakjax.papers.theorem.constructions import ON_A_LINE
from leakjax.papers.theorem.figures import images
from leakjax.report.progress import Stages

from . import _config_file, _main, paper_flags, training_flags

QUICK = {"families": 20, "tangents": ["3", "10"], "theorem_records": 12, "theorem_features": 4}
_SECONDS_A_FAMILY = 0.05  # of one feature, on two cores, measured


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    _config_file.define_flag()
    flags.DEFINE_string("workdir", "runs/theorem", "Where everything is written.")
    flags.DEFINE_integer("families", 200, "Families of each construction.")
    flags.DEFINE_integer("records", 6, "Training records of each, at least 2.")
    flags.DEFINE_list("tangents", ["3", "5", "10", "50"], "Numbers of records for lemma F.2.")
    flags.DEFINE_integer("theorem_records", 16, "Training records of each family of the theorem.")
    flags.DEFINE_integer("theorem_features", 6, "Features of these.")
    flags.DEFINE_integer("seed", 0, "Of all draws.")
    flags.DEFINE_bool("quick", False, "Few families: seconds on two cores.")
    flags.DEFINE_bool("plan", False, "Print what would run and what it costs, and stop.")


def read_settings(given: dict[str, Any]) -> Settings:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    tangents = training_flags.numbers("tangents", given["tangents"], int)
    for name, least in (("families", 1), ("records", 2), ("theorem_records", 4), ("theorem_features", 3)):
        _validate.at_least(name, given[name], least)
    for value in tangents:
        _validate.at_least("tangents", value, 1)
    if given["theorem_features"] > given["theorem_records"]:
        rule = "must not be above --theorem_records, or no d is met"
        raise _validate.fail("theorem_features", given["theorem_features"], rule)
    _validate.seed("seed", given["seed"])
    names = ("families", "records", "theorem_records", "theorem_features", "seed")
    return Settings(tangents=tangents, **{name: given[name] for name in names})


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    settings = read_settings(paper_flags.values_of(values, QUICK))
    if values.plan:
        seconds = settings.families * len(ON_A_LINE) * _SECONDS_A_FAMILY
        print(
            f"{len(ON_A_LINE)} constructions on a line, {settings.families} families each: some {seconds:.0f} seconds"
        )
        print(
            "a circle, a plane, tangents and five constructions of the theorem: some 20 seconds, on two cores"
        )
        return _main.DONE
    workdir = Path(values.workdir).expanduser()
    config = json.loads(json.dumps(dataclasses.asdict(settings)))
    with (
        Stages(Console(stderr=True)) as stages,
        _main.claimed(workdir, config, take_over=values.take_over, say=stages.say) as held,
    ):
        found = theorem(settings, config=config, workdir=held, say=stages.say)
        pictures = images(settings.seed)
        publish(found, section.page(found, pictures), pictures, held)
    print(section.lead(found))
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    _main.launch(main)
