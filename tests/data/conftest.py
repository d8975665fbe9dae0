import hashlib

import pytest

from leakjax._validate import UsageError
from leakjax.data import files


@pytest.fixture
def original():
    """Makes the description of a file from its content, as if that were what its publisher offers."""

    def describe(name, content, url="file:///nowhere"):
        return files.Original(name, f"{url}/{name}", len(content), hashlib.sha256(content).hexdigest())

    return describe


@pytest.fixture
def usage_error():
    """Calls a function that must raise a UsageError of one line; returns the line."""

    def call(function, *args, **kwargs):
        with pytest.raises(UsageError) as error:
            function(*args, **kwargs)
        assert "\n" not in str(error.value)
        return str(error.value)

    return call
