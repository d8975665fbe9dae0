"""The binaries of the papers' experiments: what they refuse, what they plan, and one small run of each."""

import json
import subprocess
import sys

import pytest

BINARIES = ("leakage_profile", "hardening_profile", "root_cause")


def call(name, *flags):
    return subprocess.run(
        [sys.executable, "-m", f"experiments.{name}", *flags], capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flag", "words"),
    [
        ("leakage_profile", "--explainers=gradiant", "did you mean 'gradient'"),
        ("leakage_profile", "--network_targets=0", "network_targets=0: must be at least 1"),
        ("leakage_profile", "--group=nobody", "group='nobody'"),
        ("hardening_profile", "--chain=gaussian_nose(1)", "gaussian_noise"),
        ("hardening_profile", "--models=17", "models=17: must be at least"),
        ("leakage_profile", "--gap=0.1", "gap=0.1: is of an --ensemble"),
        ("root_cause", "--sweeps=sparcity", "did you mean 'sparsity'"),
        ("root_cause", "--audit_points=100000", "audit_points=100000"),
    ],
)
def test_what_the_user_can_mend_is_one_line(name, flag, words):
    done = call(name, flag)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_plan_names_every_stage_and_leaves_no_method_out_without_a_word(tmp_path):
    done = call("leakage_profile", "--plan", "--quick", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "explain gradient" in done.stdout
    assert "exact_shapley(grid=4) is left out: takes 65,536 runs" in done.stdout
    assert "anchors is left out" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_profile_of_models_that_were_trained_before_trains_none(tmp_path):
    shared = ["--points=120", "--background=20", "--models=16"]
    flags = [
        "--model=mlp(widths=(8,))",
        "--epochs=40",
        "--stop_at_gap=0.02,0.9",
        f"--workdir={tmp_path / 'e'}",
    ]
    done = call("train_shadows", *shared, *flags)
    assert done.returncode == 0, done.stderr
    of_profile = [*shared, "--quick", "--nonetworks", "--neighbours=0", "--explainers=gradient"]
    of_profile += ["--model=mlp(widths=(8,))", f"--ensemble={tmp_path / 'e'}"]
    accuracies = []
    for gap in ("0.02", "0.9"):
        done = call("leakage_profile", *of_profile, f"--gap={gap}", f"--workdir={tmp_path / gap}")
        assert done.returncode == 0, done.stderr
        assert "training" not in done.stderr
        accuracies.append(json.loads((tmp_path / gap / "report.json").read_text())["task"]["train_accuracy"])
    assert accuracies[0]["value"] < accuracies[1]["value"]
    done = call("leakage_profile", *of_profile, "--gap=0.5")
    assert (done.returncode, done.stderr.splitlines()[-1].startswith("error: gap=0.5")) == (2, True)


@pytest.mark.slow
def test_a_small_root_cause_run_writes_every_file_and_goes_on(tmp_path):
    flags = ["--quick", "--points=200", "--epochs=5", "--sweeps=sparsity", f"--workdir={tmp_path}"]
    done = call("root_cause", *flags)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [case["setting"] for case in report["cases"]][:3] == ["top 100 %", "top 25 %", "top 5 %"]
    sparsity = [case["sparsity"] for case in report["cases"] if case["sweep"] == "sparsity"]
    assert sparsity == sorted(sparsity)
    for name in ("report.html", "figures/sweeps.png", "tables/cases.csv"):
        assert (tmp_path / name).stat().st_size > 0
    again = call("root_cause", *flags)
    assert again.returncode == 0, again.stderr
    assert "training" not in again.stderr
    assert json.loads((tmp_path / "report.json").read_text())["cases"] == report["cases"]
