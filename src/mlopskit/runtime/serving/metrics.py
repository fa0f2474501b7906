"""Counts and times of all processes of a server, in memory that they share, as Prometheus reads them."""

from __future__ import annotations

import bisect
import mmap
from collections.abc import Iterable, Iterator, Sequence

ROUTES = ("predict", "infer", "other")
STATUSES = (200, 202, 400, 401, 404, 405, 408, 413, 415, 422, 429, 431, 500, 503)
BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)

# Of each route: a count for each status, a count for each bucket and one for what is slower, and the seconds.
_ROUTE = len(STATUSES) + len(BUCKETS) + 2
_DROPPED = _ROUTE * len(ROUTES)
_SLOTS = _DROPPED + 1
_SIZE = 8


class Metrics:
    """The numbers of several processes. Each writes its own; whoever is asked adds all."""

    def __init__(self, processes: int) -> None:
        # Anonymous memory: what is forked from here shares it.
        self._all = memoryview(mmap.mmap(-1, max(processes, 1) * _SLOTS * _SIZE)).cast("d")
        self.take(0)

    def take(self, process: int, /) -> None:
        """Write the numbers of this process from now on."""
        self._own = self._all[process * _SLOTS : (process + 1) * _SLOTS]

    def note(self, route: int, status: int, seconds: float, /) -> None:
        """Count an answer, by the number of its route."""
        own, at = self._own, route * _ROUTE
        own[at + _PLACES.get(status, _OTHER)] += 1
        at += len(STATUSES)
        own[at + bisect.bisect_left(BUCKETS, seconds)] += 1
        own[at + len(BUCKETS) + 1] += seconds

    def drop(self, rows: int, /) -> None:
        """Count rows that the prediction log had no room for."""
        self._own[_DROPPED] += rows

    def text(self, models: Iterable[tuple[str, str, bool]], /, *, connections: int) -> str:
        """Return all as text; `models` are names, the digests that answer, and whether something is wrong."""
        sums = [sum(self._all[slot::_SLOTS]) for slot in range(_SLOTS)]
        dropped = f"mlopskit_log_dropped_total {sums[_DROPPED]:.0f}"
        lines = [*_requests(sums), *_models(models), *_gauge("connections", connections)]
        return "\n".join([*lines, "# TYPE mlopskit_log_dropped_total counter", dropped, ""])


_PLACES = {status: place for place, status in enumerate(STATUSES)}
_OTHER = _PLACES[500]


def _requests(sums: Sequence[float]) -> Iterator[str]:
    yield "# TYPE mlopskit_requests_total counter"
    for number, route in enumerate(ROUTES):
        for place, status in enumerate(STATUSES):
            if count := sums[number * _ROUTE + place]:
                yield f'mlopskit_requests_total{{route="{route}",status="{status}"}} {count:.0f}'
    yield "# TYPE mlopskit_request_seconds histogram"
    for number, route in enumerate(ROUTES):
        at, below = number * _ROUTE + len(STATUSES), 0.0
        for place, bound in enumerate((*BUCKETS, "+Inf")):
            below += sums[at + place]
            yield f'mlopskit_request_seconds_bucket{{route="{route}",le="{bound}"}} {below:.0f}'
        yield f'mlopskit_request_seconds_sum{{route="{route}"}} {sums[at + len(BUCKETS) + 1]:.9g}'
        yield f'mlopskit_request_seconds_count{{route="{route}"}} {below:.0f}'


def _models(models: Iterable[tuple[str, str, bool]]) -> Iterator[str]:
    yield "# TYPE mlopskit_model gauge"
    for name, digest, faulty in models:
        # Names and digests are of forms that need no escaping.
        yield f'mlopskit_model{{name="{name}",digest="{digest}"}} {0 if digest == "none" else 1}'
        yield f'mlopskit_model_fault{{name="{name}"}} {int(faulty)}'


def _gauge(name: str, value: float) -> Iterator[str]:
    yield f"# TYPE mlopskit_{name} gauge"
    yield f"mlopskit_{name} {value:g}"
