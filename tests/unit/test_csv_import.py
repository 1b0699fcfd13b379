"""CSV files of seats and stock: what is taken, and every way in which a file is not, named by line and column."""

from pathlib import Path

import pytest

import service
from service.imports.csv_rows import LINE_BYTES_MAX, PROBLEMS_SHOWN, FileRefused
from service.imports.seats import SeatsPlan, plan_seats
from service.imports.stock import StockRow, plan_stock
from service.inventory.bodies import Category, PutSeat

SAMPLES = Path(service.__file__).parent / "samples"
SEATS_HEADER = "section,row,seat,category,price_minor,currency,x,y"
STOCK_HEADER = "sku,description,on_hand,price_minor,currency"
GOOD_SEAT = "101,A,1,1,12500,EUR,525.695,226.656"
GOOD_STOCK = "NW-001,Chai,39,1800,USD"


def seats_file(directory: Path, content: str | bytes) -> Path:
    path = directory / "seats.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused_seats(directory: Path, content: str | bytes) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        plan_seats(seats_file(directory, content))
    return refused.value


def places(refused: FileRefused) -> list[tuple[int, str | None]]:
    return [(problem.line, problem.column) for problem in refused.problems]


def test_sample_venue_is_taken() -> None:
    plan = plan_seats(SAMPLES / "stadium-seats.csv")
    assert len(plan.seats) == 16_054
    assert [(category.category, category.amount) for category in plan.categories] == [
        ("1", 12500),
        ("2", 8900),
        ("3", 5900),
        ("4", 3500),
    ]
    assert plan.seats[0] == PutSeat("101", "A", "1", "1", 525.695, 226.656)


def test_sample_stock_is_taken() -> None:
    plan = plan_stock(SAMPLES / "stock.csv")
    assert len(plan.rows) == 77
    assert plan.location == "default"
    assert plan.rows[3] == StockRow(5, "NW-004", "Chef Anton's Cajun Seasoning", 53, 2200, "USD")


GOOD_FILES: dict[str, str | bytes] = {
    "plain": f"{SEATS_HEADER}\n{GOOD_SEAT}\n",
    "without a last line end": f"{SEATS_HEADER}\n{GOOD_SEAT}",
    "lines ended by CRLF": f"{SEATS_HEADER}\r\n{GOOD_SEAT}\r\n",
    "a byte order mark": f"\ufeff{SEATS_HEADER}\n{GOOD_SEAT}\n",
    "quoted cells": f'{SEATS_HEADER}\n"101","A",1,"1","12500","EUR",525.695,"226.656"\n',
    "empty lines": f"{SEATS_HEADER}\n\n{GOOD_SEAT}\n\n\n",
}


@pytest.mark.parametrize("content", GOOD_FILES.values(), ids=GOOD_FILES)
def test_good_file_is_taken(tmp_path: Path, content: str | bytes) -> None:
    path = seats_file(tmp_path, content)
    seat = PutSeat("101", "A", "1", "1", 525.695, 226.656)
    assert plan_seats(path) == SeatsPlan(path, [Category("1", "1", 12500, "EUR")], [seat])


def test_empty_coordinates_are_none(tmp_path: Path) -> None:
    plan = plan_seats(seats_file(tmp_path, f"{SEATS_HEADER}\n101,A,1,1,0,EUR,,\n101,A,2,1,0,EUR,-1,0.5\n"))
    assert [(seat.x, seat.y) for seat in plan.seats] == [(None, None), (-1.0, 0.5)]


def test_description_keeps_commas_quotes_and_scripts_in_nfc(tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(f'{STOCK_HEADER}\nNW-1,"Tea, ""black"" Cafe\u0301 決勝 ",1,0,EUR\n', encoding="utf-8")
    assert plan_stock(path).rows[0].description == 'Tea, "black" Caf\u00e9 決勝 '


BAD_CELLS: dict[str, tuple[str, str]] = {
    "an empty section": (",A,1,1,12500,EUR,1,2", "section"),
    "a section with a slash": ("10/1,A,1,1,12500,EUR,1,2", "section"),
    "a section with a line break": ('"10\n1",A,1,1,12500,EUR,1,2', "section"),
    "a section with NUL": ("10\x001,A,1,1,12500,EUR,1,2", "section"),
    "a row with a space": ("101,A ,1,1,12500,EUR,1,2", "row"),
    "a seat with a sign": ("101,A,-1,1,12500,EUR,1,2", "seat"),
    "an empty seat": ("101,A,,1,12500,EUR,1,2", "seat"),
    "a category with a space": ("101,A,1,VIP 1,12500,EUR,1,2", "category"),
    "a price with a fraction": ("101,A,1,1,125.00,EUR,1,2", "price_minor"),
    "a price with a space": ("101,A,1,1, 12500,EUR,1,2", "price_minor"),
    "a price with a separator": ("101,A,1,1,12_500,EUR,1,2", "price_minor"),
    "a price in other digits": ("101,A,1,1,١٢,EUR,1,2", "price_minor"),
    "a negative price": ("101,A,1,1,-1,EUR,1,2", "price_minor"),
    "a price of 10^30": (f"101,A,1,1,{10**30},EUR,1,2", "price_minor"),
    "an empty price": ("101,A,1,1,,EUR,1,2", "price_minor"),
    "a currency in small letters": ("101,A,1,1,12500,eur,1,2", "currency"),
    "a place that is a word": ("101,A,1,1,12500,EUR,left,2", "x"),
    "a place that is NaN": ("101,A,1,1,12500,EUR,1,nan", "y"),
    "a place with an exponent": ("101,A,1,1,12500,EUR,1,1e3", "y"),
    "a place outside every venue": ("101,A,1,1,12500,EUR,1,99999999999", "y"),
}


@pytest.mark.parametrize(("row", "column"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_bad_cell_is_named_by_line_and_column(tmp_path: Path, row: str, column: str) -> None:
    refused = refused_seats(tmp_path, f"{SEATS_HEADER}\n{GOOD_SEAT}\n{row}\n101,A,3,1,12500,EUR,1,2\n")
    assert places(refused) == [(3, column)]
    assert str(refused).startswith(f"{tmp_path / 'seats.csv'}:3: {column}: ")


BAD_FILES: dict[str, tuple[str | bytes, list[tuple[int, str | None]]]] = {
    "empty": ("", [(1, name) for name in SEATS_HEADER.split(",")]),
    "only a header": (f"{SEATS_HEADER}\n", [(1, None)]),
    "no header": (f"{GOOD_SEAT}\n", [(1, cell) for cell in dict.fromkeys(GOOD_SEAT.split(","))]),
    "a column too few": ("section,row,seat,category,price_minor,currency,x\n", [(1, "y")]),
    "a column too many": (f"{SEATS_HEADER},z\n{GOOD_SEAT},1\n", [(1, "z")]),
    "a column twice": (f"{SEATS_HEADER},x\n{GOOD_SEAT},1\n", [(1, "x")]),
    "a renamed column": (SEATS_HEADER.replace("seat", "number"), [(1, "number"), (1, "seat")]),
    "a column in other case": (SEATS_HEADER.replace("row", "Row"), [(1, "Row"), (1, "row")]),
    "columns in another order": ("row,section,seat,category,price_minor,currency,x,y\n", [(1, None)]),
    "a cell too few": (f"{SEATS_HEADER}\n101,A,1,1,12500,EUR,1\n", [(2, None)]),
    "a cell too many": (f"{SEATS_HEADER}\n{GOOD_SEAT},1\n", [(2, None)]),
    "text after a quote": (f'{SEATS_HEADER}\n{GOOD_SEAT}\n"101"x,A,2,1,12500,EUR,1,2\n', [(3, None)]),
    "a quote without end": (f'{SEATS_HEADER}\n"101,A,2,1,12500,EUR,1,2\n{GOOD_SEAT}\n', [(2, None)]),
    "lines ended by CR": (f"{SEATS_HEADER}\r{GOOD_SEAT}\r", [(1, None)]),
    "Latin-1": (f"{SEATS_HEADER}\n{GOOD_SEAT}\n".encode() + b"10\xe9,A,2,1,12500,EUR,1,2\n", [(3, None)]),
    "UTF-16": (f"{SEATS_HEADER}\n{GOOD_SEAT}\n".encode("utf-16"), [(1, None)]),
    "a line without end": (f"{SEATS_HEADER}\n{'1' * LINE_BYTES_MAX}1", [(2, None)]),
    "a seat twice": (f"{SEATS_HEADER}\n{GOOD_SEAT}\n{GOOD_SEAT}\n", [(3, "seat")]),
    "a category with two prices": (f"{SEATS_HEADER}\n{GOOD_SEAT}\n101,A,2,1,12600,EUR,1,2\n", [(3, "price_minor")]),
    "a category with two currencies": (f"{SEATS_HEADER}\n{GOOD_SEAT}\n101,A,2,1,12500,USD,1,2\n", [(3, "currency")]),
}


@pytest.mark.parametrize(("content", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_is_refused(tmp_path: Path, content: str | bytes, expected: list[tuple[int, str | None]]) -> None:
    found = places(refused_seats(tmp_path, content))
    assert found[: len(expected)] == expected
    assert {line for line, _ in found} == {line for line, _ in expected}


def test_two_prices_name_both_lines_and_both_prices(tmp_path: Path) -> None:
    refused = refused_seats(tmp_path, f"{SEATS_HEADER}\n{GOOD_SEAT}\n\n101,A,2,1,12600,EUR,1,2\n")
    (line,) = refused.lines()
    assert line == f"{tmp_path / 'seats.csv'}:4: price_minor: is 12600; category 1 has 12500 EUR on line 2"


def test_repeated_seat_names_both_lines(tmp_path: Path) -> None:
    refused = refused_seats(tmp_path, f"{SEATS_HEADER}\n{GOOD_SEAT}\n101,A,2,1,12500,EUR,1,2\n{GOOD_SEAT}\n")
    (line,) = refused.lines()
    assert line.endswith(":4: seat: 101-A-1 stands on line 2 already")


def test_lines_inside_quotes_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(f'{STOCK_HEADER}\nNW-1,"two\nlines",1,0,EUR\nNW-2,Tea,many,0,EUR\n', encoding="utf-8")
    with pytest.raises(FileRefused) as refused:
        plan_stock(path)
    assert places(refused.value) == [(2, "description"), (4, "on_hand")]


def test_every_bad_cell_of_a_row_is_named(tmp_path: Path) -> None:
    refused = refused_seats(tmp_path, f"{SEATS_HEADER}\n,A,1,1,-5,EUR,1,2\n101,A B,1,1,12500,EUR,1,2\n")
    assert places(refused) == [(2, "section"), (2, "price_minor"), (3, "row")]


def test_first_problems_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    rows = "\n".join(f"101,A,{number},1,free,EUR,1,2" for number in range(1, 51))
    refused = refused_seats(tmp_path, f"{SEATS_HEADER}\n{rows}\n")
    assert (len(refused.problems), refused.count) == (PROBLEMS_SHOWN, 50)
    assert list(refused.lines())[-1] == f"{tmp_path / 'seats.csv'}: {50 - PROBLEMS_SHOWN} more problems"


def test_more_categories_than_an_event_may_have_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"101,A,{number},c{number},100,EUR,1,2" for number in range(101))
    assert places(refused_seats(tmp_path, f"{SEATS_HEADER}\n{rows}\n")) == [(1, "category")]


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(FileRefused, match="cannot be read"):
            plan_seats(path)


BAD_STOCK: dict[str, tuple[str, str]] = {
    "an empty SKU": (",Chai,39,1800,USD", "sku"),
    "a SKU that leads out": ("..,Chai,39,1800,USD", "sku"),
    "a description of 201 characters": (f"NW-2,{'x' * 201},39,1800,USD", "description"),
    "fewer than none": ("NW-2,Chai,-1,1800,USD", "on_hand"),
    "half a piece": ("NW-2,Chai,1.5,1800,USD", "on_hand"),
    "more than a billion": (f"NW-2,Chai,{10**9 + 1},1800,USD", "on_hand"),
    "no price": ("NW-2,Chai,39,,USD", "price_minor"),
    "a currency of four letters": ("NW-2,Chai,39,1800,USDT", "currency"),
    "a SKU twice": (GOOD_STOCK, "sku"),
}


@pytest.mark.parametrize(("row", "column"), BAD_STOCK.values(), ids=BAD_STOCK)
def test_bad_stock_row_is_named_by_line_and_column(tmp_path: Path, row: str, column: str) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(f"{STOCK_HEADER}\n{GOOD_STOCK}\n{row}\n", encoding="utf-8")
    with pytest.raises(FileRefused) as refused:
        plan_stock(path)
    assert places(refused.value) == [(3, column)]


def test_empty_description_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(f"{STOCK_HEADER}\nNW-1,,0,0,EUR\n", encoding="utf-8")
    assert plan_stock(path).rows == [StockRow(2, "NW-1", "", 0, 0, "EUR")]
