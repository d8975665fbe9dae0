"""The README's Python runs as it stands."""

import pathlib
import re

import jax
import pytest

from tests.auditing.conftest import cheap_compilation, cheaply  # noqa: F401

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def recipe(name):
    (code,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", README, re.DOTALL)
    return code


@pytest.fixture(scope="module")
def scope(tmp_path_factory, cheap_compilation):  # noqa: F811
    """What the recipe of a model leaves for the others."""
    found, work = {}, tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        exec(recipe("model"), found)
    return found | {"work": work}


def test_it_can_be_read_in_one_go_and_each_user_has_a_line_on_the_first_screen():
    lines = README.splitlines()
    assert len(lines) < 200
    first = "\n".join(lines[:16])
    for user in ("--dataset=csv:bank.csv --label=default", "flax.nnx", "experiments.train_shadows"):
        assert user in first


@pytest.mark.slow
def test_an_own_model_makes_a_report(scope):
    report = scope["report"]
    assert {row.explainer for row in report.leakage} == {"none", "gradient"}
    assert not any(control.failed for control in report.controls)
    assert (scope["work"] / "runs/own-model/report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_an_own_explainer_stands_among_ours(scope):
    own = dict(scope)
    exec(recipe("explainer"), own)
    both = {row.explainer: row for row in own["report"].leakage if row.view == "both"}
    assert set(both) == {"gradient", "contrast", "smoothgrad(samples=4)"}
    assert both["contrast"].family == "custom"


@pytest.mark.slow
def test_an_own_defense_stands_among_ours(scope):
    own = dict(scope)
    exec(recipe("defense"), own)
    rows = {row.defense: row for row in own["report"].utility}
    assert set(rows) == {"none", "signs"}
    assert rows["signs"].cosine.value < rows["none"].cosine.value


@pytest.mark.slow
def test_an_own_attack_stands_among_ours(scope):
    own = dict(scope)
    exec(recipe("attack"), own)
    rows = {row.attack: row for row in own["report"].leakage}
    assert {"stacked", "mine"} <= set(rows)
    assert rows["mine"].view == "explanation"
    assert 0 < rows["mine"].auc.value < 1


def test_networks_and_layers_are_explained_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"<!-- python: explain -->\n```python\n(.*?)```", README, re.DOTALL)
    scope = {}
    exec(code, scope)
    assert scope["attribution"].shape == (3, 4)  # of the embeddings of three tokens
    assert (tmp_path / "attribution.png").stat().st_size > 1000


@pytest.mark.slow
def test_the_bounds_it_states_are_the_ones_computed_and_the_chain_runs_in_an_audit(scope):
    own = dict(scope)
    exec(recipe("defend"), own)
    assert bool(own["l1"].exact)
    assert bool(own["l2"].exact)
    assert abs(float(own["l1"].value) - 2 * 10**0.5) < 1e-6
    assert abs(float(own["l2"].value) - 2) < 1e-6
    assert "2 sqrt(10) and 2, exact" in README
    assert 4 < own["spent"] < 40  # ten releases of epsilon 4: more than one, less than by adding up
    variables = jax.tree.map(lambda leaf: leaf[0], own["ensemble"].variables)
    hardened = own["hardened"](variables, own["points"].x[0], 1, key=jax.random.key(0))
    assert hardened.shape == (30,)
    assert len({row.defense for row in own["report"].utility}) == 2


@pytest.mark.parametrize("name", ["model", "explainer", "defense", "attack", "defend"])
def test_each_recipe_has_ten_lines_at_most(name):
    assert len([line for line in recipe(name).splitlines() if line.strip()]) <= 10
