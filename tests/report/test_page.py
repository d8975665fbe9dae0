import base64
import dataclasses
import json
import math
import struct
from dataclasses import replace

import jinja2
import pytest
from markupsafe import Markup

from leakjax.evaluate.document import SmallestMargin
from leakjax.report import figures, page, publish, shell, tables_csv, to_json, verdict, words
from tests.report.fake_report import ALONE, MARGINS, RELEASES, fake_report, leakage, released_leakage
from tests.report.reader import Reader

IMAGES = {
    name: struct.pack(">16xII", 1440, 720) + name.encode()
    for name in ("leakage", "roc", figures.examples_of("integrated_gradients"))
}


def read(report=None, images=IMAGES) -> Reader:
    return Reader(page.render(report or fake_report(), images))


def test_it_is_one_well_formed_page_that_loads_nothing():
    reader = read()
    assert reader.tags.count("html") == reader.tags.count("main") == 1
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert len(reader.links) == 3
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert {base64.b64decode(link.partition(",")[2]) for link in reader.links} == set(IMAGES.values())
    assert page.render(fake_report(), IMAGES).count(f'width="{1440 * 96 // figures.DPI}"') == 3


def test_the_headline_is_that_of_the_terminal():
    text = read().text
    said = (
        "digits Your explanations give away training records Where your service shows all probabilities, an attacker "
        "finds 8.3 % of the training records from that alone and 13.0 % with the explanations (chance 1.0 %).",
        "Found at 1 % false alarms. Where the service shows all probabilities, the explanations are by "
        "integrated_gradients, the one of 4 that adds most: the explanation adds 4.7 percentage points (4.2 to 5.2).",
        "What to do next",
        "How do I harden it?",
    )
    places = [text.index(one) for one in said]
    assert places == sorted(places)


def test_the_leakage_table_holds_the_numbers_of_the_report():
    rows = read(fake_report(leakage=released_leakage())).table(
        "label: caught with the explanation, and what it adds"
    )
    assert rows[0] == ["prediction alone", *[f"{100 * ALONE:.1f} %"] * 3, ""]
    start = 1
    for explainer, margins in MARGINS.items():
        for row, name, margin in zip(
            rows[start:], (explainer, "clip_norm", "clip_norm+gaussian_noise"), margins, strict=False
        ):
            assert row[0] == name
            for cell, share in zip(row[1:], RELEASES.values(), strict=False):
                added = share * margin
                ends = f"({words.signed(added - 0.0045)} to {words.signed(added + 0.0045)})"
                mark = "" if added > 0.0045 else "*"
                assert cell == f"{words.percent(ALONE + added)}, {words.signed(added)} {ends}{mark}"
            assert row[-1] == f"{100 * (0.01 + 1.4 * abs(margin)):.1f} %"
        start += len(margins)
    assert start == len(rows)


def test_the_cards_are_the_margin_the_explanation_alone_and_what_hardening_keeps():
    text = read(fake_report(leakage=released_leakage())).text
    for said in (
        "+4.70percentage points: what explanations add where the service shows only the class",
        "7.6 %of training records found from the explanation alone only the class, alone: 8.3 %",
        "0.31cosine to the plain explanation, kept by the recommended hardening (1 unchanged, 0 unrelated) "
        "clip_norm+gaussian_noise",
    ):
        assert said in text


def test_the_explanation_alone_stands_beside_the_bare_class_whatever_leads():
    rows = released_leakage(left={"vector": 1.0, "label": 1.0})
    rows = [
        replace(row, tpr_at_fpr={**row.tpr_at_fpr, "0.01": replace(row.tpr_at_fpr["0.01"], value=0.04)})
        if (row.view, row.release) == ("prediction", "label")
        else row
        for row in rows
    ]
    text = read(fake_report(leakage=rows)).text
    assert "what explanations add where the service shows all probabilities" in text
    assert "from the explanation alone only the class, alone: 4.0 %" in text


def test_it_never_says_safe_but_how_small_a_margin_it_could_see():
    text = read().text
    assert "No measurable leak" in text
    assert (
        "The weakest planted leak that this audit saw adds 0.52 percentage points at 1 % false alarms."
        in text
    )
    assert " safe" not in text.lower()


def test_the_cost_of_hardening_is_there():
    reader = read()
    assert "a map of random numbers keeps 9.4 %" in reader.text  # 6 of 64 pixels
    rows = reader.table("cosine to plain")
    assert len(rows) == 8
    assert rows[0] == [
        "gradient",
        "clip_norm",
        "0.97 (0.96 to 0.98)",
        "98.5 % (96.5 % to 100.5 %)",
        "0.03 (0.01 to 0.05)",
    ]


def test_exposed_records_controls_attacks_and_settings_are_there():
    reader = read()
    assert (
        "The 8 records that are recognised most surely were found in 76.0 % to 97.0 % of the models"
        in reader.text
    )
    assert reader.table("control")[0] == [
        "networks that saw no data",
        "Does the attack find members of models that never saw them? It must not. If it fails, the audit finds leaks "
        "where there can be none, and its numbers are too high: something but training tells members.",
        "TPR of 0.0100 at a 1 % false-positive rate",
        "0.0103 (0.0091 to 0.0115)",
        "passed",
    ]
    assert len(reader.table("label known")) == len(fake_report().leakage)
    assert ["configuration", "models", "64"] in reader.table("value")
    assert ["environment", "jax", "0.10.2"] in reader.table("value")


def test_a_failed_control_is_the_first_thing_on_the_page():
    assert "FAILED" not in read().text
    reader = read(fake_report(placebo_passed=False))
    assert reader.text.split("Glossary")[0].index(
        "1 OF 6 CONTROLS FAILED (placebo: explanations of another model)"
    ) < reader.text.index("an attacker finds")
    assert [row[0] for row in reader.table("control") if row[-1] == "FAILED"] == [
        "explanations of another model"
    ]
    assert "Do not act on these numbers" in reader.text


def test_groups_are_there_if_given():
    assert "Who is exposed" not in read().text
    reader = read(fake_report(with_groups=True))
    assert reader.table("level")[1] == [
        "sex",
        "Female",
        "600 (33.4 %)",
        "prediction and integrated_gradients (plain)",
        "15.0 % (13.8 % to 16.2 %)",
        "0.90 % (0.70 % to 1.1 %)",
    ]


def test_every_text_of_the_report_is_escaped():
    evil = '<script>alert("&")</script>'

    def poisoned(value, field=""):
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return dataclasses.replace(value, **{name: poisoned(item, name) for name, item in fields.items()})
        if isinstance(value, dict):
            return {name: poisoned(item, field) for name, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item, field) for item in value]
        kept = field in ("view", "headline_fpr", "fpr", "output", "explained_class") or value == "none"
        return value if kept or not isinstance(value, str) else evil

    whole = fake_report(with_groups=True, placebo_passed=False, feature_names=None, examples=[], curves=[])
    page_text = page.render(poisoned(whole), IMAGES)
    reader = Reader(page_text)
    assert "script" not in reader.tags
    assert reader.text.count(evil) > 20
    assert evil not in page_text


def test_the_card_the_headline_and_the_exposed_records_are_about_one_explanation():
    """A hardened explanation of one explainer adds most of all, the plain ones of another lead."""
    margins = {"gradient": (0.01, 0.05, 0.0), "smoothgrad": (0.03, 0.02, 0.0)}
    reader = read(fake_report(leakage=leakage(margins)))
    assert "are by smoothgrad, the one of 2 that adds most" in reader.text
    assert (
        "+3.00percentage points: what explanations add where the service shows all probabilities leaks; smoothgrad"
        in reader.text
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"exposed": [], "utility": [], "curves": [], "controls": []},
        {"leakage": [row for row in fake_report().leakage if row.view == "prediction"]},
        {
            "leakage": [
                row for row in fake_report().leakage if row.defense != "none" or row.view == "prediction"
            ]
        },
        {"leakage": []},
        {"smallest_margin": SmallestMargin(fpr="0.01", value=math.nan)},
    ],
)
def test_a_report_that_lacks_parts_is_still_a_page(changes):
    assert "leakjax" in page.render(fake_report(**changes), {})
    read(fake_report(**changes), {})


@pytest.mark.slow
def test_everything_is_published_and_twice_the_same(published, tmp_path):
    paths = publish(fake_report(), tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in paths}
    drawn = ("leakage", "roc", "hardening", *(f"examples_{name}" for name in MARGINS))
    figures_of = {f"figures/{name}.png" for name in drawn}
    assert names == {
        "report.json",
        "report.html",
        "exposed.json",
        *figures_of,
        *(f"figures/{name}.{kind}" for name in drawn for kind in ("svg", "pdf")),
        *tables_csv.files(fake_report()),
    }
    assert all((published / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    assert json.loads((tmp_path / "report.json").read_text()) == to_json(fake_report(exposed=[]))
    links = Reader((tmp_path / "report.html").read_text()).links
    embedded = {base64.b64decode(link.partition(",")[2]) for link in links}
    assert embedded >= {(tmp_path / name).read_bytes() for name in figures_of}
    assert len(embedded) == 2 * len(figures_of) + 2 * 3  # on light and dark paper; charts wide and narrow


def test_only_a_file_of_the_owner_alone_names_exposed_records(tmp_path):
    named = [replace(row, id=row.id + 7_654_000) for row in fake_report().exposed]
    paths = publish(fake_report(exposed=named, examples=[], curves=[]), tmp_path)
    owners = tmp_path / "exposed.json"
    assert [row["id"] for row in json.loads(owners.read_text())] == [row.id for row in named]
    assert owners.stat().st_mode & 0o777 == 0o600
    for path in paths:
        content = path.read_bytes()
        assert path == owners or not any(str(row.id).encode() in content for row in named), path


def test_sections_of_other_measurements_stand_before_the_glossary(tmp_path):
    report = fake_report(examples=[], curves=[])
    own = "<section><h2>Of another kind</h2><p>7 &lt; 8</p></section>"
    publish(report, tmp_path, [own, own.replace("7", "6")])
    text = (tmp_path / "report.html").read_text()
    assert own in text
    reader = Reader(text)
    places = [reader.text.index(heading) for heading in ("How it was measured", "7 < 8", "6 < 8", "Glossary")]
    assert places == sorted(places)
    pictures = figures.images(report) | figures.pictures(report)
    without = text.replace(own, "").replace(own.replace("7", "6"), "")
    assert without.split() == page.render(report, pictures).split()


def test_any_content_gets_the_page_around_it():
    reader = Reader(shell.wrap("<leaks>", Markup("<h1>{{ 1 + 1 }} &lt; 3</h1>")))
    assert reader.tags.count("main") == reader.tags.count("style") == 1
    assert reader.text == "<leaks> {{ 1 + 1 }} < 3"


def test_what_is_not_said_to_be_html_is_escaped_by_the_templates():
    reader = Reader(shell.wrap("t", "<b>a & b</b>"))
    assert "b" not in reader.tags
    assert reader.text == "t <b>a & b</b>"


def test_a_value_that_a_template_asks_for_and_nobody_gave_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="content"):
        shell.render("shell.html", title="t")


def test_a_page_that_shows_records_says_so_first_and_others_show_nobody():
    shown = read(fake_report()).text
    assert shown.index("This page shows records of the data set.") < shown.index("What to do next")
    assert "The inputs are records of the data set" in shown
    nobody = [replace(example, id=None) for example in fake_report().examples]
    typical = read(fake_report(examples=nobody)).text
    assert "This page shows records" not in typical
    assert (
        "The inputs are typical ones, each the mean of many records of a class: no record is shown."
        in typical
    )


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"label": 1.0, "vector": 1.0}, "Your explanations give away training records"),
        (
            {"label": 1.0, "vector": 0.0},
            "Your explanations give away training records where the service shows only the class",
        ),
        ({"label": 0.0, "vector": 0.0}, "Your explanations add nothing that we could measure"),
    ],
)
def test_the_title_is_the_verdict(left, said):
    report = fake_report(leakage=released_leakage(left=left))
    assert verdict.title(report) == said
    assert f"<h1>{said}</h1>" in page.render(report, {})


def test_the_title_is_no_clearance_where_the_audit_is_coarse_or_nothing_was_explained():
    coarse = SmallestMargin(fpr="0.01", value=0.05)
    rows = released_leakage(left={"label": 0.0})
    assert verdict.title(fake_report(leakage=rows, smallest_margin=coarse)).startswith("Inconclusive")
    predictions = [row for row in rows if row.view == "prediction"]
    assert verdict.title(fake_report(leakage=predictions)).startswith("What predictions give away")


def test_the_annex_names_its_texts_and_gives_no_advice():
    text = read().text
    for name in ("Opinion 28/2024", "GDPR Art. 35", "AI Act Art. 86", "no legal advice"):
        assert name in text
