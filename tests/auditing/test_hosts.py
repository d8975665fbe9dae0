"""An audit over several processes, each with devices of its own, says what one process says."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def audited(processes):
    """What each of so many processes on this machine found; two devices in all."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={2 // processes}",
    }
    worker = [sys.executable, "-m", "tests.auditing.hosts_worker", f"127.0.0.1:{free_port()}", str(processes)]
    running = [
        subprocess.Popen([*worker, str(process)], stdout=subprocess.PIPE, text=True, env=environment)
        for process in range(processes)
    ]
    said = [one.communicate(timeout=400)[0] for one in running]
    assert [one.returncode for one in running] == [0] * processes
    return [json.loads(each.splitlines()[-1]) for each in said]


@pytest.mark.slow
def test_two_processes_audit_together_and_agree_with_one():
    (alone,), together = audited(1), audited(2)
    assert (alone["devices"], alone["local"]) == (2, 2)
    assert [(each["devices"], each["local"]) for each in together] == [(2, 1), (2, 1)]
    assert together[0]["rows"] == together[1]["rows"]
    for one, two in zip(alone["rows"], together[0]["rows"], strict=True):
        assert one.keys() == two.keys()
        for name in ("auc", "seen"):
            if name in one:
                np.testing.assert_allclose(two[name]["value"], one[name]["value"], rtol=0, atol=1e-3)
