"""Looks at pages in a Chromium, where there is one: sizes on a screen of any width, and the pages of a PDF."""

import html
import json
import os
import re
import subprocess
import zlib

import pytest

from leakjax.report import paper

PROBE = r"""<!doctype html><iframe id="page" src="{name}" style="width:{width}px;height:4000px;border:0"></iframe>
<pre id="found"></pre><script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument, wide = page.documentElement.clientWidth, found = {{wide}};
  page.querySelectorAll("details").forEach((one) => {{ one.open = {opened}; }});
  const box = (one) => one.getBoundingClientRect(), said = (one) => one.textContent.trim().slice(0, 60);
  const out = (one) => box(one).right > wide + 1 || box(one).left < -1;
  found.height = page.documentElement.scrollHeight;
  found.scrolls = page.documentElement.scrollWidth - wide;
  const cut = (one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1 && !one.closest("thead")
    && getComputedStyle(one).overflowX !== "visible";
  found.clipped = [...page.querySelectorAll("*")].filter(cut).map(said);
  const cells = [...page.querySelectorAll("td")];
  found.cells = cells.length;
  found.outside = cells.filter((one) => said(one) && out(one)).map(said);
  found.hidden = cells.filter((one) => said(one) && !box(one).height).map(said);
  const images = [...page.querySelectorAll("img")];
  found.images = images.map((one) => [one.naturalWidth, Math.round(box(one).width), out(one)]);
  const corner = (one) => {{
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    context.drawImage(one, 0, 0);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }};
  found.corners = images.map(corner);
  found.paper = getComputedStyle(page.body).backgroundColor.match(/\d+/g).slice(0, 3).map(Number);
  const heading = (one) => getComputedStyle(one, "::before").content;
  found.headings = cells.filter((one) => heading(one) !== "none").length;
  document.getElementById("found").textContent = JSON.stringify(found);
}};
</script>"""


def needed() -> str:
    """The path of a Chromium; the test is skipped where there is none."""
    os.environ.pop(paper.VARIABLE, None)
    try:
        path = paper.browser()
    finally:
        os.environ[paper.VARIABLE] = ""
    if path is None:
        pytest.skip(f"none of {', '.join(paper.BROWSERS)} is installed")
    return path


def seen(page: str, folder, width: int, *, opened: bool = True, dark: bool = False) -> dict:
    """What a page measures on a screen of a width, light or dark, all that is folded open: see `PROBE`."""
    (folder / "page.html").write_text(page)
    probe = PROBE.format(name="page.html", width=width, opened=str(opened).lower())
    (folder / "probe.html").write_text(probe)
    flags = [
        "--allow-file-access-from-files",
        "--virtual-time-budget=20000",
        "--hide-scrollbars",
        "--window-size=1600,4200",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [
            needed(),
            *paper.FLAGS,
            f"--user-data-dir={folder}/profile",
            *flags,
            (folder / "probe.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))


def contents(pdf: bytes) -> list[bytes]:
    """What is drawn on each page of a PDF of Chromium's, as its operators."""
    objects = {
        int(number): body for number, body in re.findall(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)
    }
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    places = [int(re.search(rb"/Contents (\d+) 0 R", page)[1]) for page in pages]
    return [zlib.decompress(objects[place].partition(b"stream\n")[2]) for place in places]
