"""What Prometheus reads: requests and their seconds, and what the processes take, over all workers of a console.

Belongs here: counting requests, and the answer. Does not belong here: health (``app``).

Workers count in files of a folder of their own, which ``prometheus_client`` adds up; the folder has to be named before
the first request is counted (``share``). A worker that is started in the place of another goes on with its file.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import prometheus_client.values
import psutil
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.values import MultiProcessValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def share(folder: Path, number: int) -> None:
    """Have this process count in a file of a folder that others count in as well.

    Args:
        folder: Of all workers of a console.
        number: By which the file is named.
    """
    os.environ[_FOLDER] = str(folder)  # which is how the library is told
    prometheus_client.values.ValueClass = MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


class Metrics:
    """Counts of one process; made after ``share`` where there are several.

    Args:
        folder: In which all workers count; None where this process is alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        own = self.registry if folder is None else CollectorRegistry()
        labels = ("method", "path", "status")
        self._requests = Counter("cdm_requests", "Requests.", labels, registry=own)
        self._seconds = Histogram(
            "cdm_request_seconds",
            "Seconds of a request.",
            ("path",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=own,
        )
        PlatformCollector(registry=self.registry)
        if folder is None:
            ProcessCollector(registry=self.registry)
        else:
            MultiProcessCollector(self.registry, str(folder))  # type: ignore[no-untyped-call]
            self.registry.register(_Processes())

    async def answer(self, _: Request) -> Response:
        """What Prometheus reads."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request."""
        path = _declared(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)


class _Processes(Collector):
    """What ``ProcessCollector`` tells, summed over the process that watches the workers and all of its own."""

    def collect(self) -> Iterable[Metric]:
        """Once for each figure: sums, but of starts the first."""
        watching = os.getppid()
        pids = [watching]
        with suppress(psutil.Error):
            pids += [one.pid for one in psutil.Process(watching).children()]
        found: dict[str, Metric] = {}
        for pid in pids:
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                known = found.setdefault(metric.name, metric)
                if known is not metric:
                    add = min if metric.name.endswith("start_time_seconds") else sum
                    known.samples = [
                        Sample(one.name, one.labels, add((one.value, other.value)))
                        for one, other in zip(known.samples, metric.samples, strict=True)
                    ]
        return found.values()


class Measured:
    """Middleware that counts requests and their seconds, by path as it is declared: no id is in a metric."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self._metrics.count(scope, status, time.perf_counter() - began)


def _declared(scope: Scope) -> str:
    """The path as it is declared, such as ``/customers/{golden_id}``; ``other`` for one that there is not."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return f"{scope.get('root_path', '')}{path}" if path else "other"
