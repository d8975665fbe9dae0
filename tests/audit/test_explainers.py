"""Explainers as text."""

import pytest

from leakjax._validate import UsageError
from leakjax.audit import explainers
from leakjax.models import logistic


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gradient", "gradient"),
        (" smoothgrad( samples = 8 ) ", "smoothgrad(samples=8)"),
        (
            "integrated_gradients(steps=4,output='probability')",
            "integrated_gradients(steps=4, output='probability')",
        ),
    ],
)
def test_a_canonical_name_parses_to_itself(text, name):
    named = explainers.parse(text)
    assert named.name == name
    assert explainers.parse(name) == named
    named.make(logistic(2).logits_fn)


def test_options_decide_the_cost_and_the_family_is_the_methods():
    assert explainers.parse("smoothgrad(samples=8)").evaluations((3,)) == 8
    assert explainers.family("smoothgrad(samples=8)") == "backpropagation"
    assert explainers.family("my own") == "custom"


@pytest.mark.parametrize(
    "text",
    [
        "gradient(",
        "gradient(1)",
        "gradient(a=print('x'))",
        "gradient(**{})",
        "gradient()()",
        "gradient(a=1) or 2",
    ],
)
def test_anything_else_is_refused_and_never_evaluated(text, capsys):
    with pytest.raises(UsageError, match="explainers="):
        explainers.parse(text)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gradient(steps=3)", "gradient.*steps"),
        ("integrated_gradients(steps=0)", "steps=0: must be at least 1"),
        ("gradient(output='logits')", "output='logits': must be one of"),
        ("feature_permutation", "background"),
    ],
)
def test_options_that_a_method_refuses_are_refused_when_they_are_read(text, words):
    with pytest.raises(UsageError, match=words):
        explainers.parse(text)


def test_commas_inside_parentheses_do_not_split():
    assert explainers.split("a(x=1, y=2), b,,c") == ["a(x=1, y=2)", "b", "c"]
    with pytest.raises(UsageError, match="at least one"):
        explainers.split(" , ")
