"""``python -m benchmarks console``: searches, customers and matches over HTTP at 200 requests a second, at one size.

Belongs here: the process that is served, the requests, and what they took. Does not belong here: the homes with
customers (search), finding and matching themselves.

Requests are begun by the clock, whether or not those before them have been answered: a server that cannot keep up is
seen as waiting, and not as fewer requests.
"""

import argparse
import asyncio
import json
import math
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import numpy as np
import psutil
from sqlalchemy import Connection, text

from benchmarks import results
from benchmarks.console_document import WARMING, Minute, Size, Way
from benchmarks.machine import busy_seconds, machine, versions
from benchmarks.search import SIZES, load
from benchmarks.served import free_port
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import Settings, root

RATE, SECONDS = 200.0, 60.0
_SEED, _SAMPLE = 11, 5_000
_FIELDS = ("given_name", "surname", "birth_date", "email", "postcode", "house_number")
_MIB, _MINUTE = 1 << 20, 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
KINDS = ("search", "customer", "match")
Row = Mapping[str, Any]


def requests(rows: Sequence[Row], number: int, seed: int = _SEED) -> list[tuple[str, str, str, object]]:
    """What is asked, in order: a name as it is spelled, a customer, or a record that is about to be made."""
    dice = random.Random(seed)  # noqa: S311 - not a secret
    asked: list[tuple[str, str, str, object]] = []
    for _ in range(number):
        row, kind = dice.choice(rows), dice.random()
        if kind < 0.4:
            typed = f"{row['given_name']} {row['surname']} {row['city']}"
            asked.append(("search", "GET", "/v1/search", {"q": typed, "limit": 10}))
        elif kind < 0.9:
            asked.append(("customer", "GET", f"/v1/customers/{row['golden_id']}", None))
        else:
            record = {name: str(row[name]) for name in _FIELDS if row[name]}
            asked.append(("match", "POST", "/v1/match", {"record": record}))
    return asked


def _written(host: str, key: str, way: str, path: str, more: Any) -> bytes:
    """A request as it goes over the wire."""
    body = b"" if way == "GET" else json.dumps(more).encode()
    query = f"?{urlencode(more)}" if way == "GET" and more else ""
    lines = [
        f"{way} {path}{query} HTTP/1.1",
        f"host: {host}",
        f"authorization: Bearer {key}",
        *([f"content-length: {len(body)}", "content-type: application/json"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Lines:
    """Connections to one server that are kept open, a hundred at most.

    It runs on the cores that are measured: a client for all purposes takes more for a request than this by far.
    """

    def __init__(self, host: str) -> None:
        self._name, _, self._port = host.partition(":")
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._most = asyncio.Semaphore(100)

    async def status(self, request: bytes) -> int:
        """Ask, read the whole answer, and return its status."""
        async with self._most, asyncio.timeout(30):
            self._idle = [line for line in self._idle if not line[0].at_eof()]  # those were let go there
            line = self._idle.pop() if self._idle else await asyncio.open_connection(self._name, self._port)
            reader, writer = line
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length is not None  # noqa: S101 - the console tells it of each answer that ends
            await reader.readexactly(int(length[1]))
            self._idle.append(line)
            return int(head.split(None, 2)[1])

    def close(self) -> None:
        """Let all go."""
        for _, writer in self._idle:
            writer.close()


async def _ask(
    url: str, key: str, asked: Sequence[tuple[str, str, str, object]], rate: float
) -> list[tuple[str, float, bool]]:
    """Begin each request at its moment; returns kinds, milliseconds from those moments, and success."""
    found: list[tuple[str, float, bool]] = []
    host = urlsplit(url).netloc
    lines, written = _Lines(host), [_written(host, key, way, path, more) for _, way, path, more in asked]
    start = time.perf_counter()

    async def one(at: float, kind: str, request: bytes) -> None:
        await asyncio.sleep(max(0.0, start + at - time.perf_counter()))
        try:
            well = await lines.status(request) == 200
        except (OSError, EOFError, TimeoutError):
            well = False
        found.append((kind, 1000 * (time.perf_counter() - start - at), well))

    kinds = (kind for kind, *_ in asked)
    requests = zip(kinds, written, strict=True)
    await asyncio.gather(*(one(place / rate, *each) for place, each in enumerate(requests)))
    lines.close()
    return found


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, psutil.Process]]:
    """`cdm serve` over a home, as a process of its own, once it answers and holds the linkage."""
    url = f"http://127.0.0.1:{free_port()}"
    variables = {**settings.environment(), "CDM_CONSOLE_URL": url}
    command = [sys.executable, "-m", "cdm_pipelines.cli", "serve", "--local"]
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{url}/ready").json()["ready"]:
                    break
            except (httpx2.HTTPError, ValueError):
                time.sleep(0.2)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _sample(connection: Connection) -> list[Row]:
    query = f"""SELECT {", ".join(_FIELDS)}, city, golden_id::text FROM golden.customer TABLESAMPLE SYSTEM (20)
        WHERE party_kind = 'person' AND surname IS NOT NULL AND given_name IS NOT NULL LIMIT {_SAMPLE}"""  # noqa: S608
    return [dict(row) for row in connection.execute(text(query)).mappings()]


def _key(settings: Settings) -> str:
    command = [sys.executable, "-m", "cdm_pipelines.cli", "token", "make", "benchmark", "--role", "steward"]
    more = ["--scope", "read", "--scope", "match", "--per-minute", "1000000"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, *more],
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


def measured(settings: Settings, *, rate: float = RATE, seconds: float = SECONDS) -> Size:
    """Ask a console of one home for a while."""
    with open_hub(settings) as engine:
        with engine.connect() as connection:
            rows = _sample(connection)
            customers = int(connection.scalar(text("SELECT count(*) FROM golden.customer")) or 0)
        key = _key(settings)
        with serving(settings) as (url, process):
            first = requests(rows, int(rate * WARMING))
            httpx2.post(
                f"{url}/v1/match",
                headers={"authorization": f"Bearer {key}"},
                json={"record": {"surname": "Jansen", "given_name": "Jan", "city": "Delft"}},
                timeout=300,
            )
            asyncio.run(_ask(url, key, first, rate / 2))
            before, busy, own = _memory(process), busy_seconds(), _cpu(process)
            began, found, minutes = time.perf_counter(), [], []
            for minute in range(math.ceil(seconds / _MINUTE)):
                lasts = min(_MINUTE, seconds - minute * _MINUTE)
                asked = requests(rows, int(rate * lasts), _SEED + minute)
                here = asyncio.run(_ask(url, key, asked, rate))
                minutes.append(Minute(_memory(process) / _MIB, *(_way(name, here).p99 for name in KINDS)))
                found += here
            took = time.perf_counter() - began
            spent = _cpu(process) - own
            others = (busy_seconds() - busy - spent) / took
            after = _memory(process)
    return Size(
        customers=customers,
        rate=rate,
        seconds=seconds,
        ways=tuple(_way(name, found) for name in KINDS),
        before=before / _MIB,
        after=after / _MIB,
        cores=spent / took,
        others=others,
        answered=sum(well for _, _, well in found) / took,
        processor=1000 * spent / len(found),
        minutes=tuple(minutes) if len(minutes) > 1 else (),
    )


def _all_of(process: psutil.Process) -> list[psutil.Process]:
    return [process, *(one for one in process.children() if one.status() != psutil.STATUS_ZOMBIE)]


def _cpu(process: psutil.Process) -> float:
    """Seconds of processor of the console's processes, those that have ended in them."""
    times = [one.cpu_times() for one in _all_of(process)]
    ended = process.cpu_times()
    return float(sum(one.user + one.system for one in times) + ended.children_user + ended.children_system)


def _memory(process: psutil.Process) -> int:
    """Bytes of the console's processes; what they share counts once."""
    return sum(int(one.memory_full_info().pss) for one in _all_of(process))


def _way(name: str, found: Sequence[tuple[str, float, bool]]) -> Way:
    took = np.array([milliseconds for kind, milliseconds, _ in found if kind == name])
    failed = sum(not well for kind, _, well in found if kind == name)
    p50, p99, slowest = (float(np.percentile(took, share)) for share in (50, 99, 100))
    return Way(name, len(took), failed, p50, p99, slowest)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks console", description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[max(SIZES)], help="sizes (%(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for so long (%(default)s)")
    parser.add_argument(
        "--minutes", type=float, help="the same in minutes, such as 60: memory and p99 of each"
    )
    parser.add_argument("--out", type=Path, default=root() / "benchmarks" / "out")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    seconds = options.seconds if options.minutes is None else _MINUTE * options.minutes
    sizes = [
        measured(load(number, out), rate=options.rate, seconds=seconds)
        for number in sorted(options.customers)
    ]
    figures = {"facts": machine() | versions(), "sizes": [asdict(size) for size in sizes]}
    whole = max(options.customers) >= max(SIZES) and options.rate >= RATE
    (told, *_) = results.publish("console", figures, committed=whole, out=out)
    sys.stdout.write(told.read_text(encoding="utf-8"))
    return 0
