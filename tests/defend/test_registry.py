import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.defend import (
    DEFENSES,
    Domain,
    apply,
    chain,
    clip_norm,
    gaussian_noise,
    lift,
    parse,
    registered,
    sensitivity,
)
from leakjax.defend.presets import PRESETS
from leakjax.explain import EXPLAINERS

KEY = jax.random.key(3)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("none", "none"),
        (" none ", "none"),
        ("clip_norm(1.0)+gaussian_noise(0.1)", "clip_norm(1.0, norm=2)+gaussian_noise(0.1)"),
        ("keep_top_k(10) + clip_norm(radius=1, norm=inf)", "keep_top_k(10)+clip_norm(1.0, norm=inf)"),
        ("clip_values(low=-1, high=+2.5e-3)", "clip_values(-1.0, 0.0025)"),
        ("clip_values(-inf, 1)", "clip_values(-inf, 1.0)"),
        ("clip_norm(2, 2.0)", "clip_norm(2.0, norm=2)"),
        ("keep_top_k(3)+keep_top_k(2)+keep_top_k(1)", "keep_top_k(3)+keep_top_k(2)+keep_top_k(1)"),
    ],
)
def test_text_has_a_canonical_name_that_parses_to_the_same_defense(text, name):
    defense = parse(text)
    assert defense.name == name
    again = parse(defense.name)
    assert again.name == name
    x = jax.random.normal(KEY, (12,))
    np.testing.assert_array_equal(apply(again, x, key=KEY), apply(defense, x, key=KEY))


def test_names_keep_every_digit():
    radius = float(np.float32(0.1))
    assert parse(clip_norm(np.float32(0.1)).name).name == f"clip_norm({radius!r}, norm=2)"


def test_a_traced_hyperparameter_shows_as_a_question_mark():
    names = []
    jax.make_jaxpr(lambda r: names.append(chain(clip_norm(r), gaussian_noise(0.5)).name))(1.0)
    assert names == ["clip_norm(?, norm=2)+gaussian_noise(0.5)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip_nrom(1)", "did you mean 'clip_norm'"),
        ("clip_nrom(1)", ", clip_values, clip_norm, "),
        ("top_k(3)", "did you mean 'keep_top_k'"),
        ("noise(1)", "did you mean 'gaussian_noise'"),
        ("clip_norm(radis=1)", "did you mean 'radius'"),
        ("clip_norm('1')", "radius='1' must be a number"),
        ("nothing", "must be one of"),
        ("nonne", "did you mean 'none'"),
        ("", "must be"),
        ("clip_norm", "must be"),
        ("clip_norm()", "radius"),
        ("clip_norm(1, 2, 3)", "clip_norm(radius, norm=2)"),
        ("clip_norm(1, size=2)", "size"),
        ("clip_norm(radius=1, radius=2)", "must be"),
        ("clip_norm(-1)", "radius=-1"),
        ("clip_norm(1, norm=3)", "norm=3"),
        ("clip_values(1, 0)", "low=1"),
        ("keep_top_k(2.5)", "k=2.5"),
        ("keep_top_k(True)", "must be"),
        ("keep_top_k(k)", "must be"),
        ("keep_top_k('2')", "must be"),
        ("keep_top_k(1+1)", "must be"),
        ("keep_top_k(*[1])", "must be"),
        ("keep_top_k(**{})", "must be"),
        ("clip_norm(1)-clip_norm(1)", "must be"),
        ("clip_norm(1)+none", "none stands alone"),
        ("none()", "none stands alone"),
        ("clip_norm(1); import os", "must be"),
        ("__import__('os').system('true')", "must be"),
        ("clip_norm(__import__('os'))", "must be"),
        ("clip_norm(1", "must be"),
        ("a" * 5000 + "(", "characters are too many"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_flag(text, said):
    with pytest.raises(UsageError) as error:
        parse(text)
    message = str(error.value)
    assert message.startswith("defense=")
    assert said in message
    assert "\n" not in message


def test_presets_are_chains_by_the_names_of_explainers_and_of_what_a_gradient_is_looked_at_as():
    assert set(PRESETS) == {*EXPLAINERS, "saliency"}
    assert "project_out" not in parse("preset:saliency").name
    for name, chained in PRESETS.items():
        assert parse(f" preset:{name} ").name == parse(chained).name
    with pytest.raises(UsageError, match="preset='nothing'"):
        parse("preset:nothing")


@pytest.mark.parametrize("shape", [(12,), (4, 4, 3)])
@pytest.mark.parametrize("name", list(EXPLAINERS))
def test_the_preset_of_an_explainer_takes_its_maps(name, shape):
    if name in ("gradcam", "gradcam_pp"):  # of images alone, and one value a pixel
        shape = (4, 4, 1)
    defense = parse(f"preset:{name}")
    plain, x = jax.random.normal(KEY, (2, *shape))
    shown = apply(defense, plain, key=KEY, x=x if plain.shape == x.shape else None)
    assert shown.shape == plain.shape
    assert 0.5 < np.linalg.norm(shown) < 2


@pytest.mark.parametrize("chained", sorted(set(PRESETS.values())))
def test_a_preset_has_a_bound_and_keeps_the_direction(chained):
    defense, size = parse(chained), 64
    bound = sensitivity(defense, (size,))  # two unit arrays that point apart
    assert abs(float(bound.value) - 2) < 1e-4
    assert bool(bound.exact) or "project_out" in chained
    maps, x = jax.random.normal(KEY, (2, 300, size))
    keys = jax.random.split(KEY, 300)
    release = jax.jit(jax.vmap(lambda plain, x, key: apply(defense, plain, key=key, x=x)))
    shown = release(maps, x, keys)
    plain, out = np.asarray(maps, float), np.asarray(shown, float)
    cosine = (plain * out).sum(1) / np.linalg.norm(plain, axis=1) / np.linalg.norm(out, axis=1)
    # Some of so many directions go, and then noise to the cosine that is named.
    directions = re.search(r"project_out\('([^']*)'.*?share=([0-9.]*)", chained)
    gone = min(directions[1].count(",") + 1, max(1, int(float(directions[2]) * size))) if directions else 0
    kept = (1 - gone / size) ** 0.5
    stated = float(re.search(r"cosine_noise\(([0-9.]*)", chained)[1]) if "noise" in chained else 1.0
    assert abs(cosine.mean() - kept * stated) < 0.015
    assert np.abs(np.linalg.norm(out, axis=1) * stated - 1).mean() < 0.1  # no length is told


def test_an_infinite_bound_is_read_as_one():
    assert math.isinf(parse("clip_values(0, inf)").domain(Domain((3,))).high)


def halved(times: int = 1):
    return lift("mine", lambda attribution: attribution / 2**times)


def nothing():
    return None


def test_a_users_own_defense_is_named_by_its_module_and_chained_like_ours():
    defense = parse(f"{__name__}:halved(2) + clip_norm(1.0)")
    assert defense.name == f"{__name__}:halved(times=2)+clip_norm(1.0, norm=2)"
    assert parse(defense.name).name == defense.name
    np.testing.assert_allclose(apply(defense, jnp.array([0.4, 0.8]), key=KEY), [0.1, 0.2])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{__name__}:nothing", "must return a Defense, not a NoneType"),
        (f"{__name__}:absent", "has no function 'absent'"),
        (f"{__name__}:halved(time=3)", "did you mean 'times'"),
        ("nowhere.at_all:halved", "there is no module 'nowhere'"),
    ],
)
def test_what_is_wrong_with_a_users_own_is_named(name, said):
    with pytest.raises(UsageError, match=said):
        parse(name)


def test_a_new_defense_is_registered_by_a_decorator_alone():
    registered(halved)
    try:
        assert parse("halved(times=3)").name == "mine"
        assert DEFENSES["halved"] is halved
    finally:
        DEFENSES.remove("halved")
