import jax
import numpy as np
import pytest

from leakjax import shadow
from leakjax._validate import UsageError
from leakjax.auditing.stored import stored
from leakjax.data import Points, take
from leakjax.models import mlp
from tests.shadow.small import KEY, MODEL, X, Y, train


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored")
    train(path, range(5), block=2)
    return path


@pytest.fixture
def points():
    return Points(X, Y, 3, "small", np.arange(len(X)))


def test_a_stored_ensemble_is_loaded_with_its_untrained_twin(directory, points):
    ensemble, untrained = stored(directory, MODEL, points, models=4, key=KEY)
    np.testing.assert_array_equal(ensemble.ids, range(4))
    assert jax.tree.map(np.shape, untrained) == jax.tree.map(np.shape, shadow.load(directory, 4).variables)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": mlp(3, widths=(7,))}, "not of the network given"),
        ({"models": 9}, "holds 5 models"),
        ({"rows": np.arange(30)}, "was trained on other features"),
    ],
)
def test_an_ensemble_of_something_else_is_refused(directory, points, change, said):
    arguments = {"model": MODEL, "models": 4} | change
    rows = arguments.pop("rows", None)
    if rows is not None:
        points = take(points, rows)
    with pytest.raises(UsageError, match=said):
        stored(directory, points=points, key=KEY, **arguments)
