"""Damages every file of a finished run in every way, and runs the same command again on what is left.

    python -m tests.damage_runs audit --dataset=synthetic --points=200 ...
    python -m tests.damage_runs records --dataset=npz:points.npz ...
    python -m tests.damage_runs audit:0/2 --dataset=synthetic --points=200 ...

(the last one half of the rounds, the other being 1/2). One process for its rounds, a line of JSON for each: its
damage, the exit code, what was said, the stages that were damaged and not named, and whether report.json holds what
it held. The files are those that the run leaves, so that new kinds are damaged like the others. Stages are damaged
in a few rounds alone, for they cost the work again; tests read every stage under every damage.
"""

import contextlib
import importlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
from absl import flags

from experiments import _main
from tests.kill_runs import found


def flipped(share: float, bit: int) -> Callable[[Path, Path], None]:
    def damage(path: Path, _: Path) -> None:
        content = bytearray(path.read_bytes())
        content[min(int(share * len(content)), len(content) - 1)] ^= 1 << bit
        path.write_bytes(content)

    return damage


def holding(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    return lambda path, _: path.write_bytes(change(path.read_bytes())) and None


def replaced(make: Callable[[Path], None]) -> Callable[[Path, Path], None]:
    def damage(path: Path, _: Path) -> None:
        path.unlink()
        make(path)

    return damage


def swapped(path: Path, other: Path) -> None:
    """Each file becomes the next one, by name, of its folder."""
    path.write_bytes(other.read_bytes())


def folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").touch()


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    **{f"bit {i} at {i}/4": flipped(i / 4, i) for i in range(5)},  # of stages, each byte: tests/workdir
    "empty": holding(lambda content: b""),
    "half": holding(lambda content: content[: len(content) // 2]),
    "last byte cut": holding(lambda content: content[:-1]),
    "a byte more": holding(lambda content: content + b"\0"),
    "twice": holding(lambda content: content * 2),
    "not UTF-8": holding(lambda content: b"\xff\xfe" + content),
    "a list": holding(lambda content: b"[1, 2]\n"),
    "an object without fields": holding(lambda content: b"{}\n"),
    "zeros": holding(lambda content: bytes(len(content))),
    "swapped": swapped,
    "gone": replaced(lambda path: None),
    "a folder": replaced(folder),
    "a pipe": replaced(lambda path: os.mkfifo(path)),
    "endless": replaced(lambda path: path.symlink_to("/dev/zero")),
    "a link to nothing": replaced(lambda path: path.symlink_to("nowhere")),
}


# Rounds in which the stages are damaged too.
OF_STAGES = ("bit 2 at 2/4", "swapped", "a folder")
ROUNDS = [(name, False) for name in DAMAGES] + [(name, True) for name in OF_STAGES]


def damage_all(workdir: Path, name: str, *, stages: bool) -> list[Path]:
    """Damages every file of a folder, stages only where asked; the files."""
    paths = sorted(path for path in workdir.rglob("*") if path.is_file() and path.stat().st_size)
    paths = [path for path in paths if stages or path.suffix != ".stage"]
    contents = {path: path.read_bytes() for path in paths}
    for path in paths:
        alike = [other for other in paths if other.parent == path.parent]
        other = alike[(alike.index(path) + 1) % len(alike)]
        with tempfile.NamedTemporaryFile() as kept:
            Path(kept.name).write_bytes(contents[other])
            DAMAGES[name](path, Path(kept.name))
    return paths


def main() -> None:
    """Runs the rounds of the binary that the command line names."""
    name, _, part = sys.argv[1].partition(":")
    begin, step = map(int, part.split("/")) if part else (0, 1)
    binary = importlib.import_module(f"experiments.{name}")
    if name == "audit":
        importlib.import_module("experiments.audit_flags").define_flags()
    with tempfile.TemporaryDirectory() as place:
        # The rounds share their programs through the disk; they are too small to be worth optimising.
        jax.config.update("jax_compilation_cache_dir", place + "/compiled")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_disable_most_optimizations", True)
        whole, workdir = Path(place) / "whole", Path(place) / "work"
        flags.FLAGS([name, *sys.argv[2:], f"--workdir={workdir}"])

        def run() -> tuple[int, str]:
            with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
                code = _main.call(binary.main, sys.argv[:1])
            return code, said.getvalue()

        code, said = run()
        assert code == 0, said
        expected = found(workdir)
        workdir.rename(whole)
        for damage, stages in ROUNDS[begin::step]:
            shutil.copytree(whole, workdir)
            paths = damage_all(workdir, damage, stages=stages)
            code, said = run()
            kept = [path for path in paths if path.suffix == ".stage"]
            print(
                json.dumps(
                    {
                        "damage": damage,
                        "code": code,
                        "said": said,
                        "files": [path.relative_to(workdir).as_posix() for path in paths],
                        "stages": len(kept),
                        "unnamed": [path.name for path in kept if f"{path}: " not in said],
                        "same": code == 0 and found(workdir) == expected,
                    }
                ),
                flush=True,
            )
            shutil.rmtree(workdir)


if __name__ == "__main__":
    main()
