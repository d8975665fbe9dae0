"""Trainers of the user's own: who is trained on whom, and what a second call does not do again."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from leakjax._validate import UsageError
from leakjax.shadow import fit_many

DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(40, 3)), DRAW.integers(0, 2, 40)
MEMBERSHIP = DRAW.random((5, 40)) < 0.5


def weights(x, y):
    fit = LogisticRegression().fit(x, y)
    return {"w": fit.coef_[0], "b": fit.intercept_}


def test_each_model_is_fitted_on_its_own_members():
    found = fit_many(weights, X, Y, MEMBERSHIP, progress=False)
    for one, members in zip(found, MEMBERSHIP, strict=True):
        expected = LogisticRegression().fit(X[members], Y[members])
        np.testing.assert_array_equal(one["w"], expected.coef_[0])


def test_fitted_objects_come_back_as_they_are_without_a_workdir():
    found = fit_many(lambda x, y: LogisticRegression().fit(x, y), X, Y, MEMBERSHIP, progress=False)
    assert all(isinstance(one, LogisticRegression) for one in found)


def test_what_was_fitted_is_not_fitted_again(tmp_path):
    log = tmp_path / "log"
    log.write_text("")

    def fit(x, y):
        with open(log, "a") as file:
            file.write("x")
        return x.sum(axis=0)

    first = fit_many(fit, X, Y, MEMBERSHIP[:3], workdir=tmp_path / "work", progress=False)
    assert log.read_text() == "xxx"
    again = fit_many(fit, X, Y, MEMBERSHIP, workdir=tmp_path / "work", progress=False)
    assert log.read_text() == "xxxxx"  # the two that were not there
    np.testing.assert_array_equal(again[:3], first)
    np.testing.assert_allclose(again, [X[members].sum(axis=0) for members in MEMBERSHIP])
    fit_many(fit, X + 1, Y, MEMBERSHIP[:1], workdir=tmp_path / "work", progress=False)
    assert log.read_text() == "xxxxxx"  # other data


def test_a_run_that_is_interrupted_goes_on(tmp_path):
    done, stop = [], [True]

    def interrupt(count, total):
        assert total == len(MEMBERSHIP)
        done.append(count)
        if count == 2 and stop.pop():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_many(weights, X, Y, MEMBERSHIP, workdir=tmp_path, progress=interrupt)
    assert len(list((tmp_path / "stages").iterdir())) == 2
    found = fit_many(weights, X, Y, MEMBERSHIP, workdir=tmp_path, progress=False)
    assert len(list((tmp_path / "stages").iterdir())) == 5
    plain = fit_many(weights, X, Y, MEMBERSHIP, progress=False)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one["w"], other["w"])
    assert done == [1, 2]


def test_another_trainer_is_not_served_the_fits_of_the_first(tmp_path):
    def scaled(factor):
        return lambda x, y: factor * x.sum(axis=0)

    one, two = (
        fit_many(scaled(factor), X, Y, MEMBERSHIP, workdir=tmp_path, progress=False) for factor in (1.0, 2.0)
    )
    np.testing.assert_allclose(np.multiply(one, 2), two)


def test_progress_is_told(capsys):
    told = []
    fit_many(weights, X, Y, MEMBERSHIP, progress=lambda done, total: told.append((done, total)))
    assert told == [(model, 5) for model in range(1, 6)]
    fit_many(weights, X, Y, MEMBERSHIP)
    assert "fitting models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, Y, MEMBERSHIP.astype(int)), "must be bool"),
        ((X, Y, MEMBERSHIP[:, :-1]), "membership"),
        ((X, Y[:-1], MEMBERSHIP), "y="),
        ((X, Y, MEMBERSHIP & (np.arange(5) != 2)[:, None]), "'model 2': has no member"),
    ],
)
def test_faults_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        fit_many(weights, *arguments, progress=False)


def test_what_no_workdir_keeps_is_named(tmp_path):
    with pytest.raises(UsageError, match="return the arrays that are needed, or leave workdir out"):
        fit_many(
            lambda x, y: LogisticRegression().fit(x, y), X, Y, MEMBERSHIP, workdir=tmp_path, progress=False
        )
