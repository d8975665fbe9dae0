"""One process a share: a directory in which two runs trained at once would lose the work of one."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from leakjax._validate import UsageError, fail


class Share(NamedTuple):
    """Which part of a run is this process's: blocks `process`, `process + processes`, and so on."""

    process: int = 0
    processes: int = 1


ALL = Share()


@contextmanager
def claimed(directory: Path, share: Share) -> Iterator[None]:
    """Holds a directory, or one process's share of it; the lock ends with the process, however that ends.

    Args:
      directory: made if need be.
      share: of this process. Other shares of as many are welcome beside it.

    Raises:
      UsageError: another process holds it, or it cannot be written.
    """
    own = f".claim.{share.process}-of-{share.processes}"
    with ExitStack() as held:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file = held.enter_context(open(directory / own, "a"))
        except OSError as error:
            raise UsageError(f"{directory}: cannot be written ({error.strerror})") from None
        others = [
            path for path in directory.glob(".claim.*") if not path.name.endswith(f"-of-{share.processes}")
        ]
        looked_at = [held.enter_context(path.open()) for path in others]
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for other in looked_at:  # of runs with another number of processes
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            rule = "is in use by another process; wait for it, or use another directory"
            raise fail("workdir", str(directory), rule) from None
        yield
