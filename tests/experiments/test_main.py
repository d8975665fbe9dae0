"""What all binaries share: how a command line ends, and whose a workdir is."""

import json
import stat
from pathlib import Path

import jax
import pytest
from absl import flags

from experiments import _main
from leakjax._validate import UsageError
from tests.settings import during


@pytest.fixture(autouse=True)
def own_flags(monkeypatch):
    own = flags.FlagValues()
    own["verbosity"] = flags.FLAGS["verbosity"]
    flags.DEFINE_integer("costly_points", 3, "", flag_values=own)
    monkeypatch.setattr(flags, "FLAGS", own)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--costly_pints=3", "costly_points"),
        ("--costly_points=many", "many"),
        ("--dear_points=3", "--dear_points is now --costly_points"),
        ("--dear_points", "--dear_points is now --costly_points"),
    ],
)
def test_a_flag_that_is_wrong_is_one_line_and_exit_code_2(argument, said, capsys):
    with pytest.raises(SystemExit) as exit:
        _main.parse(["binary", argument])
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_the_exit_code_is_that_of_main(capsys):
    assert _main.call(lambda values: values.costly_points, _main.parse(["binary"])) == 3
    assert _main.call(lambda values: 0, _main.parse(["binary", "--costly_points=4"])) == 0
    assert capsys.readouterr().err == ""


def test_what_the_user_can_mend_is_one_line_and_anything_else_is_raised(capsys):
    def mendable(values):
        raise UsageError("a file\nof two lines")

    def broken(values):
        raise ValueError("a fault")

    argv = _main.parse(["binary"])
    assert _main.call(mendable, argv) == 2
    assert capsys.readouterr().err == "error: a file of two lines\n"
    assert _main.call(mendable, ["binary", "extra"]) == 2
    assert "there are flags alone" in capsys.readouterr().err
    with pytest.raises(ValueError, match="a fault"):
        _main.call(broken, argv)


def test_a_workdir_is_claimed_and_records_the_config(tmp_path):
    config, said = {"seed": 1, "widths": (4, 2)}, []
    with _main.claimed(tmp_path / "a" / "b", config, take_over=False, say=said.append) as held:
        assert json.loads((held.path / "config.json").read_text()) == {"seed": 1, "widths": [4, 2]}
        with (
            pytest.raises(UsageError, match="is in use by process"),
            _main.claimed(held.path, config, take_over=True, say=said.append),
        ):
            pass
    with _main.claimed(tmp_path / "a" / "b", {"seed": 2}, take_over=False, say=said.append):
        pass
    assert not said


def test_compiled_programs_are_their_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKJAX_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    with during(**{name: jax.config.values[name] for name in names}):
        _main.use_machine(devices=False)
        folder = Path(jax.config.values["jax_compilation_cache_dir"])
    assert folder == tmp_path / "cache" / "compiled"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
