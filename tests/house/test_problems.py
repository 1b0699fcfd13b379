"""Every refusal has its one row in the table of problems, and every row its page at /problems/<slug>."""

import re

from service import refusals
from service.http.problem_pages import page
from service.problems import TABLE
from service.refusals import Refusal

SLUG = re.compile(r"[a-z]+(-[a-z]+)*")


def all_refusals(kind: type[Refusal] = Refusal) -> set[type[Refusal]]:
    found = set(kind.__subclasses__())
    return found.union(*(all_refusals(child) for child in found))


def test_every_refusal_has_one_row() -> None:
    rows = [type(row.example) for row in TABLE if row.example is not None]
    assert all_refusals(), "there is no refusal at all"
    missing = {kind.__name__ for kind in all_refusals() - set(rows)}
    assert not missing, f"without a row in service/problems.py: {sorted(missing)}"
    assert len(rows) == len(set(rows)), "a refusal with two rows"


def test_refusals_live_in_one_file() -> None:
    elsewhere = {kind.__module__ for kind in all_refusals()} - {refusals.__name__}
    assert not elsewhere, f"refusals outside of service/refusals.py: {elsewhere}"


def test_slugs_and_titles_are_unique() -> None:
    slugs = [row.slug for row in TABLE]
    assert all(SLUG.fullmatch(slug) for slug in slugs)
    assert len(set(slugs)) == len(slugs)
    titles = [row.title for row in TABLE]
    assert len(set(titles)) == len(titles)


def test_every_problem_has_its_page() -> None:
    for row in TABLE:
        text = page(row.slug)
        assert text is not None, f"no page explains {row.slug}"
        assert row.slug in text, f"the page of {row.slug} does not name it"
