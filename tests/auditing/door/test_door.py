"""Every fault in what a caller hands to the audit is one error that names the argument, the value and the rule."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax import UsageError
from leakjax.auditing import Budget
from leakjax.defend import clip_norm
from leakjax.explain import own
from tests.auditing.door.reached import Reached
from tests.auditing.world import MODELS, POINTS, gradient, logits_fn


def without_key(variables, x, target):
    return x


def summed(variables, x, target, *, key):
    return jnp.sum(x)


def paired(variables, x, target, *, key):
    return x, x


def whole(variables, x, target, *, key):
    return jnp.ones(x.shape, jnp.int32)


def of_numpy(variables, x, target, *, key):
    return np.asarray(x) * 2


def branching(variables, x, target, *, key):
    return x if x[0] > 0 else -x


def raising(variables, x, target, *, key):
    raise KeyError("mine")


def two_of_them(attribution, other):
    return attribution


def in_words(attribution):
    return "much"


def signs(attribution):
    return attribution > 0


NAN = np.full(7, np.nan, np.float32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": 0}, r"key=0: must be a typed key, as jax.random.key\(0\)"),
        ({"key": 7}, r"key=7: .*jax.random.key\(7\)"),
        ({"key": None}, "key='NoneType': must be a typed key"),
        ({"explainers": "gradient"}, r"explainers='gradient': must be a list, as \['gradient'\]"),
        ({"defenses": "none"}, r"defenses='none': must be a list"),
        ({"attacks": "lira"}, r"attacks='lira': must be a list"),
        ({"explainers": gradient}, "explainers='function': must be a list"),
        ({"defenses": clip_norm(1.0)}, "defenses='Defense': must be a list"),
        ({"explainers": []}, "explainers=.*at least one"),
        ({"defenses": []}, "defenses=.*at least one"),
        ({"attacks": []}, "attacks=.*at least one"),
        ({"targets": []}, "targets=.*indices of models"),
        ({"targets": [0.5]}, r"targets=\[0.5\]: must be a list of whole numbers"),
        ({"targets": [True, False]}, "targets=.*whole numbers"),
        ({"targets": 3}, "targets=3: must be a list of whole numbers"),
        ({"targets": [-1]}, r"targets=\[-1\]: must be indices of models, 0 to 17"),
        ({"targets": [2, 2]}, "targets=.*must be different models"),
        ({"explainers": [3]}, "explainers=3: must be an explainer"),
        ({"explainers": [lambda v, x, t, *, key: x]}, "must have a name"),
        (
            {"explainers": [without_key]},
            r"explainers='without_key': must take \(variables, x, target, \*, key\)",
        ),
        ({"explainers": [summed]}, r"explainers='summed': returns \(\) for one example of shape \(7,\)"),
        ({"explainers": [paired]}, "explainers='paired': must return one array.*tuple"),
        ({"explainers": [whole]}, "explainers='whole': returns int32"),
        ({"explainers": [of_numpy]}, "explainers='of_numpy': JAX cannot trace it.*jax.pure_callback"),
        ({"explainers": [branching]}, "explainers='branching': JAX cannot trace it"),
        ({"explainers": [gradient, own(gradient)]}, "explainers='gradient': is the name of two"),
        ({"defenses": [lambda a: a]}, "must be a text, a leakjax.defend.Defense or a function"),
        ({"defenses": [5]}, "defenses=5: must be a text"),
        ({"defenses": ["none", "none"]}, "defenses='none': is given twice"),
        ({"explainers": {"gradient", "deeplift"}}, "explainers='set': has no order"),
        ({"explainers": ["gradcam"]}, "explainers='gradcam': layer=None: finds no map"),
        ({"attacks": [3]}, "attacks=3: must be a text or"),
        ({"defenses": [clip_norm]}, r"defenses='clip_norm': makes defenses and is none; call it"),
        ({"defenses": [two_of_them]}, "defenses='two_of_them': must take one attribution; missing .*'other'"),
        ({"defenses": [in_words]}, "defenses='in_words': must return one array, not a str"),
        ({"defenses": [signs]}, "defenses='signs': returns bool; must return a floating type"),
        ({"budget": Budget(background=NAN[None])}, "background='non-finite'"),
        ({"budget": Budget(background=np.zeros((3, 4), np.float32))}, r"background=\(3, 4\): must be \[rows"),
    ],
)
def test_an_argument_that_can_be_mended(enter, options, message):
    with pytest.raises(UsageError, match=message) as found:
        enter(**options)
    assert "\n" not in str(found.value)


def changed(**fields):
    return lambda points: points._replace(**{name: make(points) for name, make in fields.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda points: (points.x, points.y),
            "points='tuple': must be leakjax.Points; leakjax.data.in_order",
        ),
        (lambda points: points.x, "points='ndarray': must be leakjax.Points"),
        (changed(y=lambda p: p.y + 1), r"points=.*label 2 of row .* is not in 0..1"),
        (changed(y=lambda p: p.y.astype(float)), "labels have dtype float64, must be integers"),
        (changed(y=lambda p: p.y[:, None]), "y has shape"),
        (changed(x=lambda p: np.where(np.arange(POINTS)[:, None] == 5, np.nan, p.x)), "1 points have NaN"),
        (changed(x=lambda p: p.x.astype(np.int32)), "points.x='int32': must be of a floating type"),
        (changed(ids=lambda p: np.zeros(POINTS, np.int32)), "points.ids=.*distinct"),
        (changed(ids=lambda p: p.ids.astype(np.int64) + 2**40), "points.ids=1099.*must fit into 32 bits"),
        (changed(classes=lambda p: 2.0), "points.classes=2.0: must be a whole number"),
        (changed(classes=lambda p: None), "points.classes=None: must be a whole number"),
        (changed(name=lambda p: None), "points.name=None: must be a text"),
        (changed(groups=lambda p: ["side"]), "points.groups='list': must be a mapping"),
    ],
)
def test_points_that_cannot_be_audited(enter, points, change, message):
    with pytest.raises(UsageError, match=message):
        enter(points=change(points))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.variables, "ensemble='dict': must be a leakjax.Ensemble; leakjax.shadow.from_arrays"),
        (lambda e: e._replace(variables={}), "variables={}: must hold arrays"),
        (lambda e: e._replace(variables=[object()] * MODELS), "variables='object': must hold arrays"),
        (lambda e: e._replace(membership=0.7 * e.membership), "membership='0.7': must hold True and False"),
        (lambda e: e._replace(membership=np.arange(MODELS)), "membership='2': must hold True and False"),
        (lambda e: e._replace(membership=e.membership.astype(str)), "membership=.*must hold True and False"),
        (lambda e: e._replace(membership=np.tile(e.membership[:1], (MODELS, 1))), "no point is both in some"),
        (lambda e: e._replace(membership=[[0, 1], [1]]), "membership='list': must hold rows of one length"),
        (
            lambda e: e._replace(variables={"name": np.array(["a"] * MODELS)}),
            "variables='<U1': must hold arrays",
        ),
        (lambda e: e._replace(variables={"one": 1.0}), "variables='float': must hold arrays"),
        (lambda e: e._replace(ids=np.zeros(MODELS, int)), "ensemble.ids='int64': must be distinct"),
        (lambda e: e._replace(ids=np.arange(MODELS) / 2), "ensemble.ids='float64': must be distinct whole"),
        (lambda e: e._replace(history=None), "ensemble.history='NoneType': must be a leakjax.shadow.History"),
        (lambda e: e._replace(membership=e.membership.T), "membership=.*shape of the models and points"),
        (
            lambda e: e._replace(membership=np.where(np.arange(MODELS)[:, None] == 4, True, e.membership)),
            "targets=4: holds all of the points",
        ),
    ],
)
def test_an_ensemble_that_cannot_be_audited(enter, ensemble, change, message):
    with pytest.raises(UsageError, match=message):
        enter(ensemble=change(ensemble))


def test_probabilities_are_no_membership_where_an_ensemble_is_made(ensemble):
    with pytest.raises(UsageError, match=r"membership='0\.5': must hold True and False"):
        leakjax.shadow.from_arrays(ensemble.variables, np.full((MODELS, POINTS), 0.5))
    made = leakjax.shadow.from_arrays(ensemble.variables, ensemble.membership.astype(int))
    np.testing.assert_array_equal(made.membership, ensemble.membership)


def test_a_model_without_members_is_an_error_as_a_target_alone(enter, ensemble):
    membership = np.where(np.arange(MODELS)[:, None] == 4, False, ensemble.membership)
    with pytest.raises(Reached):
        enter(ensemble=ensemble._replace(membership=membership), targets=[3])


def of_the_example_alone(x):
    return x[:2]


def changed_logits(change):
    return lambda variables, x: change(logits_fn(variables, x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "logits_fn='int': must be a function"),
        (
            of_the_example_alone,
            r"logits_fn='of_the_example_alone': must take \(variables of one model, one example",
        ),
        (changed_logits(lambda z: z[:1]), r"logits_fn=\(1,\): must return logits \(2,\).*jax.numpy.stack"),
        (changed_logits(lambda z: z[0]), r"logits_fn=\(\): .*jax.numpy.stack"),
        (changed_logits(lambda z: z[None]), r"logits_fn=\(1, 2\): .*this is a batch, so take logits\[0\]"),
        (changed_logits(lambda z: jnp.concatenate([z, z])), r"logits_fn=\(4,\): .*as points.classes says"),
        (changed_logits(lambda z: (z, z)), "logits_fn='tuple': must return one array"),
        (changed_logits(lambda z: {"logits": z}), "logits_fn='dict': must return one array"),
        (changed_logits(lambda z: jnp.int32(z > 0)), "logits_fn='int32': must return logits of a floating"),
        (changed_logits(np.asarray), "logits_fn='<lambda>': JAX cannot trace it.*jax.pure_callback"),
    ],
)
def test_a_model_whose_answers_are_no_logits(enter, model, message):
    with pytest.raises(UsageError, match=message):
        enter(logits_fn=model)


def test_probabilities_in_place_of_logits_are_a_warning(enter):
    with pytest.warns(UserWarning, match="these look like probabilities"), pytest.raises(Reached):
        enter(logits_fn=changed_logits(jax.nn.softmax))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Reached):
            enter()


def test_what_a_users_own_function_raises_is_theirs_with_a_line_that_says_which(enter):
    with pytest.raises(KeyError, match="mine") as found:
        enter(explainers=[raising])
    assert found.value.__notes__[-1:] == ["raised by raising, given as explainers"]

    def broken(variables, x):
        return x @ variables["no such array"]

    with pytest.raises(KeyError, match="no such array") as found:
        enter(logits_fn=broken)
    assert found.value.__notes__[-1:] == ["raised by broken, given as logits_fn"]

    def stuck(attribution):
        return attribution.no_such_thing

    with pytest.raises(AttributeError) as found:
        enter(defenses=[stuck])
    assert found.value.__notes__[-1:] == ["raised by stuck, given as defenses"]


def test_lists_and_jax_arrays_are_taken_where_arrays_are(enter, points, ensemble):
    with pytest.raises(Reached):
        enter(
            points=points._replace(x=jnp.asarray(points.x), y=jnp.asarray(points.y)),
            ensemble=ensemble._replace(membership=ensemble.membership.astype(int).tolist()),
            explainers=("gradient", gradient_of_mine),
            targets=jnp.asarray([0, 3]),
        )


def gradient_of_mine(variables, x, target, *, key):
    return jax.grad(lambda x: logits_fn(variables, x)[target])(x)


def nowhere_finite(variables, x, target, *, key):
    return jnp.nan * x


@pytest.mark.slow
def test_an_audit_of_which_nothing_is_left_says_so(ensemble, points):
    short = leakjax.auditing.Attacker(releases=("label",))
    for options in ({"logits_fn": changed_logits(lambda z: z * jnp.nan)}, {"explainers": [nowhere_finite]}):
        model = options.pop("logits_fn", logits_fn)
        with pytest.raises(UsageError, match=r"^points=0: no point is left on which"):
            leakjax.audit(model, ensemble, points, key=jax.random.key(0), attacker=short, **options)
