import pytest

from leakjax._validate import UsageError
from leakjax.records.plan import PARTS, plan_for
from leakjax.records.study import ORACLES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 3000}, "k=3000: must be at most points=2000"),
        ({"draws": 0}, "draws=0: must be at least 1"),
        ({"network_points": 1}, "network_points=1: must be at least 2"),
        ({"parts": ("draw",)}, "did you mean 'draws'"),
        ({"parts": ("sizes",)}, "parts='sizes': must contain draws"),
        ({"oracles": ("digits5",)}, "did you mean 'digits"),
        ({"loss": "hinge"}, "loss='hinge'"),
        ({"scaling": "max"}, "scaling='max'"),
        ({"l2": -1.0}, "l2=-1.0: must be at least 0"),
        ({"threshold": -1.0}, "threshold=-1.0: must be at least 0"),
        ({"threshold": float("nan")}, "threshold=nan: must be at least 0"),
        ({"pair": (5, 5)}, "pair='5,5': must be two different classes"),
    ],
)
def test_every_field_is_checked_by_name(changes, message):
    with pytest.raises(UsageError, match=message):
        plan_for("adult", **changes)


def test_what_is_left_open_follows_the_data_set():
    adult, images, other = plan_for("adult"), plan_for("fashion_mnist"), plan_for("npz:points.npz")
    assert (adult.parts, adult.draws, adult.points, adult.oracles) == (PARTS, 10, 2000, tuple(ORACLES))
    assert (images.parts, images.draws, images.points, images.oracles) == (("draws",), 1, 1800, ("exact",))
    assert (other.parts, other.draws, other.points) == (("draws",), 10, None)


def test_the_noise_that_algorithm_1_expects_follows_data_and_loss():
    assert plan_for("adult").threshold == 1e-13
    assert plan_for("adult", loss="cross_entropy").threshold == 1e-12
    assert plan_for("adult", loss="cross_entropy", threshold=1e-9).threshold == 1e-9
    assert plan_for("parkinsons").threshold == 1e-14
