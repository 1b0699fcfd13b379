"""Refusals are facts: cheap, readable in a log, and free of HTTP."""

import inspect

import pytest

from service import refusals
from service.refusals import HoldExpired, InvalidRequest, NotFound, Refusal


def test_facts_are_attributes() -> None:
    refusal = NotFound(kind="event", name="final")
    assert (refusal.kind, refusal.name) == ("event", "final")
    assert refusal.facts() == {"kind": "event", "name": "final"}


def test_a_log_line_shows_the_class_and_its_facts() -> None:
    assert str(HoldExpired(expired_at_ms=5)) == "HoldExpired(expired_at_ms=5)"


def test_a_refusal_can_be_raised_and_caught_as_one() -> None:
    with pytest.raises(Refusal) as caught:
        raise InvalidRequest(errors=(each for each in [("$.lines", "is required")]))
    assert caught.value.facts() == {"errors": [("$.lines", "is required")]}


def test_every_refusal_stands_in_the_map_of_its_module() -> None:
    classes = [
        each
        for _, each in inspect.getmembers(refusals, inspect.isclass)
        if issubclass(each, Refusal) and each is not Refusal
    ]
    assert len(classes) == 20
    assert [each.__name__ for each in classes if f"\n        {each.__name__} " not in (refusals.__doc__ or "")] == []
