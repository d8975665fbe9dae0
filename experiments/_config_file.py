"""--config=FILE: the config.json of a run, as the flags that it stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from leakjax._validate import fail, nearest
from leakjax._workdir import reading

_FLAG = "config"
_NO_FLAGS = ("schema",)  # what config.json says of itself


def define_flag() -> None:
    """Defines --config, for the binaries whose workdir holds a config.json."""
    flags.DEFINE_string(
        _FLAG, None, "A config.json of a run, whose settings are taken where no flag says otherwise."
    )


def expanded(argv: Sequence[str], known: flags.FlagValues) -> list[str]:
    """A command line in which the settings of --config stand as flags, before all others, which therefore win.

    Args:
      argv: the command line, the program first; files named by --flagfile are read.
      known: the flags that there are.

    Raises:
      UsageError: the file is not there, no config.json, or one of another program.
    """
    if _FLAG not in known:
        return list(argv)
    own = known.read_flags_from_files(list(argv))
    given = None
    for place, text in enumerate(own):
        if text == "--":
            break
        name, equals, value = text.lstrip("-").partition("=")
        if text.startswith("-") and name == _FLAG:
            given = value if equals else next(iter(own[place + 1 :]), None)
    return own if given is None else [own[0], *_flags(given, known), *own[1:]]


def _flags(given: str, known: flags.FlagValues) -> list[str]:
    path = Path(given).expanduser()
    try:
        settings = reading.json_of(path)
    except OSError as error:
        raise fail(_FLAG, given, f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise fail(_FLAG, given, "is no JSON; give the config.json of a run") from None
    if not isinstance(settings, dict):
        raise fail(_FLAG, given, "holds no settings; give the config.json of a run")
    found = []
    for name, value in settings.items():
        if name in _NO_FLAGS or value is None:
            continue
        if name not in known or name == _FLAG:
            rule = f"holds {name!r}, which is no flag of this program{nearest(name, known)}"
            raise fail(_FLAG, given, rule)
        found.append(f"--{name}={_text(given, name, value)}")
    return found


def _text(given: str, name: str, value: Any) -> str:
    """A setting as a flag writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ",".join(map(str, value))
    raise fail(_FLAG, given, f"its {name!r} is no value of a flag")
