"""The flags of a binary, apart from those of other tests."""

from contextlib import contextmanager

import pytest
from absl import flags

from experiments import _main

KINDS = ("string", "integer", "float", "bool", "list", "enum")


@contextmanager
def own_flags(define):
    """Flags that `define` defines, the only ones there are meanwhile."""
    own, absl_flags = flags.FlagValues(), flags.FLAGS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flags, "FLAGS", own)
        for kind in KINDS:
            name = f"DEFINE_{kind}"
            plain = getattr(flags, name)
            patch.setattr(flags, name, lambda *a, _plain=plain, **k: _plain(*a, flag_values=own, **k))
        define()
        own["verbosity"] = absl_flags["verbosity"]
        yield own


def ended(main, values, arguments, name="binary"):
    """The exit code of a binary as a shell sees it."""
    values.unparse_flags()
    for flag in values:
        values[flag].unparse()
    try:
        return _main.call(main, _main.parse([name, *arguments]))
    except SystemExit as exit:
        return exit.code
