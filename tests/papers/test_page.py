"""What the studies share: pages that escape what they are told, claims beside papers, files of a workdir."""

import json

from leakjax.evaluate.document import Estimate
from leakjax.papers.claim import Claim, claims_table
from leakjax.papers.page import Part, page
from leakjax.papers.publish import publish
from leakjax.papers.root_cause import RootCause
from tests.report.reader import Reader

CLAIMS = [
    Claim(
        source="a paper, figure 1",
        what="leaks <much>",
        paper="up to 74.9 %",
        ours=Estimate(12.34, 10.0, 15.0),
        unit="%",
        says="disagrees",
        why="other data",
    ),
    Claim(source="b", what="c", paper="d", ours=None, unit="%", says="not comparable", why="no data"),
]


def test_a_page_holds_its_parts_and_escapes_them():
    parts = [Part("A <heading>", ["One & two."], table=claims_table(CLAIMS)), Part("", ["No heading."])]
    reader = Reader(page("a <study>", "Found.", parts, {}))
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("h2") == 1
    assert "A <heading>" in reader.text
    assert "One & two." in reader.text
    (rows,) = reader.tables
    assert rows[1] == [
        "leaks <much> (a paper, figure 1)",
        "up to 74.9 %",
        "12.3 (10.0 to 15.0) %",
        "disagrees",
        "other data",
    ]
    assert rows[2][2:4] == ["-", "not comparable"]


def test_an_image_is_shown_where_it_is_there():
    part = Part("", figure="curve", caption="A curve.")
    assert Reader(page("s", "l", [part], {"curve": bytes(24)})).tags.count("img") == 1
    assert Reader(page("s", "l", [part], {})).tags.count("img") == 0


def test_a_workdir_receives_every_file(tmp_path):
    found = RootCause(
        config={"seed": 0}, environment={}, timings={}, cases=[], trends=[], effects=[], checks=[], left_out=[],
        claims=CLAIMS,
    )  # fmt: skip
    publish(found, "<p>page</p>", {"one": b"png"}, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["claims"][0]["ours"]["value"] == 12.34
    assert (tmp_path / "report.html").read_text() == "<p>page</p>"
    assert (tmp_path / "figures" / "one.png").read_bytes() == b"png"
    assert "up to 74.9 %" in (tmp_path / "tables" / "claims.csv").read_text()
