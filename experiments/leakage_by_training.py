r"""What does a way of training hide, and what does it cost? An audit with weight decay, with dropout, with noise, ...

    python -m experiments.leakage_by_training --explainers=gradient --defenses=none

Every flag of experiments.audit is taken; each of --trainings names a training and the flags that it has otherwise:

    --trainings="plain,decay(weight_decay=1e-3),dropout(model='mlp(dropout=0.5)'),early(epochs=10)"
    --trainings="plain,weak(noise_multiplier=0.5),strong(noise_multiplier=3.0)"

The second needs leakjax[private] and tells epsilon. A row is the headline attack on plain explanations, those of the
explainer that is listed first, beside every release. Each audit is kept in a folder of --workdir, with a page of its
own; beside them stands trainings.png. Exit codes: 0 done, 2 bad usage.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from leakjax import _spec
from leakjax._validate import distinct, fail, one_of
from leakjax.report import trainings
from leakjax.report.progress import Stages

from . import _main, audit, audit_flags, training_flags
from .audit_flags import Config, Places, read_config

DEFAULT = (
    "plain,decay(weight_decay=1e-4),more_decay(weight_decay=1e-3),dropout(model='mlp(dropout=0.5)'),early(epochs=10),"
    "smooth(label_smoothing=0.1)"
)
_FIELDS = (*training_flags.TRAINING, "model")


def configs(config: Config, texts: list[str]) -> dict[str, Config]:
    """The config of each training by its name.

    Args:
      config: what all share.
      texts: calls name(field=value, ...) of what each has otherwise.

    Raises:
      UsageError: two of one name, a field that is none of training, a value that is not allowed.
    """
    calls = [_spec.read("trainings", text) for text in texts]
    distinct("trainings", [call.name for call in calls])
    found: dict[str, Config] = {}
    for call in calls:
        if call.arguments:
            raise fail("trainings", str(call), "takes options by name alone, such as weight_decay=1e-3")
        for option in call.options:
            one_of("trainings", option, _FIELDS)
        options: dict[str, Any] = dict(call.options)
        found[call.name] = dataclasses.replace(config, **options)
    return found


def main(values: flags.FlagValues) -> int:
    """Audits once for each training; prints the table, and a line of JSON for each."""
    config = read_config(values)
    if config.ensemble:
        raise fail("ensemble", config.ensemble, "is trained already; each training trains its own")
    wanted = configs(config, _spec.split("trainings", values.trainings))
    workdir = Path(values.workdir or "runs/leakage-by-training").expanduser()
    rows = []
    with Stages(Console(stderr=True)) as stages:
        for name, one in wanted.items():
            places = Places(workdir / name, values.data_dir, values.source_dir, values.take_over)
            rows += trainings.rows(name, audit.run(one, places, stages))
    for row in rows:
        print(json.dumps(dataclasses.asdict(row)))
    print(trainings.table(rows))
    (workdir / "trainings.png").write_bytes(trainings.image(rows))
    return _main.DONE


if __name__ == "__main__":
    audit_flags.define_flags()
    flags.DEFINE_string("trainings", DEFAULT, "What each training has otherwise, separated by commas.")
    for module in (audit_flags, training_flags):
        flags.adopt_module_key_flags(module)
    _main.launch(main)
