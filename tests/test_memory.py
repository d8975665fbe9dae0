import psutil
import pytest

from leakjax import _memory
from leakjax._validate import UsageError


def test_what_does_not_fit_is_refused_with_the_estimate():
    free = psutil.virtual_memory().available
    _memory.check("points", 7, free / 2, "7 points")
    with pytest.raises(
        UsageError, match=r"^points=7: 7 points would take about 4,096.0 GiB of memory, .* are free"
    ):
        _memory.check("points", 7, 2**42, "7 points")
