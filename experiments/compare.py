"""Two or more audits side by side: what their explanations add to the prediction, seeds pooled.

    python -m experiments.audit --workdir=runs/mlp
    python -m experiments.audit --model=cnn --workdir=runs/cnn
    python -m experiments.compare runs/mlp runs/cnn

prints a line for each release, explainer and defense with a column for each run; a run is named by the settings in
which it differs from the others, and runs that differ in the seed alone are one. A folder that --seeds of the audit
filled stands for all of its seeds. --csv=FILE writes the same in full. It takes a second. Exit codes: 0 done, 1 failed,
2 bad usage.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from leakjax._validate import fail
from leakjax._workdir import writer
from leakjax.report import compare
from leakjax.report.compare import read_all

from . import _main

flags.DEFINE_string("csv", None, "A file for the rows in full, one for each explanation and run.")


def main(values: flags.FlagValues, workdirs: Sequence[str]) -> int:
    """Reads, compares, prints."""
    if not workdirs:
        raise fail("arguments", list(workdirs), "must be workdirs of audits, as in runs/a runs/b")
    comparison = compare(*read_all([Path(workdir).expanduser() for workdir in workdirs]))
    comparison.show()
    if values.csv:
        path = Path(values.csv).expanduser()
        writer(path.parent)(path.name, comparison.to_csv())
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False, arguments=True)
