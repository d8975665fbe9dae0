import numpy as np

from leakjax.inversion import censored
from tests.inversion.people import people


def world(copied):
    """People of whom a coin says the sex; where it is `copied`, a number that the model sees says it too."""
    rng = np.random.default_rng(0)
    value = rng.integers(2, size=300)
    sex = np.eye(2, dtype=np.float32)[value]
    other = 4.0 * value - 2 if copied else rng.normal(size=300)
    x = np.column_stack([rng.normal(size=300), sex, other, rng.normal(size=(300, 3))])
    return people(x, ("age", "sex", "sex", "height", "gain", "loss", "years"), rng)


def test_a_field_that_the_model_never_saw_is_read_where_another_tells_it():
    told, untold = (
        {row["setting"].rpartition(", ")[2]: row for row in rows if row["guard"] == "none"}
        for rows in (censored.measure(world(copied), 0, 100) for copied in (True, False))
    )
    assert set(told) == {"in the model's input", "censored from it"}
    assert np.mean(told["censored from it"]["found"]) > 0.9
    assert np.mean(untold["in the model's input"]["found"]) > 0.9
    # The forest has seen these very people: the others of the world are its own.
    assert np.mean(untold["censored from it"]["baseline"]) < 0.9
    assert all(len(row["found"]) == len(row["control"]) == 100 for row in told.values())
    assert all(row["explained"] == 300 + 200 for row in told.values())
