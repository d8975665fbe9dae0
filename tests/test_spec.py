"""The call syntax: what it reads, what it refuses, and how fast."""

import math
import time
from typing import Any, Literal

import pytest

from leakjax import _spec
from leakjax._validate import UsageError


def factory(
    model,
    few: int = 3,
    share: float = 0.5,
    shown: bool = True,
    kind: Literal["hard", "soft"] = "soft",
    sides: int | tuple[int, ...] | None = None,
    pair: tuple[int, float] = (1, 2.0),
    level: Any = 0.0,
    array: Any = None,
    text: str = "a",
    *,
    hook: list[str] | None = None,
):
    """What the tests below call."""


def bound(text):
    return _spec.bind("thing", _spec.read("thing", text), factory, given=("model",), also=("grid",))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("f", {}),
        (" f ( ) ", {}),
        ("f(4)", {"few": 4}),
        ("f(-4, .5)", {"few": -4, "share": 0.5}),
        ("f(share=1)", {"share": 1}),
        ("f(share=-inf, level=+2.5e-3)", {"share": -math.inf, "level": 0.0025}),
        ("f(shown=False,kind='hard')", {"shown": False, "kind": "hard"}),
        ("f(sides=(2, 3))", {"sides": (2, 3)}),
        ("f(sides=())", {"sides": ()}),
        ("f(sides=None, pair=(1, 0.5))", {"sides": None, "pair": (1, 0.5)}),
        ("f(text='a, (b)+c=\"d\" \\' e')", {"text": 'a, (b)+c="d" \' e'}),
        ("f(grid=4)", {"grid": 4}),
        ("own.module:f(few=4)", {"few": 4}),
    ],
)
def test_text_becomes_options_and_canonical_text_reads_back(text, options):
    assert bound(text) == options
    call = _spec.read("thing", text)
    assert _spec.read("thing", str(call)) == call
    assert str(_spec.read("thing", str(call))) == str(call)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            (f"f({wrong})", "must be written")
            for wrong in ("{}=1", "few={}", "few={1: 2}", "few=[1]", "{'few': 1}")
        ),
        *(
            (f"f({wrong})", "must be written")
            for wrong in ("few=1+1", "few=9**9", "few=print", "few=print('x')")
        ),
        *(
            (f"f({wrong})", "must be written")
            for wrong in ("*[1]", "**{}", "few=1, few=2", "few", "few=--1", "-'a'")
        ),
        *((f"f({wrong})", "must be written") for wrong in ("sides=((1,),)", "few=1j", "few=b'a'", "few=...")),
        *(
            (wrong, "must be written")
            for wrong in ("", " ", "f(", "f)", "f()()", "f().few", "f(1) or 2", "f;g", "1")
        ),
        *(
            (wrong, "must be written")
            for wrong in ("a.b", ":f", "a:", "a:b:c", "f\n()g", "f(1)(2)", "lambda: 1")
        ),
        ("f+g", "a chain has no meaning here"),
        ("f(" + "-" * 20_000 + "1)", "20,004 characters are too many"),
        ("f(" + "-" * 900 + "1)", "must be written"),
        ("f(" + "(" * 450 + ")" * 450 + ")", "must be written"),
        ("f(few=" + "9" * 900 + ")", "few="),
        ("f(few=2.5)", "few=2.5 must be a whole number"),
        ("f(few=True)", "few=True must be a whole number"),
        ("f(few=1e20)", r"few=1e\+20 must be a whole number"),
        ("f(few=None)", "few=None must be a whole number"),
        ("f(few='3')", "few='3' must be a whole number"),
        ("f(share=False)", "share=False must be a number"),
        ("f(share=(1,))", r"share=\(1,\) must be a number"),
        ("f(shown=1)", "shown=1 must be True or False"),
        ("f(kind='mild')", "kind='mild' must be 'hard' or 'soft'"),
        ("f(sides=2.5)", r"must be a whole number .* or a tuple like \(.*\) or None"),
        ("f(pair=(1, 2, 3))", r"pair=\(1, 2, 3\) must be a tuple"),
        ("f(level='x')", "level='x' must be a number"),
        ("f(text=3)", "text=3 must be a text in quotes"),
        ("f(grid='a')", "grid='a' must be a whole number"),
        ("f(fev=3)", r"f takes no option 'fev'; use f\(few=3, .*, grid\); did you mean 'few'"),
        ("f(Shown=True)", "did you mean 'shown'"),
        ("f(array=3)", "takes no option 'array'"),
        ("f(hook=3)", "takes no option 'hook'"),
        ("f(model=3)", "takes no option 'model'"),
        ("f(4, few=4)", "few is given twice"),
        ("f(1, 0.5, True, 'soft', 1, (1, 1.0), 0, 'a', 9)", "must be at most 8"),
    ],
    ids=lambda text: text[:20],
)
def test_nonsense_is_refused_in_one_short_line_at_once(text, said):
    start = time.perf_counter()
    with pytest.raises(UsageError, match=said) as error:
        bound(text)
    assert time.perf_counter() - start < 1
    assert str(error.value).startswith("thing=")
    assert "\n" not in str(error.value)


def test_a_call_with_an_option_that_must_be_given_says_so():
    with pytest.raises(UsageError, match=r"low must be given; use f\(low, high=1\)"):
        _spec.bind("thing", _spec.read("thing", "f"), lambda low, high=1: None)


def test_lists_and_chains_are_cut_outside_parentheses_and_quotes():
    assert _spec.split("list", "a(x=1, y=2), b,,c('d,e')") == ["a(x=1, y=2)", "b", "c('d,e')"]
    names = [call.name for call in _spec.read_chain("chain", "a(1e+5)+b('+')+m.n:c(x=(1, 2))")]
    assert names == ["a", "b", "m.n:c"]
    for text in ("a+", "+a", "a++b", ""):
        with pytest.raises(UsageError, match="must be written"):
            _spec.read_chain("chain", text)
    with pytest.raises(UsageError, match="at least one"):
        _spec.split("list", " , ")


def test_a_users_own_module_that_fails_is_not_said_to_be_absent(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lacks_a_part.py").write_text("import nowhere_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        _spec.own("thing", "lacks_a_part:f")
    (tmp_path / "holds_a_number.py").write_text("f = 3\n")
    with pytest.raises(UsageError, match="holds_a_number has no function 'f'"):
        _spec.own("thing", "holds_a_number:f")
    with pytest.raises(UsageError, match=r"there is no module 'holds_a_number.part'"):
        _spec.own("thing", "holds_a_number.part:f")


def test_a_registry_is_read_only_but_for_its_decorators_and_hints_at_the_name_that_is_meant():
    registry = _spec.Registry("thing", {"vanilla": "plain"})
    registry.add("plain", 1)
    registry.add("two_words", 2)
    assert dict(registry) == {"plain": 1, "two_words": 2}
    with pytest.raises(TypeError):
        registry["plain"] = 3
    with pytest.raises(ValueError, match="registered already"):
        registry.add("plain", 3)
    for written, meant in (("Vanilla", "plain"), ("TwoWords", "two_words"), ("plane", "plain")):
        with pytest.raises(UsageError, match=f"one of plain, two_words, none; did you mean '{meant}'"):
            registry.check(written, ["none"])
    with pytest.raises(UsageError, match=r"two_words$"):
        registry.check("zebra")
