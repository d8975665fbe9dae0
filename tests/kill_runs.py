"""Kills both binaries again and again, over all of their stages, and compares what they find in the end.

    python -m tests.kill_runs --kills=20

starts each run in a new workdir, kills it (kill -9) at moments spread evenly over the time that a whole run takes,
starts the same command again on the same workdir, and compares report.json with that of a run that nobody disturbed:
all but times and machine must be equal to the last bit. Ends with 1 where one is not.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
# Python that a Ctrl-C reaches: where the tests run in the background of a shell, children have it ignored.
LISTENING = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
)
AUDIT = (
    "experiments.audit",
    "--dataset=synthetic",
    "--points=200",
    "--features=5",
    "--models=16",
    "--epochs=60",
    "--widths=16",
    "--explainers=gradient,smoothgrad(samples=3),input_x_gradient",
)
RECORDS = (
    "experiments.records",
    "--draws=2",
    "--points=60",
    "--queries=50",
    "--walks=3",
    "--network_points=10",
    "--oracles=exact,digits2",
    "--parts=draws,sizes",
)


class Ended(NamedTuple):
    """How a process ended: its exit code (below 0 the signal), what it said, and after how many seconds."""

    code: int
    said: str
    seconds: float


def run(
    command: Sequence[str],
    workdir: Path,
    *,
    stop: Callable[[float], bool] = lambda seconds: False,
    number: int = signal.SIGKILL,
) -> Ended:
    """Runs a binary on a workdir, and sends it a signal as soon as `stop`, of the seconds gone by, says so."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*LISTENING, "-m", *command, f"--workdir={workdir}"],
            cwd=ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
            # Where the tests run in the background of a shell, children have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        sent = False
        while process.poll() is None:
            if not sent and stop(time.monotonic() - start):
                process.send_signal(number)
                sent = True
            time.sleep(0.005)
        said.seek(0)
        return Ended(process.returncode, said.read(), time.monotonic() - start)


def found(workdir: Path) -> dict[str, Any]:
    """The numbers of a report: all of it but times and the machine."""
    document = json.loads((workdir / "report.json").read_text())
    return {name: value for name, value in document.items() if name not in ("environment", "timings")}


def stages(workdir: Path) -> int:
    """How many stages are finished."""
    return len(list((workdir / "stages").glob("*.stage")))


def records_command(folder: Path) -> tuple[str, ...]:
    """The command of the records binary on points that are written to `folder`."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(180, 4)).astype(np.float32)
    np.savez(folder / "points.npz", x=x, y=(x[:, 0] + generator.normal(size=180) > 0).astype(int))
    return (*RECORDS, f"--dataset=npz:{folder / 'points.npz'}")


def main() -> int:
    """Runs the trials and prints a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of both binaries together")
    parser.add_argument("--binary", choices=("audit", "records"), help="one alone; both by default")
    arguments = parser.parse_args()
    kills = arguments.kills
    different = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))
        commands = {"audit": AUDIT, "records": records_command(folder)}
        for name in [arguments.binary] if arguments.binary else commands:
            command = commands[name]
            run(command, folder / f"{name}-first")  # compiles
            whole = run(command, folder / f"{name}-whole")
            expected, share = (
                found(folder / f"{name}-whole"),
                kills if arguments.binary else (kills + (name == "audit")) // 2,
            )
            for trial in range(share):
                workdir, moment = folder / f"{name}-{trial}", whole.seconds * (trial + 0.5) / share
                run(command, workdir, stop=lambda seconds, moment=moment: seconds > moment)
                kept = stages(workdir)
                again = run(command, workdir)
                same = again.code == 0 and found(workdir) == expected
                different += not same
                print(
                    f"{name}: killed after {moment:.1f} of {whole.seconds:.1f} s with {kept} stages finished, then "
                    f"{again.seconds:.1f} s: {'identical' if same else f'DIFFERENT, exit code {again.code}'}",
                    flush=True,
                )
    print(f"{kills} kills, {different} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
