"""A page for every problem, and nothing on it that needs the internet."""

import re
from html.parser import HTMLParser

import pytest

from service import problems
from service.http import problem_pages

VOID = {"meta"}


class Outline(HTMLParser):
    """Collects links, and fails on tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert outline.open == []
    return outline


@pytest.mark.parametrize("row", problems.TABLE, ids=lambda row: row.slug)
def test_every_problem_has_a_page_that_stands_alone(row: problems.Row) -> None:
    html = problem_pages.page(row.slug)
    assert html is not None
    outline = read(html)
    text = "".join(outline.text)
    assert outline.links == ["/problems"]
    assert "<script" not in html
    assert not re.search(r"https?://|@import|url\(", html)
    assert f"{row.status} {row.slug}" in text
    assert row.title in text
    assert "What to do" in text
    assert f'"type": "/problems/{row.slug}"' in text
    assert "color-scheme: light dark" in html


def test_the_index_leads_to_every_page() -> None:
    assert read(problem_pages.index_page()).links == [row.path for row in problems.TABLE]


@pytest.mark.parametrize("slug", ["", "nothing", "../internal", "Internal", "<script>"])
def test_there_is_no_page_for_what_is_no_problem(slug: str) -> None:
    assert problem_pages.page(slug) is None
