"""The stages of an audit: announced and timed."""

import contextlib
import time
from collections.abc import Callable, Iterator


class Clock:
    """Announces stages and measures their wall time in `seconds`, by stage."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Args: say: called with the name of a stage when it begins."""
        self.seconds: dict[str, float] = {}
        self._say = say

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times the stage that is done inside."""
        self._say(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
