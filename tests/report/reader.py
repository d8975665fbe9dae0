"""Reads pages as a browser would."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "wbr", "source"}


class Reader(HTMLParser):
    """Reads a page as text, tables and attributes, and refuses tags that do not match."""

    def __init__(self, content: str):
        super().__init__()
        self.open, self.links, self.tags, self.texts, self.tables = [], [], [], [], []
        self.feed(content)
        self.close()
        assert self.open == []
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data.replace("\xa0", " ")

    def table(self, heading: str) -> list[list[str]]:
        """The body of the first table with a column of this heading."""
        return next(rows[1:] for rows in self.tables if heading in rows[0])
