"""``python -m benchmarks search``: how fast and how well customers are found among 100,000 and a million.

Belongs here: loading generated customers, what people type about them, and the document. Does not belong here: how
customers are found (cdm_pipelines.steps.search.find).
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, text

from benchmarks.homes import loaded
from benchmarks.machine import busy_seconds, machine, versions
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import Settings, root
from cdm_pipelines.steps.search.find import find
from cdm_pipelines.steps.search.rank import Models
from cdm_pipelines.store.lake import Lake

DOCUMENT = root() / "docs" / "benchmarks-search.md"
SIZES = (100_000, 1_000_000)
TARGET = 50.0  # milliseconds, p99 at the largest size
_RECORDS_PER_CUSTOMER = 2.153  # of the generator; how many customers there are is counted
_WARMING = 100  # queries before the first that counts
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


@dataclass(frozen=True)
class Figures:
    """Of one kind of query: milliseconds, and the share of customers who came first or among the first five."""

    kind: str
    queries: int
    p50: float
    p99: float
    cpu: float
    first: float
    five: float


@dataclass(frozen=True)
class Size:
    """All kinds at one number of customers; ``others``: cores that other work kept busy meanwhile."""

    customers: int
    others: float
    every: Figures
    kinds: tuple[Figures, ...]


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
    (out / "figures-search.json").write_text(json.dumps([asdict(size) for size in sizes]), encoding="utf-8")
    told = markdown(sizes)
    targets = [out / DOCUMENT.name, *([DOCUMENT] if max(options.customers) >= max(SIZES) else [])]
    for target in targets:
        target.write_text(told, encoding="utf-8")
    sys.stdout.write(told)
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
        known = _customers(connection, max(queries, _WARMING))
        for row in known[:_WARMING]:
            kind = dice.choice(KINDS)
            find(connection, kind.typed(row, dice), models)
        asked = [(kind, row, kind.typed(row, dice)) for kind in KINDS for row in known[:queries]]
        dice.shuffle(asked)
        started, busy, own = time.perf_counter(), busy_seconds(), own_seconds(connection)
        taken: dict[str, list[tuple[float, float, int]]] = {kind.name: [] for kind in KINDS}
        for kind, row, typed in asked:
            begun, used = time.perf_counter(), time.process_time()
            found = [str(hit.golden_id) for hit in find(connection, typed, models)]
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


def markdown(sizes: Sequence[Size]) -> str:
    """The document."""
    largest = sizes[-1]
    met = "met" if largest.every.p99 < TARGET else "not met"
    lines = [
        "# Benchmark of search",
        "",
        "*Written by `make benchmark-search`; do not edit.*",
        "",
        (
            f"99 of 100 searches among {largest.customers:,} customers took less than **{largest.every.p99:.0f} ms** "
            f"(aim: {TARGET:.0f} ms; {met}), half of them less than {largest.every.p50:.0f} ms."
        ),
        "",
        (
            "Persons are drawn at random from the customers, and searched by what a caller would say or an agent would "
            "type. An *error* is one letter or digit replaced, left out, doubled or swapped with the next. *First* and "
            "*first five* say how often the customer meant came first, or among the first five."
        ),
        "",
    ]
    for size in sizes:
        lines += [f"## {size.customers:,} customers", "", *_table(size), ""]
        lines += [f"Work of others kept {size.others:.1f} cores busy meanwhile, of those below.", ""]
    facts = ", ".join(f"{name} {value}" for name, value in (machine() | versions()).items())
    lines += [
        "## How it is measured",
        "",
        (
            "- `steps.search.find.find` is called in one process with an open connection and loaded models: "
            "milliseconds from what was typed to ranked customers. The "
            "command `cdm customer` takes its start-up besides."
        ),
        f"- Kinds are mixed in random order, after {_WARMING} searches that do not count.",
        "- Processor time is that of the calling process, on average; the rest is the database's.",
        "- A name alone finds namesakes, of whom nothing typed prefers one; that is what its recall shows.",
        f"- Machine and versions: {facts}.",
        "",
    ]
    return "\n".join(lines)


def _table(size: Size) -> Iterator[str]:
    yield "| Typed | Searches | p50 ms | p99 ms | Processor ms | First | First five |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for one in (*size.kinds, size.every):
        name = f"**{one.kind}**" if one is size.every else one.kind
        yield (
            f"| {name} | {one.queries:,} | {one.p50:.1f} | {one.p99:.1f} | {one.cpu:.1f} "
            f"| {one.first:.1%} | {one.five:.1%} |"
        )
