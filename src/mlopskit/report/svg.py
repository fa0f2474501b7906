"""Plots as SVG: text that needs no script, is read by screen readers, and takes its colours from the page."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from mlopskit.evidence import Matrix, Plot, Series
from mlopskit.tables import plain

WIDTH, HEIGHT = 340, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 42
_TICKS = 5
_NEXT = 1e-9
_LONGEST = 500


def plot(made: Plot, /, *, id: str) -> str:
    """Return a plot as an SVG element with a title and a description; `id` is its own on the page."""
    axes = _Axes.of(made)
    parts = [axes.frame(made)]
    if made.diagonal:
        parts.append(axes.diagonal())
    for number, series in enumerate(made.series):
        parts.append(_DRAWN[made.kind](axes, series, f"s{number % 4}"))
    return _element(id, (made.title, _described(made)), (WIDTH, HEIGHT), "".join(parts))


def intervals(rows: Sequence[tuple[str, float | None, float, float | None]], /, *, title: str, id: str) -> str:
    """Return values with their bounds as dots and lines, one below the other; `rows`: name, lower, value, upper."""
    numbers = [number for _, *three in rows for number in three if number is not None and math.isfinite(number)]
    low, high = _padded(min(numbers, default=0.0), max(numbers, default=1.0))
    height, left = 22 * len(rows) + 34, 170
    scale = (WIDTH + 60 - left - 20) / (high - low)

    def at(number: float) -> float:
        return left + (number - low) * scale

    parts = []
    for number, (name, lower, value, upper) in enumerate(rows):
        y = 16 + 22 * number
        parts.append(_text(left - 8, y + 4, _cut(name, 22), anchor="end"))
        ends = [at(one) for one in (lower, upper) if one is not None and math.isfinite(one)]
        if len(ends) == len((lower, upper)):
            parts.append(f'<line class="s0" x1="{ends[0]:.1f}" y1="{y}" x2="{ends[1]:.1f}" y2="{y}"/>')
        if math.isfinite(value):
            parts.append(f'<circle class="s0" cx="{at(value):.1f}" cy="{y}" r="4"/>')
    bottom = height - 24
    parts.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{WIDTH + 40}" y2="{bottom}"/>')
    parts += [_text(at(tick), height - 8, f"{tick:.3g}") for tick in _ticks(low, high)]
    said = "; ".join(f"{_cut(name, _LONGEST)}: {plain(value)}" for name, _, value, _ in rows)
    return _element(id, (title, said), (WIDTH + 60, height), "".join(parts))


def matrix(made: Matrix, /) -> str:
    """Return counts as an HTML table of shaded cells: darker where more of a label's rows are."""
    head = "".join(f'<th scope="col">{named(label)}</th>' for label in made.labels)
    lines = []
    for label, counts in zip(made.labels, made.counts, strict=True):
        total = sum(counts) or 1
        cells = "".join(f'<td class="n heat{math.ceil(8 * count / total)}">{count:,}</td>' for count in counts)
        lines.append(f'<tr><th scope="row">{named(label)}</th>{cells}</tr>')
    caption = f"<caption>{bidi(made.title)}: labels down, predictions across</caption>"
    return f"<table>{caption}<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def bidi(text: object, /) -> str:
    """Return a text of data as HTML: printable, escaped, and apart from the direction of what stands around it."""
    return f"<bdi>{html.escape(_cut(plain(str(text)), _LONGEST))}</bdi>"


def named(text: object, /) -> str:
    """Return a name of data as HTML, as `bidi` does; one that shows nothing is called so, for who listens to a page."""
    return bidi(text if plain(str(text)).strip() else "(no name)")


class _Axes:
    """The two axes of a plot, and where a point lies on them."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y

    @classmethod
    def of(cls, made: Plot) -> _Axes:
        points = [point for series in made.series for point in series.points if all(map(math.isfinite, point))]
        xs, ys = [point[0] for point in points] or [0.0, 1.0], [point[1] for point in points] or [0.0, 1.0]
        x, y = (min(xs), max(xs)), (min(ys), max(ys))
        if made.kind == "bars":
            half = (x[1] - x[0]) / max(2 * (len(xs) - 1), 2)
            return cls(_padded(x[0] - half, x[1] + half, pad=0.0), (min(y[0], 0.0), max(y[1], 1.0)))
        if made.diagonal:
            both = (min(x[0], y[0]), max(x[1], y[1]))
            x = y = (min(both[0], 0.0), max(both[1], 1.0)) if both[0] >= 0 and both[1] <= 1 else both
        elif x[0] >= 0 and x[1] <= 1 and y[0] >= 0 and y[1] <= 1:
            x = y = (0.0, 1.0)
        return cls(_padded(*x, pad=0.0), _padded(*y, pad=0.0))

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + (point[0] - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - _LEFT - _RIGHT)
        y = HEIGHT - _BOTTOM - (point[1] - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - _TOP - _BOTTOM)
        return round(x, 1), round(y, 1)

    def frame(self, made: Plot) -> str:
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
        for tick in _ticks(*self.x):
            x, _ = self.at((tick, self.y[0]))
            parts.append(_text(x, bottom + 16, f"{tick:.3g}"))
        for tick in _ticks(*self.y):
            _, y = self.at((self.x[0], tick))
            parts.append(f'<path class="grid" d="M{_LEFT} {y}H{right}"/>')
            parts.append(_text(_LEFT - 6, y + 4, f"{tick:.3g}", anchor="end"))
        middle = (_TOP + bottom) / 2
        parts.append(_text((_LEFT + right) / 2, HEIGHT - 6, made.x))
        parts.append(f'<g transform="rotate(-90 12 {middle})">{_text(12, middle, made.y)}</g>')
        return "".join(parts)

    def diagonal(self) -> str:
        (x1, y1), (x2, y2) = (self.at((end, end)) for end in (self.x[0], self.x[1]))
        return f'<line class="diagonal" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _line(axes: _Axes, series: Series, kind: str) -> str:
    points = " ".join(f"{x},{y}" for x, y in _places(axes, series))
    dots = "" if len(series.points) > 2 * _TICKS + 2 else _points(axes, series, kind)
    return f'<polyline class="{kind}" points="{points}"/>{dots}'


def _points(axes: _Axes, series: Series, kind: str) -> str:
    return "".join(f'<circle class="{kind}" cx="{x}" cy="{y}" r="3"/>' for x, y in _places(axes, series))


def _bars(axes: _Axes, series: Series, kind: str) -> str:
    bottom = HEIGHT - _BOTTOM
    wide = max((WIDTH - _LEFT - _RIGHT) / max(len(series.points), 1) - 1, 1)
    return "".join(
        f'<rect class="{kind}" x="{x - wide / 2:.1f}" y="{y}" width="{wide:.1f}" height="{bottom - y:.1f}"/>'
        for x, y in _places(axes, series)
    )


_DRAWN = {"line": _line, "points": _points, "bars": _bars}


def _places(axes: _Axes, series: Series) -> Iterable[tuple[float, float]]:
    return [axes.at((point[0], point[1])) for point in series.points if all(map(math.isfinite, point))]


def _described(made: Plot) -> str:
    points = [point for series in made.series for point in series.points]
    ends = [f"({plain(float(x))}, {plain(float(y))})" for x, y in (points[:1] + points[-1:])]
    return f"{made.y} over {made.x}, {len(points)} {made.kind}: {' to '.join(ends) or 'none'}. {made.note}".strip()


def _element(id: str, texts: tuple[str, str], size: tuple[int, int], inner: str) -> str:
    title, said = map(_escape, texts)
    names = f'<title id="{id}-title">{title}</title><desc id="{id}-desc">{said}</desc>'
    labels = f'aria-labelledby="{id}-title {id}-desc"'
    return f'<svg role="img" {labels} viewBox="0 0 {size[0]} {size[1]}" class="w{size[0]}">{names}{inner}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_escape(text)}</text>'


def _escape(text: str) -> str:
    return html.escape(plain(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _padded(low: float, high: float, *, pad: float = 0.05) -> tuple[float, float]:
    if high - low <= _NEXT * max(abs(low), abs(high)):  # as good as one number
        half = max(abs(low) / 2, 0.5)
        return low - half, low + half
    return low - pad * (high - low), high + pad * (high - low)


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers between two."""
    step = 10 ** math.floor(math.log10((high - low) / _TICKS))
    step *= next((more for more in (1, 2, 5, 10) if (high - low) / (step * more) <= _TICKS), 10)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]
