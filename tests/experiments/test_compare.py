"""The binary that sets runs side by side, and the audit of several seeds."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from experiments import _main, audit, audit_flags, compare
from leakjax.report import schema
from tests.report.fake_report import fake_report

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workdirs(tmp_path):
    for name, model in (("a", "mlp"), ("b", "cnn")):
        report = fake_report(config={"dataset": "digits", "model": model, "seed": 0})
        schema.write(report, tmp_path / name)
    return tmp_path


def call(*arguments):
    flags.FLAGS.unparse_flags()
    flags.FLAGS["csv"].unparse()
    return _main.call(compare.main, _main.parse(["compare", *map(str, arguments)]), arguments=True)


def test_runs_are_printed_side_by_side_and_written(workdirs, capsys):
    assert call(workdirs / "a", workdirs / "b", f"--csv={workdirs}/out/rows.csv") == 0
    shown = capsys.readouterr().out
    assert "model=mlp" in shown
    assert "model=cnn" in shown
    rows = list(csv.DictReader((workdirs / "out" / "rows.csv").read_text().splitlines()))
    assert {row["run"] for row in rows} == {"model=mlp", "model=cnn"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "must be workdirs of audits"),
        (["a"], "must be at least two"),
        (["a", "c"], "holds no report.json"),
    ],
)
def test_bad_usage_is_one_line(workdirs, capsys, arguments, said):
    assert call(*(workdirs / name for name in arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_each_seed_has_a_folder_of_its_own(tmp_path):
    own = flags.FlagValues()
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("string", "integer", "float", "bool", "list", "enum"):
            define = getattr(flags, f"DEFINE_{kind}")
            patch.setattr(
                flags, f"DEFINE_{kind}", lambda *a, _define=define, **k: _define(*a, flag_values=own, **k)
            )
        audit_flags.define_flags()
    own(["audit", "--seed=3"])
    config = audit_flags.read_config(own)
    places = audit_flags.Places(tmp_path, None, None, False)
    assert audit.repetitions(config, places, 1) == [(config, places)]
    many = audit.repetitions(config, places, 3)
    assert [one.seed for one, _ in many] == [3, 4, 5]
    assert [place.workdir.name for _, place in many] == ["seed-3", "seed-4", "seed-5"]


@pytest.mark.slow
def test_two_seeds_are_audited_and_pooled(tmp_path):
    command = [
        sys.executable,
        "-m",
        "experiments.audit",
        "--dataset=synthetic",
        "--points=200",
        "--features=5",
    ]
    command += ["--models=16", "--epochs=2", "--widths=8", "--explainers=gradient", "--defenses=none"]
    done = subprocess.run(
        [*command, "--seeds=2", f"--workdir={tmp_path}/run", "--fail_above=-1"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(tmp_path),
            "PATH": "",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == _main.ABOVE_LIMIT, done.stderr
    assert "2 seeds pooled" in done.stdout
    reports = [schema.read(tmp_path / "run" / f"seed-{seed}") for seed in (0, 1)]
    assert reports[0].leakage != reports[1].leakage
    (row,) = csv.DictReader((tmp_path / "run" / "seeds.csv").read_text().splitlines())
    margins = [
        next(one.margin.tpr_at_fpr[one.headline_fpr].value for one in report.leakage if one.margin)
        for report in reports
    ]
    assert float(row["margin"]) == pytest.approx(sum(margins) / 2, abs=1e-12)
