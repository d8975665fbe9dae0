import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.attribute_learned import learn_attribute
from leakjax.oracle import replay
from tests.oracle.worlds import offered


def people(count, seed):
    """The value is the sign of the first feature, so that input x gradient of the rest says nothing of it."""
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int)


def right(asked, **options):
    own, value = people(300, 0)
    x, sought = people(100, 1)
    read = learn_attribute(asked, own, value, seed=0, **options)
    return np.mean(read(asked.ask(x, plain=options["view"] == "prediction")) == sought)


def test_a_field_that_a_map_shows_is_read_off_it_and_a_replay_says_the_same():
    asked = offered("input_x_gradient", prediction="label")
    found = right(asked, view="both")
    assert found > 0.9
    assert asked.explained == 400
    assert right(replay(asked.transcript), view="both") == found


def test_the_prediction_asks_for_no_explanation_and_says_less():
    asked = offered("input_x_gradient", prediction="label")
    assert right(asked, view="prediction") < 0.85
    assert asked.explained == 0


def test_what_is_hidden_is_not_looked_at():
    asked = offered("input_x_gradient", prediction="none")
    shown, hidden = (right(asked, view="both", hidden=where) for where in (None, np.array([0])))
    assert hidden < shown - 0.1


def test_refused_answers_leave_the_commonest_value():
    own, value = people(50, 0)
    read = learn_attribute(offered(), own, value, view="both", seed=0)
    refused = offered(budget=1)
    refused.ask(own[:1])
    assert (read(refused.ask(own)) == np.bincount(value).argmax()).all()


def test_one_value_alone_is_one_line():
    own, value = people(20, 0)
    with pytest.raises(UsageError, match="must be of at least 2 kinds"):
        learn_attribute(offered(), own, 0 * value, view="both", seed=0)
