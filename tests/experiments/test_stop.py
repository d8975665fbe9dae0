"""How a process ends: by a signal, or with nobody to read what it says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_runs import LISTENING

ROOT = Path(__file__).parents[2]
# Blocks in C code without looking at signals, as a long compilation does.
STUCK = """
import ctypes
from experiments import _stop
_stop.on_signals(lambda: "3 stages are kept")
print("ready", flush=True)
while True:
    ctypes.CDLL(None).sleep(30)
"""
TALKS = """
import sys
from experiments import _stop
_stop.outlive_pipes()
for number in range(20_000):
    print("line", number)
    print("line", number, file=sys.stderr)
open(sys.argv[1], "w").write("done")
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_one_line_and_its_exit_code(number, code):
    process = subprocess.Popen(
        [*LISTENING, "-c", STUCK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert said == f"stopped by {number.name}: 3 stages are kept\n"


def test_nobody_listening_is_no_failure(tmp_path):
    command = f"set -o pipefail; '{sys.executable}' -c '{TALKS}' '{tmp_path / 'end'}' 2>&1 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "line 0\n"
    assert (tmp_path / "end").read_text() == "done"
