"""The audit's command on two hosts of a pod: one report, by the first; and what hosts that cannot do so are told."""

import json
import os
import socket
import subprocess
import sys

import pytest

ONE_DEVICE = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=1"}
DATA = ("--points=150", "--model=mlp(widths=(8,))", "--epochs=6")


def start(binary, *arguments):
    command = [sys.executable, "-m", f"experiments.{binary}", *DATA, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ONE_DEVICE
    )


def ended(running):
    said, errors = running.communicate(timeout=500)
    return running.returncode, said, errors


@pytest.mark.slow
def test_two_hosts_write_one_report_which_is_that_of_one(tmp_path):
    assert ended(start("train_shadows", "--models=16", f"--workdir={tmp_path}/shadows"))[0] == 0
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        coordinator = f"--coordinator=127.0.0.1:{found.getsockname()[1]}"
    audit = ("--models=16", f"--ensemble={tmp_path}/shadows", "--explainers=gradient", "--defenses=none")
    pod = [
        start(
            "audit",
            *audit,
            f"--workdir={tmp_path}/pod",
            coordinator,
            "--processes=2",
            f"--process={process}",
        )
        for process in (0, 1)
    ]
    first, second = (ended(one) for one in pod)
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "Training records caught" in first[1]
    assert "Training records caught" not in second[1]
    assert ended(start("audit", *audit, f"--workdir={tmp_path}/alone"))[0] == 0
    of_pod, alone = (
        json.loads((tmp_path / name / "report.json").read_text())["leakage"] for name in ("pod", "alone")
    )
    assert len(of_pod) == len(alone) > 5
    for one, other in zip(of_pod, alone, strict=True):
        assert one["auc"]["value"] == pytest.approx(other["auc"]["value"], abs=2e-3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--processes=2",), "error: processes=2: audit together what experiments.train_shadows has trained"),
        (
            ("--processes=2", "--ensemble=/nowhere"),
            "error: processes=2: walk in step and must find each other",
        ),
    ],
)
def test_hosts_that_cannot_audit_together_are_told(tmp_path, arguments, said):
    code, _, errors = ended(start("audit", f"--workdir={tmp_path}/work", *arguments))
    assert code == 2
    assert errors.splitlines()[-1].startswith(said)
    assert not (tmp_path / "work").exists()
