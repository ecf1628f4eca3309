"""``python -m benchmarks search``: how fast and how well customers are found among 100,000 and a million.

Belongs here: loading generated customers, and what people type about them. Does not belong here: how customers are
found (cdm_pipelines.steps.search.find), the document (search_document).
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, text

from benchmarks import results
from benchmarks.homes import loaded
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.search_document import WARMING, Figures, Size
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import Settings, root
from cdm_pipelines.steps.search.find import find
from cdm_pipelines.steps.search.weigh import Models
from cdm_pipelines.store.lake import Lake

SIZES = (100_000, 1_000_000)
_RECORDS_PER_CUSTOMER = 2.153  # of the generator; how many customers there are is counted
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SEED = 7

Row = Mapping[str, str | None]


@dataclass(frozen=True)
class Kind:
    """What a person types about a customer, and whether with an error."""

    name: str
    typed: Callable[[Row, random.Random], str]


def _name(row: Row) -> str:
    return " ".join(part for part in (row["given_name"], row["surname_prefix"], row["surname"]) if part)


def slip(value: str, dice: random.Random) -> str:
    """A text with one typing error: a sign replaced, left out, doubled or swapped with the next."""
    places = [at for at, sign in enumerate(value[:-1]) if sign.isalnum() and value[at + 1].isalnum()]
    at = dice.choice(places or [0])
    other = dice.choice("0123456789" if value[at].isdigit() else _LETTERS)
    return value[:at] + dice.choice(
        [
            other + value[at + 1 :],
            value[at + 1 :],
            value[at] + value[at:],
            value[at + 1 : at + 2] + value[at] + value[at + 2 :],
        ]
    )


def _digits_replaced(value: str, dice: random.Random) -> str:
    """Another digit in one place after the prefix."""
    at = dice.randrange(4, len(value))
    return value[:at] + dice.choice([digit for digit in "0123456789" if digit != value[at]]) + value[at + 1 :]


def _national(number: str | None) -> str:
    return f"0{(number or '')[3:]}"


KINDS = (
    Kind("name", lambda row, _: _name(row)),
    Kind("name, town", lambda row, _: f"{_name(row)} {row['city']}"),
    Kind("name, year of birth", lambda row, _: f"{_name(row)} {str(row['birth_date'])[:4]}"),
    Kind(
        "name with an error, date of birth",
        lambda row, dice: f"{slip(_name(row), dice)} {row['birth_date']}",
    ),
    Kind(
        "name with an error, postcode and number",
        lambda row, dice: f"{slip(_name(row), dice)} {row['postcode']} {row['house_number']}",
    ),
    Kind("postcode and number", lambda row, _: f"{row['postcode']} {row['house_number']}"),
    Kind("phone", lambda row, _: _national(row["mobile"])),
    Kind("phone with an error", lambda row, dice: _digits_replaced(_national(row["mobile"]), dice)),
    Kind("e-mail", lambda row, _: str(row["email"])),
    Kind("e-mail with an error", lambda row, dice: slip(str(row["email"]), dice)),
    Kind("order number", lambda row, _: str(row["order_id"])),
    Kind("record id", lambda row, _: str(row["record_id"])),
)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks search", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=list(SIZES), help="sizes (%(default)s)")
    parser.add_argument("--queries", type=int, default=200, help="of each kind (%(default)s)")
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    sizes = [searched(load(number, out), options.queries) for number in sorted(options.customers)]
    figures = {"facts": machine() | versions(), "sizes": [asdict(size) for size in sizes]}
    whole = max(options.customers) >= max(SIZES)
    (told, *_) = results.publish("search", figures, committed=whole, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0


def load(customers: int, out: Path) -> Settings:
    """Publish about that many generated customers, or find the home where an earlier run left them."""

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    return loaded(round(customers * _RECORDS_PER_CUSTOMER), out / f"search-{customers}", out, tell)


def searched(settings: Settings, queries: int) -> Size:
    """Search for customers of the hub, each kind so often."""
    models = Models.load(Lake(settings.lake_url), settings)
    dice = random.Random(_SEED)  # noqa: S311 - not a secret
    with open_hub(settings) as engine, engine.connect() as connection:
        known = _customers(connection, max(queries, WARMING))
        for row in known[:WARMING]:
            kind = dice.choice(KINDS)
            find(connection, kind.typed(row, dice), lambda: models)
        asked = [(kind, row, kind.typed(row, dice)) for kind in KINDS for row in known[:queries]]
        dice.shuffle(asked)
        started, busy, own = time.perf_counter(), busy_seconds(), own_seconds(connection)
        taken: dict[str, list[tuple[float, float, int]]] = {kind.name: [] for kind in KINDS}
        for kind, row, typed in asked:
            begun, used = time.perf_counter(), time.process_time()
            found = [str(hit.golden_id) for hit in find(connection, typed, lambda: models)]
            seconds = time.perf_counter() - begun, time.process_time() - used
            place = found.index(str(row["golden_id"])) if row["golden_id"] in found else len(KINDS)
            taken[kind.name].append((*seconds, place))
        ours = own_seconds(connection) - own
        others = max(0.0, busy_seconds() - busy - ours) / (time.perf_counter() - started)
        customers = int(connection.scalar(text("SELECT count(*) FROM golden.customer")) or 0)
    every = [one for each in taken.values() for one in each]
    return Size(
        customers,
        others,
        _figures("all", every),
        tuple(_figures(name, each) for name, each in taken.items()),
    )


def _figures(name: str, taken: list[tuple[float, float, int]]) -> Figures:
    wall, cpu, place = (np.array(column) for column in zip(*taken, strict=True))
    p50, p99 = np.percentile(wall * 1000, [50, 99])
    return Figures(
        name,
        len(taken),
        float(p50),
        float(p99),
        float(cpu.mean() * 1000),
        float((place == 0).mean()),
        float((place < 5).mean()),
    )


def own_seconds(connection: Connection) -> float:
    """CPU seconds of this process and of the server's process that answers it."""
    import psutil  # noqa: PLC0415

    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    server = psutil.Process(pid).cpu_times() if pid and psutil.pid_exists(pid) else None
    return time.process_time() + (server.user + server.system if server else 0.0)


def _customers(connection: Connection, number: int) -> list[Row]:
    """Persons of whom everything is known that is asked for, drawn at random in the same way each time."""
    query = text(
        """SELECT c.golden_id::text, c.given_name, c.surname_prefix, c.surname, c.city, c.birth_date::text,
            c.postcode, c.house_number, c.mobile, c.email, o.order_id, x.record_id
        FROM golden.customer c
        JOIN LATERAL (SELECT order_id FROM golden.customer_order o WHERE o.golden_id = c.golden_id
                      ORDER BY order_id LIMIT 1) o ON true
        JOIN LATERAL (SELECT record_id FROM golden.crosswalk x WHERE x.golden_id = c.golden_id
                      ORDER BY source, record_id LIMIT 1) x ON true
        WHERE c.party_kind = 'person' AND c.given_name IS NOT NULL AND c.surname IS NOT NULL
            AND c.birth_date IS NOT NULL AND c.mobile LIKE '+31%' AND c.email IS NOT NULL AND c.city IS NOT NULL
            AND c.country = 'NL' AND c.postcode IS NOT NULL AND c.house_number IS NOT NULL
        ORDER BY md5(c.golden_id::text) LIMIT :number"""
    )
    return [dict(row) for row in connection.execute(query, {"number": number}).mappings()]
