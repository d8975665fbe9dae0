import json
import os
import subprocess
import sys

import numpy as np
import pytest

from leakjax import shadow
from leakjax.data.mapped import mapped
from leakjax.shadow import TrainConfig, private

ENVIRONMENT = os.environ | {"JAX_PLATFORMS": "cpu"}


def run(workdir, *arguments):
    command = [
        sys.executable,
        "-m",
        "experiments.train_shadows",
        f"--workdir={workdir}",
        "--points=120",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False)


def test_models_are_trained_and_more_are_added(tmp_path):
    first = run(
        tmp_path,
        "--models=3",
        "--epochs=2",
        "--block=2",
        "--model=mlp(widths=(8,))",
        "--stop_at_gap=0.05,0.9",
    )
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {"models": 3, "diverged": []}
    more = run(tmp_path, "--models=5", "--epochs=2", "--model=mlp(widths=(8,))", "--stop_at_gap=0.05,0.9")
    assert json.loads(more.stdout)["models"] == 5
    ensemble = shadow.load(tmp_path, [4, 0])
    assert ensemble.variables["params"]["Dense_0"]["kernel"].shape == (2, 64, 8)
    assert set(shadow.gaps(tmp_path)) == set(range(5))
    assert shadow.contents(tmp_path).training.stop_at_gap == (0.05, 0.9)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 5 * 2
    other = run(tmp_path, "--models=5", "--epochs=3", "--model=mlp(widths=(8,))", "--stop_at_gap=0.05,0.9")
    assert other.returncode == 2
    assert other.stderr.splitlines()[-1].startswith("error: epochs=3: ")


def test_a_design_is_a_flag(tmp_path):
    result = run(tmp_path, "--models=4", "--epochs=1", "--design=disjoint", "--teachers=4")
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(shadow.load(tmp_path).membership.sum(0), 1)


def test_answers_are_written_beside_the_models(tmp_path):
    options = "--models=3", "--block=2", "--epochs=1", "--model=mlp(widths=(8,))", "--answers"
    result = run(tmp_path, *options, "--explainers=gradient,smoothgrad(samples=2)")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["answers"] == str(tmp_path / "answers.npz")
    found = mapped(tmp_path / "answers.npz")
    assert {name: array.shape for name, array in found.items()} == {
        "member": (3, 120),
        "labels": (120,),
        "x": (120, 8, 8, 1),
        "logits": (3, 120, 10),
        "attributions_gradient": (3, 120, 8, 8, 1),
        "attributions_smoothgrad(samples=2)": (3, 120, 8, 8, 1),
    }
    np.testing.assert_array_equal(found["member"], shadow.load(tmp_path).membership)
    wrong = run(tmp_path, *options, "--explainers=gradiant")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)


def test_a_seed_that_another_could_share_is_one_line(tmp_path):
    result = run(tmp_path / "work", "--seed=4294967296")
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["error: seed=4294967296: must be in 0..4294967295"]
    assert not (tmp_path / "work").exists()


def test_private_training_tells_its_epsilon(tmp_path):
    pytest.importorskip("jax_privacy")
    pytest.importorskip("dp_accounting")
    options = "--models=2", "--epochs=2", "--model=mlp(widths=(8,))", "--noise_multiplier=1", "--delta=1e-4"
    result = run(tmp_path, *options)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    want = private.epsilon(TrainConfig(epochs=2, noise_multiplier=1.0), 120, delta=1e-4)
    assert found == {"models": 2, "diverged": [], "epsilon": pytest.approx(want, rel=1e-6), "delta": 1e-4}
    assert 0.5 < want < 10
