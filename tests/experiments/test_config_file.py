"""--config and --flagfile: the settings of a run, given back to a binary."""

import json

import pytest
from absl import flags

from experiments import _config_file, _main, audit_flags


@pytest.fixture
def values(monkeypatch):
    """The flags of the audit, defined apart from those of other tests."""
    own = flags.FlagValues()
    own["verbosity"] = flags.FLAGS["verbosity"]
    for kind in ("string", "integer", "float", "bool", "list", "enum"):
        define = getattr(flags, f"DEFINE_{kind}")
        monkeypatch.setattr(
            flags, f"DEFINE_{kind}", lambda *a, _define=define, **k: _define(*a, flag_values=own, **k)
        )
    audit_flags.define_flags()
    monkeypatch.setattr(flags, "FLAGS", own)
    return own


def config(values, *arguments):
    values.unparse_flags()
    for name in values:
        values[name].unparse()
    assert _main.parse(["audit", *arguments]) == ["audit"]
    return audit_flags.read_config(values)


OTHER = [
    "--dataset=adult",
    "--label=occupation",
    "--models=20",
    "--widths=8,4",
    "--explainers=lime(samples=9),gradient",
    "--defenses=none,clip_norm(1.0, norm=1)+gaussian_noise(0.5)",
    "--targets=1,2",
    "--nolabel_known",
    "--explained_class=true",
    "--learning_rate=1e-05",
    "--weight_decay=0.25",
    "--seed=4",
]


def test_a_config_that_is_fed_back_is_the_same(values, tmp_path):
    written = config(values, *OTHER)
    (tmp_path / "config.json").write_text(json.dumps(written.as_json()))
    assert written != config(values)
    assert config(values, f"--config={tmp_path}/config.json") == written
    assert config(values, "--config", f"{tmp_path}/config.json") == written


def test_flags_win_wherever_they_stand(values, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config(values, *OTHER).as_json()))
    given = f"--config={tmp_path}/config.json"
    for arguments in (["--models=30", given], [given, "--models=30"]):
        found = config(values, *arguments)
        assert (found.models, found.seed) == (30, 4)


def test_a_flagfile_works_and_may_name_a_config(values, tmp_path):
    flagfile = tmp_path / "mine.flags"
    flagfile.write_text("# of the paper\n--models=17\n--explainers=gradient\n")
    found = config(values, f"--flagfile={flagfile}")
    assert (found.models, found.explainers) == (17, ("gradient",))
    (tmp_path / "config.json").write_text('{"schema": "x/1", "seed": 9, "models": 18}')
    flagfile.write_text(f"--config={tmp_path}/config.json\n--models=17\n")
    found = config(values, f"--flagfile={flagfile}")
    assert (found.models, found.seed) == (17, 9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "is no JSON; give the config.json of a run"),
        ("[1]", "holds no settings"),
        (
            '{"model": "mlp", "modles": 3}',
            "holds 'modles', which is no flag of this program; did you mean 'models'?",
        ),
        ('{"config": "other.json"}', "holds 'config', which is no flag"),
        ('{"models": {"a": 1}}', "its 'models' is no value of a flag"),
        ('{"models": "many"}', "many"),
    ],
)
def test_faults_are_one_line(values, tmp_path, capsys, content, said):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as exit:
        _main.parse(["audit", f"--config={path}"])
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_program_without_the_flag_knows_nothing_of_it():
    known = flags.FlagValues()
    assert _config_file.expanded(["gallery", "--x"], known) == ["gallery", "--x"]
