"""How a binary ends before its work does: SIGINT and SIGTERM in one line, a closed pipe in none."""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TextIO

_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


def on_signals(line: Callable[[], str]) -> None:
    """Ends the process at SIGINT (exit code 130) or SIGTERM (143), after one line on standard error.

    At once and without unwinding, in the middle of a compilation too: what is stored is whole at any moment, and an
    exception raised between two bytecodes would be lost in a callback or come as someone else's traceback.

    Args:
      line: what to say: what is kept, and how to go on.
    """
    listening, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells' background jobs have it
            signal.signal(number, lambda *_: None)

    def wait() -> None:
        while (number := os.read(listening, 1)[0]) not in (signal.SIGINT, signal.SIGTERM):
            pass  # someone else's
        cursor = _SHOW_CURSOR if os.isatty(2) else b""
        text = f"stopped by {signal.Signals(number).name}: {line()}\n".encode(errors="replace")
        try:
            os.write(2, cursor + text)
        finally:
            os._exit(128 + number)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def outlive_pipes() -> None:
    """Lets the work go on when nobody reads its output any more, as after `| head`."""
    sys.stdout, sys.stderr = _outliving(sys.stdout), _outliving(sys.stderr)


def _outliving(stream: TextIO) -> TextIO:
    try:
        raw = _Outliving(stream.fileno(), "w", closefd=False)
    except (OSError, ValueError, AttributeError):  # no file behind it
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


class _Outliving(io.FileIO):
    def write(self, content) -> int:  # type: ignore[no-untyped-def]
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)
