"""What every binary does around its work: flags, one-line errors, exit codes, its workdir, the machine.

A binary defines flags, turns their values into a frozen config inside its `main(values) -> exit code`, and ends with

    if __name__ == "__main__":
        _main.launch(main)
"""

import errno
import gc
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from leakjax import data
from leakjax._validate import UsageError, fail
from leakjax.report.schema import write_file

DONE, FAILED, BAD_USAGE, ABOVE_LIMIT = 0, 1, 2, 3
# Flags that were documented under another name, and the name that they have now.
RENAMED = {"dear_points": "costly_points"}
_MOST_CPU_DEVICES = 16

Main = Callable[[flags.FlagValues], int]


def launch(main: Main, *, devices: bool = True) -> None:
    """Parses the command line, runs `main` and ends the process with its exit code.

    Args:
      main: reads the flags' values and does the work; a `UsageError` of it is one line and exit code 2.
      devices: whether every core becomes a device where there is no accelerator.
    """

    def on_machine(argv: Sequence[str]) -> int:
        use_machine(devices=devices)
        return call(main, argv)

    app.run(on_machine, flags_parser=parse)


def parse(argv: Sequence[str]) -> list[str]:
    """Parses flags; one that does not exist or does not parse is one line and exit code 2, help is exit code 0."""
    try:
        return flags.FLAGS(list(argv))
    except flags.UnrecognizedFlagError as error:
        now = RENAMED.get(error.flagname)
        message = f"--{error.flagname} is now --{now}" if now else str(error)
    except flags.Error as error:
        message = str(error)
    except SystemExit:  # absl has shown the help
        sys.exit(DONE)
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_USAGE)


def call(main: Main, argv: Sequence[str]) -> int:
    """The exit code of `main` on parsed flags; what the user can mend is one line on standard error."""
    values = flags.FLAGS
    if not values["verbosity"].present:  # absl has raised the default to INFO by now
        logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise fail("arguments", list(argv[1:]), "there are flags alone; see --help")
        return main(values)
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_USAGE


def check_workdir(workdir: Path, config: Mapping[str, Any]) -> None:
    """Makes the workdir and looks whether it is this config's own, or nobody's yet.

    Raises:
      UsageError: it cannot be written, or holds another config: names the first flag that differs.
    """
    path = workdir / "config.json"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        theirs = json.loads(path.read_text()) if path.exists() else None
        if not os.access(workdir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise fail("workdir", str(workdir), f"cannot be written ({error.strerror})") from None
    except json.JSONDecodeError:
        raise fail("workdir", str(workdir), "its config.json is damaged; remove it") from None
    mine = json.loads(json.dumps(config))
    for name in {**mine, **(theirs or mine)}:
        old, new = (theirs or mine).get(name), mine.get(name)
        if old != new:
            rule = f"{workdir} holds a run with {name}={old!r}; use another --workdir"
            raise fail(name, new, rule)


def claim(workdir: Path, config: Mapping[str, Any]) -> None:
    """Makes the workdir this config's own; UsageError as in `check_workdir`."""
    check_workdir(workdir, config)
    write_file(workdir / "config.json", (json.dumps(config, indent=1) + "\n").encode())


def use_machine(*, devices: bool = True) -> None:
    """Makes every core a device where there is no accelerator, and keeps compiled programs for the next run."""
    gc.freeze()  # what is imported stays: collections need not walk it again while programs are traced
    if devices and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, _MOST_CPU_DEVICES))
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(data.default_data_dir() / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
