"""Kills both binaries again and again, over all of their stages, and compares what they find in the end.

    python -m tests.kill_runs --kills=20

starts a run and kills it (kill -9) on its way to the first stage, starts the same command again on the same workdir,
kills it on its way to the second, and so on past the last; then it is left alone, and report.json is compared with
that of a run that nobody disturbed: all but times and machine must be equal to the last bit. As many such chains as
the kills ask for, each killed at another share of the way. Ends with 1 where a report differs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
    "--epochs=20",
    "--widths=8",
    "--explainers=gradient,smoothgrad(samples=3)",
    "--defenses=none",
    "--releases=label",
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


def undisturbed(command: Sequence[str], workdir: Path) -> list[float]:
    """Runs to the end; the seconds to the first finished stage, from each to the next, and from the last to the end."""
    times: list[float] = [0.0]

    def look(seconds: float) -> bool:
        times.extend([seconds] * (stages(workdir) + 1 - len(times)))
        return False

    ended = run(command, workdir, stop=look)
    assert ended.code == 0, ended.said
    return np.diff([*times, ended.seconds]).tolist()


def killed_at_every_stage(
    command: Sequence[str], workdir: Path, spans: Sequence[float], share: float, most: int
) -> Iterator[tuple[int, int]]:
    """Kills a run within every stage, one after the other, each run going on where the one before was killed.

    Args:
      command: of the binary.
      workdir: of all these runs.
      spans: from `undisturbed`.
      share: of each span, after which the kill comes.
      most: kills.

    Yields:
      For each kill how many stages the run was to finish before, and how many were there afterwards.
    """
    for count, span in enumerate(spans[:most]):
        since: list[float] = []

        def stop(seconds: float, count: int = count, span: float = span, since: list[float] = since) -> bool:
            if not since and stages(workdir) >= count:
                since.append(seconds)
            return bool(since) and seconds - since[0] > share * span

        ended = run(command, workdir, stop=stop)
        assert ended.code in (0, -signal.SIGKILL), ended.said  # 0: it was faster this time
        if ended.code:
            yield count, stages(workdir)


def main() -> int:
    """Runs the trials and prints a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of both binaries together")
    parser.add_argument("--binary", choices=("audit", "records"), help="one alone; both by default")
    arguments = parser.parse_args()
    names = [arguments.binary] if arguments.binary else ["audit", "records"]
    done = different = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        commands = {"audit": AUDIT, "records": records_command(folder)}
        for place_of, name in enumerate(names):
            command, wanted = commands[name], done + (arguments.kills - done) // (len(names) - place_of)
            undisturbed(command, folder / f"{name}-first")  # compiles
            spans = undisturbed(command, folder / f"{name}-whole")
            expected = found(folder / f"{name}-whole")
            said = ", ".join(f"{span:.1f}" for span in spans)
            print(f"{name}: {len(spans) - 1} stages; seconds to each and to the end: {said}", flush=True)
            chains = -(-(wanted - done) // len(spans))
            for chain in range(chains):
                workdir, share = folder / f"{name}-{chain}", (chain + 0.5) / chains
                for count, kept in killed_at_every_stage(command, workdir, spans, share, wanted - done):
                    done += 1
                    print(
                        f"{name}: kill {done} at {share:.2f} of the way past stage {count}, {kept} are kept",
                        flush=True,
                    )
                ended = run(command, workdir)
                same = ended.code == 0 and found(workdir) == expected
                different += not same
                outcome = "identical" if same else f"DIFFERENT, exit code {ended.code}"
                print(f"{name}: went on to its end in {ended.seconds:.1f} s: {outcome}", flush=True)
    print(f"{done} kills, {different} runs different, {time.monotonic() - start:.0f} s")
    return int(different > 0 or done < arguments.kills)


if __name__ == "__main__":
    sys.exit(main())
