"""One process a run: a work directory is claimed before anything is written into it.

On one host the lock of the operating system decides (flock): it ends with its process, however that ends. Where
hosts share a directory whose locks do not reach across them, a claim counts as alive while its file is touched every
half minute, and for some minutes after.
"""

import contextlib
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import NamedTuple

from leakjax._validate import UsageError, fail
from leakjax._workdir import files

HEARTBEAT = 30.0  # seconds
STALE = 300.0  # seconds without a heartbeat after which a claim of another host is nobody's
_PATIENCE = 1.0  # seconds for which a lock is tried: another process that only looks holds it for an instant


class Holder(NamedTuple):
    """Who wrote a claim."""

    host: str
    machine: str  # changes when the host is started again
    pid: int
    since: str
    token: str
    run: str
    processes: int

    @classmethod
    def of(cls, text: str) -> "Holder | None":
        """The holder that a claim's file names; None where it names none, being empty or damaged."""
        try:
            fields = json.loads(text)
            holder = cls(**fields)
            sound = isinstance(holder.pid, int) and isinstance(holder.processes, int)
        except (ValueError, TypeError):
            return None
        return holder if sound else None


class Claim:
    """A claim that is held; `release` or the end of the process ends it."""

    def __init__(
        self, workdir: Path, *, run: str, process: int, processes: int, take_over: bool, say: files.Say
    ) -> None:
        """Claims, or raises the UsageError of `leakjax._workdir.claim`."""
        self._workdir, self._path = workdir, _path(workdir, process)
        if self._path.exists() and not self._path.is_file():
            files.set_aside(self._path, say)
        self._me = Holder(
            socket.gethostname(),
            _machine(),
            os.getpid(),
            time.strftime("%Y-%m-%d %H:%M:%S"),
            secrets.token_hex(8),
            run,
            processes,
        )
        self._file = open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+", errors="replace")  # noqa: SIM115
        try:
            self._take(take_over)
            self._refuse_strangers(process, take_over)
        except BaseException:
            self._file.close()
            raise
        self._stop = threading.Event()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def check(self) -> None:
        """Raises UsageError where another host has taken this claim over in the meantime."""
        holder = _holder(self._path)
        if holder is None or holder.token != self._me.token:
            by = f"process {holder.pid} on {holder.host}" if holder else "something else"
            raise fail("workdir", str(self._workdir), f"was taken over by {by}; this run stops")

    def release(self) -> None:
        """Lets the next run in."""
        self._stop.set()
        with contextlib.suppress(OSError, ValueError):
            holder = _holder(self._path)
            if holder is not None and holder.token == self._me.token:
                self._file.truncate(0)
            self._file.close()

    def _take(self, take_over: bool) -> None:
        locked = _lock(self._file.fileno(), _PATIENCE)
        old = _holder(self._path)
        if locked is False:
            raise self._refusal(old, None)
        # The lock is ours: whoever held it on this machine is gone. Another's lock may not have reached us.
        if old is not None and not (old.machine == self._me.machine and (locked or not _runs(old.pid))):
            silent = _now(self._workdir) - self._path.stat().st_mtime
            if silent < STALE and not take_over:
                raise self._refusal(old, silent)
        self._file.seek(0)
        self._file.truncate(0)
        self._file.write(json.dumps(self._me._asdict()))
        self._file.flush()

    def _refuse_strangers(self, process: int, take_over: bool) -> None:
        """Other processes of this same run are welcome, a run of its own is not."""
        for path in self._workdir.glob(_path(Path(), "*").name):
            other = _holder(path)
            if path == self._path or other is None:
                continue
            if other.run == self._me.run and other.processes == self._me.processes > 1:
                continue
            silent = _silence(path, other, self._me.machine, self._workdir)
            if silent is None or (silent < STALE and not take_over):
                self._file.truncate(0)
                raise self._refusal(other, silent)

    def _refusal(self, holder: Holder | None, silent: float | None) -> UsageError:
        where = str(self._workdir)
        if holder is None:
            return fail(
                "workdir", where, "is in use by another process; wait for it or use another --workdir"
            )
        who = f"process {holder.pid} on {holder.host}"
        if silent is None:
            return fail(
                "workdir",
                where,
                f"is in use by {who} since {holder.since}; wait for it or use another --workdir",
            )
        return fail(
            "workdir",
            where,
            f"is claimed by {who}, last heard of {silent:.0f} s ago; wait {STALE - silent:.0f} s, or pass "
            "--take_over if you know that it is dead",
        )

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            holder = _holder(self._path)
            if holder is None or holder.token != self._me.token:
                return  # taken over; `check` says so
            with contextlib.suppress(OSError):
                os.utime(self._path)


def _path(workdir: Path, process: int | str) -> Path:
    return workdir / f".claim.{process}"


def _holder(path: Path) -> Holder | None:
    try:
        return Holder.of(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
    except OSError:
        return None


def _lock(descriptor: int, patience: float) -> bool | None:
    """Whether the lock could be had; None where this file system has no locks."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        except OSError:
            return None
        else:
            return True


def _silence(path: Path, holder: Holder, machine: str, workdir: Path) -> float | None:
    """For how many seconds a claim has not been heard of; None while it is certainly held, inf once it is not."""
    with path.open() as file:
        locked = _lock(file.fileno(), 0.0)
    if locked is False:
        return None
    if holder.machine == machine and (locked or not _runs(holder.pid)):
        return float("inf")
    return _now(workdir) - path.stat().st_mtime


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _machine() -> str:
    """What two processes have in common between which locks and process ids mean something."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def _now(folder: Path) -> float:
    """The time by the clock of the file system, which stamps the claims of all hosts."""
    path = folder / f".now.{secrets.token_hex(4)}{files.UNFINISHED}"
    try:
        path.touch()
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)
