import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.attribute import infer_attribute
from leakjax.oracle import replay
from tests.oracle.worlds import offered

VALUES, COLUMNS, PRIOR = np.eye(2, dtype=np.float32), np.array([2, 3]), np.array([0.3, 0.7])


def records(count=40):
    rng = np.random.default_rng(4)
    value = rng.integers(2, size=count)
    return np.concatenate([rng.normal(size=(count, 2)), VALUES[value]], axis=1).astype(np.float32), value


def attack(asked, *, withheld, answer=None, known=None):
    x, _ = records()
    released = asked.ask(x)
    blank = x.copy()
    blank[:, COLUMNS] = 9.0  # what the attacker does not know must not be looked at
    return infer_attribute(asked, released, blank, VALUES, COLUMNS, PRIOR, withheld=withheld)


def test_a_map_that_holds_the_field_tells_it():
    _, value = records()
    asked = offered("input_x_gradient", prediction="label")
    found = attack(asked, withheld=False)
    assert (found.value["both"] == value).all()
    again = attack(replay(asked.transcript), withheld=False)
    np.testing.assert_array_equal(again.value["both"], found.value["both"])


def test_withheld_where_nothing_else_depends_on_it_leaves_the_commonest_value():
    _, value = records()
    found = attack(offered("input_x_gradient", prediction="none"), withheld=True)
    # The gradient of a linear model does not depend on the field; the explained class does for some.
    untold = ~found.told["explanation"]
    assert untold.sum() > 10
    assert (found.value["explanation"][untold] == 1).all()
    assert (found.value["explanation"][~untold] == value[~untold]).all()
    assert (found.value["prediction"] == 1).all()


def test_fewer_than_two_values_are_one_line():
    x, _ = records()
    asked = offered()
    with pytest.raises(UsageError, match="values=1: must be at least 2"):
        infer_attribute(asked, asked.ask(x), x, VALUES[:1], COLUMNS, PRIOR[:1], withheld=False)


def test_means_of_noisy_maps_tell_what_one_does_not():
    """A linear model's input x gradient under noise: the field's own attribution is told by the mean of several."""
    _, value = records()

    def right(repeats):
        x, _ = records()
        guard = "gaussian_noise(0.2)"
        asked = offered("input_x_gradient", prediction="none", guard=guard)
        released = asked.ask(x)
        found = infer_attribute(asked, released, x, VALUES, COLUMNS, PRIOR, withheld=False, repeats=repeats)
        assert asked.queries == len(x) * (1 + 2 * repeats)
        return np.mean(found.value["both"] == value)

    assert right(16) >= right(1)
    assert right(16) > 0.8


def test_a_map_that_is_withheld_says_no_more_than_that():
    x, _ = records()
    asked = offered("input_x_gradient", prediction="label", policy={"least_confidence": 1.1})
    found = infer_attribute(asked, asked.ask(x), x, VALUES, COLUMNS, PRIOR, withheld=False)
    assert not found.told["explanation"].any()
    np.testing.assert_array_equal(found.value["both"], found.value["prediction"])
