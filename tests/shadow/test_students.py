"""Students of teachers of their own: SELENA, whose answers to a training point come from a model that lacks it."""

import jax
import numpy as np
import pytest

from leakjax import shadow
from leakjax._validate import UsageError
from leakjax.defend import policies
from leakjax.shadow import TrainConfig
from tests.shadow.small import KEY, MODEL, POINTS, X, Y, members

IDS = np.arange(2, dtype=np.int32)
CONFIG = TrainConfig(epochs=40, batch_size=8, learning_rate=0.02)
FOLDS = 3


def logits(variables, x):
    return np.asarray(jax.vmap(jax.vmap(MODEL.logits_fn, (None, 0)), (0, None))(variables, x))


@pytest.fixture(scope="module")
def membership():
    return np.asarray(members(IDS))


@pytest.fixture(scope="module")
def answers(membership):
    """Out-of-fold probabilities for each of two owners, by three sub-models on the owner's own points."""
    fold = policies.folds_of(X, FOLDS, secret=b"of this test alone")
    of_owner = []
    for own in membership:
        rows = policies.fold_membership(fold, FOLDS) & own
        teachers = shadow.train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=rows, ids=np.arange(FOLDS))
        probabilities = jax.nn.softmax(logits(teachers.variables, X))
        of_owner.append(policies.out_of_fold(probabilities, fold))
    return np.stack(of_owner)


def test_each_student_learns_from_its_own_teacher_alone(membership, answers):
    given = {"key": KEY, "membership": membership, "ids": IDS}
    found = shadow.students(MODEL, X, answers, CONFIG, **given)
    np.testing.assert_array_equal(found.ids, IDS)
    np.testing.assert_array_equal(found.membership, membership)
    assert found.history.loss.shape == (2, CONFIG.epochs)
    alone = shadow.train_ensemble(
        MODEL, X, answers[1], CONFIG, key=KEY, membership=membership[1:], ids=IDS[1:]
    )
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[0]), found.variables, alone.variables)
    # The other teacher's answers play no part, and those of points that are not the student's own neither.
    other = answers.copy()
    other[0] = answers[0][::-1]
    other[1][~membership[1]] = 1 / 3
    again = shadow.students(MODEL, X, other, CONFIG, **given)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[1]), found.variables, again.variables)
    assert not np.array_equal(*(jax.tree.leaves(one.variables)[0][0] for one in (found, again)))


def test_students_answer_as_their_teachers_do(membership, answers):
    found = shadow.students(MODEL, X, answers, CONFIG, key=KEY, membership=membership, ids=IDS)
    says, said = logits(found.variables, X).argmax(-1), answers.argmax(-1)
    assert (says == said)[membership].mean() > 0.75
    # Labels that a teacher has not learned by heart are not learned from it.
    wrong = membership & (said != Y)
    assert wrong.sum() > 5
    assert (says == Y)[wrong].mean() < 0.3


def test_answers_of_another_shape_are_refused(membership, answers):
    with pytest.raises(UsageError, match="answers="):
        shadow.students(MODEL, X, answers[0], CONFIG, key=KEY, membership=membership, ids=IDS)
    assert answers.shape == (2, POINTS, 3)
