"""What is installed: one package with its types, binaries inside it, and pages that need no repository beside them."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import leakjax

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_public_names():
    assert leakjax.__version__ == PROJECT["project"]["version"]
    assert issubclass(leakjax.UsageError, ValueError)
    assert "records" in leakjax.__all__
    for name in ("rates_of", "resample", "leakage_of", "margin", "top_overlap", "Estimate"):
        assert callable(getattr(leakjax.evaluate, name))
    assert (ROOT / "leakjax" / "py.typed").exists()


def test_nothing_but_leakjax_is_installed_beside_other_packages():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["leakjax"]
    assert wheel["force-include"] == {"experiments": "leakjax/experiments"}


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.py")), ids=lambda path: path.name)
def test_a_binary_finds_its_neighbours_under_either_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not [name for name in names if name.split(".")[0] == "experiments"]


def test_versions_that_would_break_are_excluded():
    assert "orbax-checkpoint>=0.11,<1" in PROJECT["project"]["dependencies"]


def test_a_package_index_shows_no_link_or_picture_of_this_repository():
    readme = (ROOT / "README.md").read_text()
    for one in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        readme = re.sub(one["pattern"], one["replacement"], readme)
    links = re.findall(r"\]\(([^)]*)\)", readme)
    assert links
    assert all(link.startswith("https://") for link in links)
    assert "One digit under all methods" in readme
    assert "the fields" in readme


def test_links_in_the_readme_lead_somewhere():
    readme = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)]*)\)", readme):
        path, _, place = link.partition("#")
        assert link.startswith("https://") or (ROOT / path).exists(), link
        if place:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}, link


@pytest.mark.slow
def test_tensorflow_datasets_is_imported_where_a_set_is_read_through_it_alone():
    code = "import sys, leakjax; leakjax.data.load('digits'); print('tensorflow_datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
