"""What the benchmark of the console asks, and what its document says."""

from dataclasses import replace

from benchmarks.console import requests
from benchmarks.console_document import Minute, Size, Way, markdown

ROWS = [{"golden_id": "1", "given_name": "Anna", "surname": "de Vries", "city": "Delft", "email": None}]
WAYS = tuple(Way(name, 100, 0, 8.0, 41.0, 95.0) for name in ("search", "customer", "match"))
SIZE = Size(1_000_000, 200.0, 60.0, WAYS, 900.0, 905.0, 0.9, 0.8)


def test_every_kind_of_request_is_asked_and_the_same_ones_each_time() -> None:
    rows = [{**row, "birth_date": None, "postcode": "1234 AB", "house_number": "1"} for row in ROWS]
    asked = requests(rows, 200)
    assert {kind for kind, *_ in asked} == {"search", "customer", "match"}
    assert asked == requests(rows, 200)
    assert all("None" not in str(more) for *_, more in asked if more)


def test_the_document_says_whether_the_aim_is_met() -> None:
    told = markdown([SIZE], {"cores": "2"}, "source")
    assert "within **41 ms** (aim: 50 ms; met)" in told
    assert "| 1,000,000 | 200 | match | 100 | 0 | 8.0 | 41.0 | 95 | 900 | 905 | 0.90 | 0.80 |" in told
    slow = replace(SIZE, ways=(replace(WAYS[0], p99=51.0), *WAYS[1:]))
    assert "(aim: 50 ms; not met)" in markdown([slow], {"cores": "2"}, "source")
    failed = replace(SIZE, ways=(replace(WAYS[0], failed=1), *WAYS[1:]))
    assert "(aim: 50 ms; not met)" in markdown([failed], {"cores": "2"}, "source")


def test_an_hour_is_told_by_the_minute() -> None:
    hour = replace(SIZE, answered=199.9, processor=4.2, minutes=(Minute(900.0, 30.0, 8.0, 41.0),) * 60)
    told = markdown([hour], {"cores": "2"}, "source")
    assert "200 requests a second were answered, each for 4.2 ms" in told
    assert "| 60 | 900 | 30.0 | 8.0 | 41.0 |" in told
    assert "By minute" not in markdown([SIZE], {"cores": "2"}, "source")
