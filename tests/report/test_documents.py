import pytest

from leakjax.evaluate.document import schema_text
from leakjax.report.documents import published


@pytest.mark.parametrize("document", published())
def test_the_published_schema_is_the_one_that_the_types_give(document):
    assert published()[document].read_text() == schema_text(document)
