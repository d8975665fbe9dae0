"""One call syntax for everything that a name may stand for: name(option=value), chained by +, listed by commas.

Text is parsed and never evaluated. What options there are, their defaults and what they accept is read off the
factory's own signature, so that a method states them once.
"""

import ast
import importlib
import inspect
import math
import numbers
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from leakjax import _validate

LONGEST_TEXT = 1000
# Above every seed and every count that fits a machine.
_LARGEST_INTEGER = 2**32
_NAME = r"[A-Za-z_]\w*"
_CALL = re.compile(rf"\s*({_NAME}(?:\.{_NAME})*:{_NAME}|{_NAME})\s*(?:\((.*)\))?\s*", re.DOTALL)
_FORM = "must be written name or name(option=value, ...)"

Row = TypeVar("Row")


class Call(NamedTuple):
    """One call as text names it.

    Attributes:
      name: "lime", or "package.module:factory" of a user's own.
      arguments: values by position.
      options: values by name.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = types.MappingProxyType({})

    def also(self, what: str, options: Mapping[str, Any]) -> "Call":
        """The call with options that stand beside it, such as flags of their own; UsageError for one given twice."""
        for option in self.options.keys() & options.keys():
            raise _validate.fail(what, str(self), f"{option} is given twice, here and as {options[option]!r}")
        return self._replace(options={**self.options, **options})

    def __str__(self) -> str:
        """Canonical text, which `read` reads back."""
        shown = [repr(value) for value in self.arguments]
        shown += [f"{option}={value!r}" for option, value in self.options.items()]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


class Registry(Mapping[str, Row], Generic[Row]):
    """What may be named: names to rows, read-only but for `add`, which the decorators of a room call."""

    def __init__(self, what: str, aliases: Mapping[str, str] | None = None) -> None:
        """Args: what: the argument as errors call it. aliases: other names, of which errors hint at ours."""
        self.what, self._aliases = what, dict(aliases or {})
        self._rows: dict[str, Row] = {}

    def add(self, name: str, row: Row) -> None:
        """Registers a row; a name stands for one thing."""
        if name in self._rows:
            raise ValueError(f"{self.what} {name!r} is registered already")
        self._rows[name] = row

    def remove(self, name: str) -> None:
        """Forgets a row, so that a notebook may define its method anew."""
        del self._rows[name]

    def check(self, name: str, also: Iterable[str] = ()) -> None:
        """Raises UsageError with the list and the nearest name unless `name` is registered or among `also`."""
        if name not in self._rows:
            _validate.one_of(self.what, name, [*self._rows, *also], self._aliases)

    def find(self, name: str, also: Iterable[str] = ()) -> Any:
        """The row of a name, or a user's own factory by "package.module:name"; UsageError as of `check` and `own`."""
        if ":" in name:
            return own(self.what, name)
        self.check(name, also)
        return self._rows[name]

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def discover(package: str, without: Collection[str] = ()) -> None:
    """Imports every module of a package, so that what they register is there; a new file is found by itself."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name not in without:
            importlib.import_module(f"{package}.{module.name}")


def split(what: str, text: str) -> list[str]:
    """The parts of a list that is separated by commas outside parentheses.

    Raises:
      UsageError: the list is empty.
    """
    named = [part.strip() for part in _parts(text, ",") if part.strip()]
    if not named:
        raise _validate.fail(what, text, "must name at least one")
    return named


def read_chain(what: str, text: str) -> list[Call]:
    """The calls of a chain "a(1)+b(option=2)", in order; `what` is the argument that errors name.

    Raises:
      UsageError: the text is anything else.
    """
    if len(text) > LONGEST_TEXT:
        rule = f"{len(text):,} characters are too many; {LONGEST_TEXT:,} are allowed"
        raise _validate.fail(what, _short(text), rule)
    return [_call(what, text, part) for part in _parts(text, "+")]


def read(what: str, text: str) -> Call:
    """The one call "name" or "name(option=value, ...)" that a text holds.

    Values are whole numbers, numbers, inf, True, False, None, texts in quotes, and tuples of these.

    Args:
      what: the argument that errors name.
      text: what a flag or an argument holds.

    Raises:
      UsageError: the text is anything else.
    """
    calls = read_chain(what, text)
    if len(calls) > 1:
        raise _validate.fail(what, text, "a chain has no meaning here; " + _FORM)
    return calls[0]


def own(what: str, name: str) -> Callable[..., Any]:
    """A user's own factory, imported by "package.module:name".

    Raises:
      UsageError: there is no such module, or no such function in it.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and what it imports itself is not
        raise _validate.fail(what, name, f"there is no module {error.name!r} on Python's path") from None
    if not callable(found):
        raise _validate.fail(what, name, f"{module} has no function {attribute!r}")
    return found


def bind(
    what: str,
    call: Call,
    factory: Callable[..., Any],
    *,
    given: Collection[str] = (),
    also: Collection[str] = (),
) -> dict[str, Any]:
    """The options of a call by name, checked against the factory's signature.

    Args:
      what: the argument that errors name.
      call: what the text says.
      factory: its parameters decide which options there are and, by their type hints, what each accepts.
      given: parameters that the caller passes and text may not.
      also: whole-number options that the caller takes itself.

    Returns:
      The options that were written, in order.

    Raises:
      UsageError: an option that there is not (with the list and the nearest), a value of another type, too
        many values by position, an option twice, one that is missing.
    """
    accepted = {name: p for name, p in parameters(factory).items() if name not in given and _words(p)}
    usage = describe(call.name, factory, given=given, also=also)
    positional = [name for name, p in accepted.items() if p.kind is not p.KEYWORD_ONLY]
    if len(call.arguments) > len(positional):
        rule = "must be named" if not positional else f"must be at most {len(positional)}"
        raise _validate.fail(what, str(call), f"values by position {rule}; use {usage}")
    found = dict(zip(positional, call.arguments, strict=False))
    for option, value in call.options.items():
        if option in found:
            raise _validate.fail(what, str(call), f"{option} is given twice; use {usage}")
        if option not in accepted and option not in also:
            near = _validate.nearest(option, [*accepted, *also])
            rule = f"{call.name} takes no option {option!r}; use {usage}{near}"
            raise _validate.fail(what, str(call), rule)
        found[option] = value
    for option, value in found.items():
        hint, default = (int, None) if option not in accepted else _hint(accepted[option])
        if not _accepts(hint, default, value):
            raise _validate.fail(what, str(call), f"{option}={value!r} must be {_phrase(hint, default)}")
    missing = [n for n, p in accepted.items() if p.default is p.empty and n not in found]
    if missing:
        raise _validate.fail(what, str(call), f"{', '.join(missing)} must be given; use {usage}")
    return found


def describe(
    name: str, factory: Callable[..., Any], *, given: Collection[str] = (), also: Collection[str] = ()
) -> str:
    """The call with all options and their defaults, as errors and --help show it."""
    shown = [
        option if parameter.default is parameter.empty else f"{option}={parameter.default!r}"
        for option, parameter in parameters(factory).items()
        if option not in given and _words(parameter)
    ]
    return f"{name}({', '.join([*shown, *also])})"


def _parts(text: str, separator: str) -> list[str]:
    """The text cut at each separator that is outside parentheses and quotes."""
    parts, depth, quote, escaped = [""], 0, "", False
    for letter in text:
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        depth += 0 if quote else (letter in "([{") - (letter in ")]}")
        if letter == separator and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _call(what: str, text: str, part: str) -> Call:
    rule = f"{_FORM}, with values like 3, 0.5, inf, None, 'text' or (1, 2)"
    malformed = _validate.fail(what, _short(text), rule)
    match = _CALL.fullmatch(part)
    if not match:
        raise malformed
    try:
        tree = ast.parse(f"call({match[2] or ''})", mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ValueError
        names = [word.arg for word in tree.keywords]
        if None in names or len(set(names)) < len(names):
            raise ValueError
        options = {str(word.arg): _value(word.value) for word in tree.keywords}
        return Call(match[1], tuple(_value(value) for value in tree.args), options)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise malformed from None


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_scalar(element) for element in node.elts)
    return _scalar(node)


def _scalar(node: ast.expr) -> Any:
    """A literal, or a number with one sign."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        sign = -1 if isinstance(node.op, ast.USub) else 1
        node = node.operand
        if not _is_number(node):
            raise ValueError
    if isinstance(node, ast.Name) and node.id == "inf":
        return sign * math.inf
    if not isinstance(node, ast.Constant) or not isinstance(node.value, bool | int | float | str | None):
        raise ValueError
    value: Any = node.value
    return sign * value if _is_number(node) else value


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "inf"
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a factory by name, with their hints where they can be resolved."""
    try:
        hints = typing.get_type_hints(factory)
    except (NameError, TypeError):
        hints = {}
    signature = inspect.signature(factory).parameters.values()
    named = [p for p in signature if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: p.replace(annotation=hints.get(p.name, p.annotation)) for p in named}


def _hint(parameter: inspect.Parameter) -> tuple[Any, Any]:
    return parameter.annotation, parameter.default


def _options(hint: Any, default: Any) -> list[Any]:
    """The hints of which a value must meet one."""
    if hint is Any:  # a number that may be traced, or what the default tells; text can write no array
        kind = float if default is inspect.Parameter.empty else type(default)
        return [kind] if kind in (bool, int, float, str) else []
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(hint) for one in _options(part, default)]
    return [hint]


def _accepts(hint: Any, default: Any, value: Any) -> bool:
    return any(_meets(one, value) for one in _options(hint, default))


def _meets(hint: Any, value: Any) -> bool:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if hint is inspect.Parameter.empty:  # a user's own factory without hints checks for itself
        return True
    if hint is None or hint is types.NoneType:
        return value is None
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        if not isinstance(value, tuple):
            return False
        inner = (inner[0],) * len(value) if inner[-1:] == (...,) else inner
        return len(inner) == len(value) and all(
            _accepts(h, None, v) for h, v in zip(inner, value, strict=True)
        )
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint is int:
        return number and isinstance(value, numbers.Integral) and abs(int(value)) < _LARGEST_INTEGER
    if hint is float:
        return number
    return hint in (bool, str) and isinstance(value, hint)


_PHRASES = {
    bool: "True or False",
    int: "a whole number below 2**32",
    float: "a number",
    str: "a text in quotes",
}


def _words(parameter: inspect.Parameter) -> list[str]:
    """What text may write for a parameter; nothing where only Python can pass it."""
    found = [_word(one) for one in _options(*_hint(parameter))]
    return [] if all(word in ("", "None") for word in found) else [word for word in found if word]


def _word(hint: Any) -> str:
    if hint is inspect.Parameter.empty:
        return "a value"
    if hint is None or hint is types.NoneType:
        return "None"
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        inner = [_phrase(part, None) for part in typing.get_args(hint) if part is not ...]
        return (
            f"a tuple like ({', '.join(inner)}, ...)"
            if typing.get_args(hint)[-1:] == (...,)
            else (f"a tuple ({', '.join(inner)})")
        )
    return _PHRASES.get(hint, "")


def _phrase(hint: Any, default: Any) -> str:
    return " or ".join(filter(None, map(_word, _options(hint, default))))
