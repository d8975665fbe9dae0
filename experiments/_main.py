"""What every binary does around its work: flags, one-line errors, exit codes, its workdir, the machine.

A binary defines flags, turns their values into a frozen config inside its `main(values) -> exit code`, and ends with

    if __name__ == "__main__":
        _main.launch(main)
"""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from leakjax import data
from leakjax._validate import UsageError, fail
from leakjax._workdir import Workdir, claim

from . import _config_file, _stop

DONE, FAILED, BAD_USAGE, ABOVE_LIMIT = 0, 1, 2, 3
# Flags that were documented under another name, and the name that they have now.
RENAMED = {"dear_points": "costly_points", "records": "with"}
_MOST_CPU_DEVICES = 16
_CLAIMED: list[Workdir] = []  # by this process, for what a signal says
_SAID: list[str] = []  # what it says of work that keeps itself

# Of the flags' values, and of what else stands on the command line where a binary takes that.
Main = Callable[..., int]


def launch(main: Main, *, devices: bool = True, arguments: bool = False) -> None:
    """Parses the command line, runs `main` and ends the process with its exit code.

    Args:
      main: reads the flags' values and does the work; a `UsageError` of it is one line and exit code 2.
      devices: whether every core becomes a device where there is no accelerator.
      arguments: whether `main` gets what is no flag, as a list beside the flags' values.
    """

    def on_machine(argv: Sequence[str]) -> int:
        _stop.on_signals(_stopped)
        use_machine(devices=devices)
        return call(main, argv, arguments=arguments)

    _stop.outlive_pipes()
    app.run(on_machine, flags_parser=parse)


def parse(argv: Sequence[str]) -> list[str]:
    """Parses flags; one that does not exist or does not parse is one line and exit code 2, help is exit code 0."""
    try:
        return flags.FLAGS(_config_file.expanded(argv, flags.FLAGS))
    except flags.UnrecognizedFlagError as error:
        now = RENAMED.get(error.flagname)
        message = f"--{error.flagname} is now --{now}" if now else str(error)
    except (flags.Error, UsageError) as error:
        message = str(error)
    except SystemExit:  # absl has shown the help
        sys.exit(DONE)
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_USAGE)


def call(main: Main, argv: Sequence[str], *, arguments: bool = False) -> int:
    """The exit code of `main` on parsed flags; what the user can mend is one line on standard error."""
    values = flags.FLAGS
    if not values["verbosity"].present:  # absl has raised the default to INFO by now
        logging.set_verbosity(logging.WARNING)
    try:
        if arguments:
            return main(values, list(argv[1:]))
        if len(argv) > 1:
            raise fail("arguments", list(argv[1:]), "there are flags alone; see --help")
        return main(values)
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_USAGE


@contextmanager
def claimed(
    workdir: Path, config: Mapping[str, Any], *, take_over: bool, say: Callable[[str], None]
) -> Iterator[Workdir]:
    """The workdir, this run's own until the block ends; a signal says what it keeps.

    Args:
      workdir: of the run.
      config: what config.json records.
      take_over: the flag of this name, which `define_take_over` defines.
      say: told of what was found damaged.

    Raises:
      UsageError: it is in use, or cannot be written.
    """
    with claim(workdir, config, take_over=take_over, say=say) as held:
        _CLAIMED.append(held)
        try:
            yield held
        finally:
            _CLAIMED.remove(held)


@contextmanager
def stopped_says(kept: str) -> Iterator[None]:
    """A signal says this, until the block ends: for work that claims and keeps what it does by itself."""
    _SAID.append(kept)
    try:
        yield
    finally:
        _SAID.pop()


def define_take_over() -> None:
    """Defines the flag that every binary with a workdir has."""
    flags.DEFINE_bool(
        "take_over", False, "Use a --workdir that a process of another host held until some minutes ago."
    )


def _stopped() -> str:
    """What a run that a signal ends says."""
    if _SAID:
        return f"{_SAID[-1]}; the same command goes on from there"
    if not _CLAIMED:
        return "nothing was begun that could be kept"
    held = _CLAIMED[-1]
    held.release()
    kept = (
        f"{', '.join(held.kept)} kept in {held.path}" if held.kept else f"no stage is finished in {held.path}"
    )
    return f"{kept}; the same command goes on from there"


def use_machine(*, devices: bool = True) -> None:
    """Makes every core a device where there is no accelerator, and keeps compiled programs for the next run."""
    gc.freeze()  # what is imported stays: collections need not walk it again while programs are traced
    if devices and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, _MOST_CPU_DEVICES))
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        compiled = data.default_data_dir() / "compiled"
        with contextlib.suppress(OSError):  # JAX says so, and goes on without
            compiled.mkdir(
                parents=True, exist_ok=True, mode=0o700
            )  # programs hold the weights they close over
        jax.config.update("jax_compilation_cache_dir", str(compiled))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
