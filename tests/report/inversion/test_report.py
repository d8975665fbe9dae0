import json

import jsonschema
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.evaluate.document import dumps, from_json, json_schema, to_json
from leakjax.inversion import claims
from leakjax.inversion.document import InversionReport
from leakjax.inversion.summary import interval, summarise
from leakjax.records.run import Measured
from leakjax.report.inversion import figures, publish, section
from tests.inversion.rows import attack_row, claim, report
from tests.report.reader import Reader


def raw(found, **changes):
    given = {
        "attack": "a",
        "setting": "s",
        "guard": "none",
        "measure": "m",
        "baseline": None,
        "control": None,
        "ceiling": None,
        "explained": 10,
        "plain": 4,
    }
    return {**given, "found": found, **changes}


def test_rows_of_models_become_one_row_with_the_mean_over_models():
    rows = summarise(
        [
            raw([1.0, 0.0], baseline=[0.0, 0.0]),
            raw([0.5], setting="other"),
            raw([1.0, 1.0, 1.0, 1.0], baseline=[1.0, 0.0, 0.0, 0.0], explained=30),
        ],
        seed=0,
    )
    assert [(row.setting, row.models, row.targets) for row in rows] == [("s", 2, 6), ("other", 1, 1)]
    assert rows[0].found.value == pytest.approx(0.75)
    assert rows[0].margin.value == pytest.approx((0.5 + 0.75) / 2)
    assert rows[0].explained == 20
    assert rows[1].baseline is None
    assert rows[1].margin is None


def test_an_interval_covers_what_other_models_and_targets_would_show():
    rng = np.random.default_rng(0)
    means = []
    for _ in range(30):
        values = [rng.normal(rng.normal(0.0, 1.0), 1.0, size=20) for _ in range(10)]
        found = interval(values, seed=1)
        means.append(found.low <= 0 <= found.high)
    assert 0.8 <= np.mean(means) <= 1.0
    assert interval([np.full(3, 2.0)], seed=0).high == 2.0


def test_the_document_reads_back_and_obeys_its_schema():
    made = report(claims=[claim()])
    values = json.loads(dumps(made))
    jsonschema.validate(values, json_schema(InversionReport))
    assert to_json(from_json(InversionReport, values)) == to_json(made)


def test_the_page_shows_every_row_and_escapes_what_it_is_given(tmp_path):
    made = report(claims=[claim(text="Noise <i>helps</i>.")])
    publish(made, figures.images(made, Measured({}, {})), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "<script>digits" not in text
    assert "sign<b>" not in text
    reader = Reader(text)
    cells = [cell for table in reader.tables for row in table for cell in row]
    assert "0.9 (0.85 to 0.95)" in cells
    assert "3,072,030" in cells
    assert "Noise <i>helps</i>." in cells
    assert "answers & candidates" in text.replace("&amp;", "&")
    assert (tmp_path / "tables" / "attacks.csv").exists()
    assert (tmp_path / "figures" / "guards.png").exists()


def test_the_section_of_a_workdir_is_that_of_its_report(tmp_path):
    made = report()
    publish(made, {}, tmp_path)
    assert section.of_workdir(tmp_path) == section.section(made, {}, level=2)
    with pytest.raises(UsageError, match=r"no report\.json"):
        section.of_workdir(tmp_path / "none")
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        section.of_workdir(tmp_path)


def test_what_a_guard_leaves_is_a_share_of_the_plain_gain():
    rows = [
        attack_row(found=0.9, baseline=0.4),
        attack_row(guard="sign", found=0.5, baseline=0.4),
        attack_row(guard="noise", found=0.3, baseline=0.4),
        attack_row("query ascent", guard="none"),
    ]
    found = figures.kept(rows)
    assert found == {
        ("re-identification", "sign"): pytest.approx(0.2),
        ("re-identification", "noise"): 0.0,
    }


def test_reconstructions_are_drawn_in_rows():
    drawn = figures.reconstructions({"sought": np.zeros((3, 4, 4)), "found": np.ones((2, 4, 4))})
    assert len(drawn.axes) == 6
    assert sum(bool(axis.images) for axis in drawn.axes) == 5
    assert figures.reconstructions({}) is None


def test_a_verdict_follows_from_the_rows():
    what = "Feature-level explanations are less risky than pixel-level maps."

    def verdict(coarse):
        rows = [
            attack_row(found=0.9),
            attack_row(guard="segments of 2 x 2", found=coarse),
            attack_row(guard="signs of 2 x 2", found=0.5),
        ]
        return next(each for each in claims.claims_of(rows) if each.claim == what)

    assert verdict(0.9).verdict == "refuted"
    assert verdict(0.5).verdict == "confirmed"
    assert "0.50" in verdict(0.5).why
    assert {each.verdict for each in claims.claims_of([])} == {"not measured"}
    assert len(claims.claims_of([])) == len(claims.CLAIMS)


def test_a_few_hundred_queries_are_those_of_each_subject():
    shared = {"measure": "nearest candidate is the subject, share", "models": 4, "targets": 80}
    rows = [
        attack_row("leaking background", measure="rows of the background named, share", explained=30.0),
        attack_row("closed-form inversion", measure="nearest candidate is the subject, share"),
    ]
    search = attack_row("search for an explanation", found=0.84, explained=16120.0, **shared)
    said = [claims.claims_of(each)[2].why for each in (rows, [*rows, search])]
    assert "without weights" not in said[0]
    assert "without weights 806 explained queries do in 0.84" in said[1]


def test_noise_that_is_sticky_does_not_count_as_noise():
    def verdict(**guards):
        rows = [
            attack_row(found=0.9),
            *(attack_row(guard=name, found=found) for name, found in guards.items()),
        ]
        return next(each for each in claims.claims_of(rows) if each.claim.startswith("Noise"))

    fresh, sticky = {"clipped, noise of 0.1": 0.45}, {"clipped, sticky noise of 0.1": 0.9}
    assert verdict(**fresh).verdict == "confirmed"
    assert verdict(**sticky).verdict == "refuted"
    both = verdict(**fresh, **sticky)
    assert both.verdict == "depends"
    assert "keeps 0.10 of its gain" in both.why
    assert "keeps 1.00 of its gain where it is sticky" in both.why
