"""Kills a run with SIGKILL at random times and starts it again until it ends: python -m tests.shadow.kills 20."""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from leakjax import shadow
from tests.shadow.small import assert_same_bits

MODELS = 8
ENVIRONMENT = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}


def start(directory, *arguments):
    command = [sys.executable, "-m", "tests.shadow.worker", str(directory), str(MODELS), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


def wait_for_epoch(process):
    """Waits until training has begun; False where it ended before."""
    return any(line.startswith("block") for line in process.stdout)


def finish(directory, *arguments):
    process = start(directory, *arguments)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    return said


def kill_at_random(directory, generator, longest=0.8):
    """Starts a run and kills it within so many seconds of training; whether it was still alive."""
    process = start(directory)
    try:
        if not wait_for_epoch(process):
            return False
        time.sleep(generator.uniform(0, longest))
        return process.poll() is None
    finally:
        process.kill()
        process.communicate()


def trial(directory, kills, seed):
    """So many kills, then a run to the end; asserts that the ensemble is that of a run that nobody killed."""
    generator = random.Random(seed)
    hit = sum(kill_at_random(directory / "killed", generator) for _ in range(kills))
    finish(directory / "killed")
    finish(
        directory / "whole"
    )  # in a process of its own too: long sessions were seen to differ in the last bit
    assert_same_bits(shadow.load(directory / "killed"), shadow.load(directory / "whole"))
    return hit


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as folder:
            print(f"trial {number}: killed {trial(Path(folder), 1, number)} time, identical", flush=True)
