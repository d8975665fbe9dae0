"""A digest of what a function computes: its jaxpr with all constants, and the Python code that a jaxpr calls back."""

import dataclasses
import functools
import hashlib
import os
import pickle
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import jax
from jax.extend import core

from leakjax._workdir.fingerprint import Update, feed, name_of, of_kind

# Rules of derivatives: a function that was traced is not differentiated again.
_RULES = {
    "jvp_jaxpr_fun",
    "jvp_jaxpr_thunk",
    "fwd_jaxpr_thunk",
    "bwd",
    "out_trees",
    "num_consts",
    "symbolic_zeros",
}
_PLAIN = ("jax", "jaxlib", "numpy")  # the text of their objects says all; others hide their state
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_LIBRARY_FOLDERS = tuple(
    os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def traced(function: Callable[..., Any], *arguments: Any) -> str:
    """The digest of what a function does to arguments of these shapes.

    A change of a default, of a constant that it closes over or of anything that it calls changes the digest; another
    name or comment does not. Code that a jaxpr calls back (`jax.pure_callback`) is described by its bytecode, and by
    what it closes over and refers to.

    Args:
      function: one that jax can trace.
      *arguments: pytrees of arrays or of `jax.ShapeDtypeStruct`; their values do not count.

    Returns:
      64 hexadecimal digits; never the same twice where what it calls back cannot be described.
    """
    digest = hashlib.sha256()
    # A function of its own, or jax would remember what the same one did before a constant changed.
    anew = lambda *given: function(*given)
    closed, shapes = jax.make_jaxpr(anew, return_shape=True)(*arguments)
    of_kind(digest.update, "tree", str(jax.tree.structure(shapes)))
    _Walk(digest.update).closed(closed)
    return digest.hexdigest()


def described(value: Any) -> str:
    """The digest of a value that may hold functions, each by its bytecode and by what it closes over and refers to.

    Returns:
      64 hexadecimal digits; never the same twice where something in it cannot be described.
    """
    digest = hashlib.sha256()
    _Walk(digest.update).value(value)
    return digest.hexdigest()


class _Walk:
    """Feeds jaxprs, and what their parameters hold, to a digest."""

    def __init__(self, update: Update) -> None:
        self._update = update
        self._seen: dict[
            int, Any
        ] = {}  # objects that are being described, or were; kept, so that ids stay theirs

    def closed(self, closed: Any) -> None:
        for constant in closed.consts:
            self.value(constant)
        self.jaxpr(closed.jaxpr)

    def jaxpr(self, jaxpr: Any) -> None:
        number: dict[Any, int] = {}

        def variable(var: Any) -> None:
            if isinstance(var, core.Literal):
                self.value(var.val)
            else:
                of_kind(self._update, "var", f"{number.setdefault(var, len(number))}")
            self._aval(var.aval)

        for var in (*jaxpr.constvars, *jaxpr.invars):
            variable(var)
        for equation in jaxpr.eqns:
            of_kind(self._update, "equation", equation.primitive.name)
            for name in sorted(equation.params.keys() - _RULES):
                of_kind(self._update, "parameter", name)
                self.value(equation.params[name])
            for side in (equation.invars, equation.outvars):
                of_kind(self._update, "side", str(len(side)))
                for var in side:
                    variable(var)
        for var in jaxpr.outvars:
            variable(var)

    def _aval(self, aval: Any) -> None:
        of_kind(self._update, "aval", f"{aval.str_short()} {getattr(aval, 'weak_type', False)}")

    def value(self, value: Any) -> None:
        """A constant, or what a parameter or a callback holds."""
        if isinstance(value, core.ClosedJaxpr):
            self.closed(value)
        elif isinstance(value, core.Jaxpr):
            self.jaxpr(value)
        elif isinstance(value, str | bytes):
            feed(self._update, value)
        elif isinstance(value, Mapping):
            of_kind(self._update, "mapping", str(len(value)))
            for name in sorted(value, key=repr):
                self.value(name)
                self.value(value[name])
        elif isinstance(value, Sequence):
            of_kind(self._update, "sequence", str(len(value)))
            for item in value:
                self.value(item)
        elif isinstance(value, Set):
            texts = sorted(repr(item) for item in value)
            self._text(repr(texts), value)
        elif isinstance(value, types.ModuleType | type):
            of_kind(self._update, "name", getattr(value, "__qualname__", value.__name__))
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self.value(part)
        elif isinstance(value, types.MethodType):
            self.value(value.__func__)
            self._object(value.__self__)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        else:
            try:
                feed(self._update, value)
            except TypeError:
                self._object(value)

    def _function(self, function: types.FunctionType) -> None:
        of_kind(self._update, "function", name_of(function))
        if self._already(function):
            return
        if os.path.realpath(function.__code__.co_filename).startswith(_LIBRARY_FOLDERS):
            module = sys.modules.get(function.__module__.partition(".")[0])
            of_kind(self._update, "version", str(getattr(module, "__version__", None)))
            return  # a library's function is what its name and the library's version say
        self._code(function.__code__)
        self.value((function.__defaults__, function.__kwdefaults__))
        cells = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        names = sorted(_names(function.__code__) & function.__globals__.keys())
        self.value((cells, {name: function.__globals__[name] for name in names}))

    def _code(self, code: types.CodeType) -> None:
        self._update(code.co_code)
        of_kind(self._update, "names", repr((code.co_names, code.co_varnames)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.value(constant)

    def _object(self, value: Any) -> None:
        """An object that is none of the above, as a layout of jax or a model of scikit-learn."""
        of_kind(self._update, "object", name_of(type(value)))
        if self._already(value):
            return
        if dataclasses.is_dataclass(value):
            self.value({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
        elif type(value).__module__.partition(".")[0] in _PLAIN:
            self._text(repr(value), value)
        else:
            self._pickled(value)

    def _text(self, text: str, value: Any) -> None:
        if _ADDRESS.search(text):
            self._pickled(value)
        else:
            of_kind(self._update, "text", text)

    def _pickled(self, value: Any) -> None:
        try:
            self._update(pickle.dumps(value, protocol=5))
        except Exception:
            # Nothing says whether it is the same the next time, so it is not.
            self._update(os.urandom(16))

    def _already(self, value: Any) -> bool:
        known = id(value) in self._seen
        self._seen[id(value)] = value
        if known:
            of_kind(self._update, "again", str(list(self._seen).index(id(value))))
        return known


def _is_empty(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is NotImplemented
    except ValueError:
        return True


def _names(code: types.CodeType) -> set[str]:
    """All names that a function and those inside it refer to."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)
