"""The If-Match header: one version, or any; everything else is refused rather than guessed."""

import pytest

from service.http.if_match import parse_if_match
from service.refusals import InvalidRequest


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        pytest.param(b'"1"', 1, id="a version"),
        pytest.param(b'"0"', 0, id="none yet"),
        pytest.param(b'  "12" ', 12, id="white space around"),
        pytest.param(b'"999999999999999999"', 999999999999999999, id="the longest"),
        pytest.param(b"*", None, id="any"),
    ],
)
def test_version_is_read(sent: bytes, version: int | None) -> None:
    assert parse_if_match([sent], creates=False) == version


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b""], id="empty"),
        pytest.param([b"3"], id="without quotes"),
        pytest.param([b'W/"3"'], id="weak"),
        pytest.param([b'"3'], id="half a quote"),
        pytest.param([b'"03"'], id="leading zero"),
        pytest.param([b'"-1"'], id="negative"),
        pytest.param([b'"abc"'], id="no number"),
        pytest.param([b'"1", "2"'], id="a list"),
        pytest.param([b'"1"', b'"2"'], id="two lines"),
        pytest.param([b'"1000000000000000000"'], id="too long"),
        pytest.param(['"٣"'.encode()], id="digits of another script"),
    ],
)
def test_anything_else_is_invalid_and_named(lines: list[bytes]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_if_match(lines, creates=False)
    assert [path for path, _ in raised.value.errors] == ["If-Match"]


def test_any_is_refused_where_the_operation_would_create() -> None:
    with pytest.raises(InvalidRequest):
        parse_if_match([b"*"], creates=True)
