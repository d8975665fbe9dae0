import pytest

from leakjax.report import publish
from tests.report.fake_report import fake_report


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A work directory with everything that the fake report leaves there."""
    workdir = tmp_path_factory.mktemp("published")
    publish(fake_report(), workdir)
    return workdir
