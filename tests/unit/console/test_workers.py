"""Several processes answer for the console: limits hold over all, who dies is replaced, and none is left behind."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx2
import psutil
import pytest
from governed_hub import GovernedHub
from serving import free_port
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cdm_pipelines.console.counting import SharedCounts
from cdm_pipelines.console.crowd import Crowd
from cdm_pipelines.console.errors import ConsoleError
from cdm_pipelines.console.problems import problem

WORKERS = 2


@pytest.fixture(scope="module")
def served(governed: GovernedHub) -> Iterator[tuple[str, psutil.Process]]:
    """`cdm serve` as a process."""
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "serve", "--local", "--workers", str(WORKERS)],
        env={**os.environ, **governed.settings.environment(), "CDM_CONSOLE_URL": url},
        stdout=subprocess.DEVNULL,
    )
    until(lambda: answers(url))
    yield url, psutil.Process(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/ready", timeout=10).status_code == 200
    except httpx2.HTTPError:
        return False


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for one in process.children():
        with suppress(psutil.NoSuchProcess):  # it ended since
            if one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def test_figures_are_of_all_workers(served: tuple[str, psutil.Process]) -> None:
    url, process = served
    assert len(workers_of(process)) == WORKERS + 1  # and the one that works through what is asked for
    for _ in range(30):  # each by a connection of its own, which any worker takes
        httpx2.get(f"{url}/health")
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    asked = [line for line in lines if line.startswith("cdm_requests_total{") and "/health" in line]
    assert sum(float(line.rpartition(" ")[2]) for line in asked) == 30
    memory = next(
        float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes ")
    )
    assert memory > process.memory_info().rss


def test_wrong_keys_lock_an_address_out_whichever_worker_they_reach(
    served: tuple[str, psutil.Process],
) -> None:
    url, _ = served
    headers = {"authorization": "Bearer cdm_wrong"}
    found = [httpx2.get(f"{url}/v1/search?q=x", headers=headers).status_code for _ in range(25)]
    assert found == [401] * 20 + [429] * 5


def test_a_worker_that_dies_is_replaced(served: tuple[str, psutil.Process]) -> None:
    url, process = served
    before = {one.pid for one in workers_of(process)}
    os.kill(max(before), signal.SIGKILL)
    until(lambda: len({one.pid for one in workers_of(process)} - before) == 1)
    assert all(httpx2.get(f"{url}/health", timeout=30).status_code == 200 for _ in range(20))


def test_no_process_is_left_when_the_watching_one_is_killed(served: tuple[str, psutil.Process]) -> None:
    _, process = served
    left = workers_of(process)
    process.kill()
    assert len(left) == WORKERS + 1
    assert psutil.wait_procs(left, 30)[1] == []


def _count(counts: SharedCounts) -> None:
    for _ in range(500):
        counts.incr("ann", 60)


def test_processes_count_together_and_to_the_last_one() -> None:
    counts = SharedCounts()
    forked = multiprocessing.get_context("fork")
    beside = [forked.Process(target=_count, args=(counts,)) for _ in range(3)]
    for one in beside:
        one.start()
    _count(counts)
    for one in beside:
        one.join()
    assert (counts.get("ann"), counts.get("bob")) == (2000, 0)


def test_a_window_ends() -> None:
    counts = SharedCounts()
    assert [counts.incr("ann", 0), counts.incr("ann", 60), counts.incr("ann", 60)] == [1, 1, 2]
    counts.clear("ann")
    assert counts.get("ann") == 0


def test_who_comes_when_too_many_wait_is_told_so_at_once() -> None:
    asyncio.run(_crowded())


async def _crowded() -> None:
    go = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await PlainTextResponse("well")(scope, receive, send)

    def refuse(_: Scope, error: ConsoleError) -> ASGIApp:
        return problem(error)

    app = Crowd(slow, refuse, most=3)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://console") as client:
        waiting = [asyncio.create_task(client.get("/v1/search")) for _ in range(3)]
        await asyncio.sleep(0.05)
        refused = await client.get("/v1/search")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        go.set()
        assert [(await one).status_code for one in waiting] == [200] * 3
        assert (await client.get("/v1/search")).status_code == 200
