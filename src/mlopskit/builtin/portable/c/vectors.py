"""What each step on numbers does in C."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

from mlopskit.builtin.portable.c.names import number
from mlopskit.builtin.portable.c.source import Source, Step, begun
from mlopskit.builtin.portable.loader.values import Value

Emit = Callable[[Source, Step], None]


def texts_of(value: Value, /) -> list[int]:
    """Return the places of texts in a vector."""
    return [place for place, text in enumerate(value.texts) if text]


def _on_itself(part: str, *fields: str, refuses: bool = False) -> Emit:
    """Return what changes the elements themselves, by tables, or by single numbers."""

    def emit(s: Source, step: Step) -> None:
        begun(s, step)
        given = [step.fields[name] for name in fields]
        made = [s.doubles(one) if isinstance(one, list) else number(float(one)) for one in given]
        s.do(f"{part}({', '.join([step.y, *made])})", may_refuse=refuses)

    return emit


def _from_other(part: str) -> Emit:
    def emit(s: Source, step: Step) -> None:
        s.do(f"{part}({step.y}, {step.x})")

    return emit


def _take(s: Source, step: Step) -> None:
    indexes, part = step.fields["indexes"], "take_few" if step.value.sparse else "take"
    s.do(f"{part}({step.y}, {step.x}, {s.integers(indexes)})")
    for place in texts_of(step.value):
        s.do(f"w->t{step.number}[{place}] = w->t{step.sources[0]}[{indexes[place]}]")


def _concat(s: Source, step: Step) -> None:
    if step.value.sparse:
        s.do(f"clear({step.y})")
    part, start = "join_few" if step.value.sparse else "join", 0
    for source, value in zip(step.sources, step.given, strict=True):
        if value.width:
            s.do(f"{part}({step.y}, {start}, s{source})")
        for place in texts_of(value):
            s.do(f"w->t{step.number}[{start + place}] = w->t{source}[{place}]")
        start += value.width


def _sum(s: Source, step: Step) -> None:
    begun(s, step)
    for source in step.sources[1:]:
        s.do(f"add_to({step.y}, s{source})")


def _normalize(s: Source, step: Step) -> None:
    _on_itself(f"normalize_{step.fields['norm']}", "least")(s, step)


def _linear(s: Source, step: Step) -> None:
    weights = s.doubles(itertools.chain(*step.fields["weights"]))
    s.do(f"linear({step.y}, {step.x}, {weights}, {s.doubles(step.fields['bias'])})")


def _constant(s: Source, step: Step) -> None:
    s.do(f"constant({step.y}, {s.doubles(step.fields['values'])})")


def _fill(s: Source, step: Step) -> None:
    values, missing = step.fields["values"], step.fields["missing"]
    texts = texts_of(step.value)
    begun(s, step)
    if len(texts) < step.value.width and not isinstance(missing, str):
        table = s.doubles(0.0 if isinstance(one, str) else math.nan if one is None else one for one in values)
        s.do(f"fill_missing({step.y}, {table})" if missing is None else f"fill_equal({step.y}, {table}, {_n(missing)})")
    for place in texts:
        here, there = f"w->t{step.number}[{place}]", f"w->t{step.sources[0]}[{place}]"
        if not step.in_place:
            s.do(f"{here} = {there}")
        test = _is_missing_text(s, there, missing)
        if test:
            s.do(f"if ({test})\n        {here} = {s.struct('text', [s.text(values[place])[1:-1]])}")


def _is_missing_text(s: Source, cell: str, missing: object) -> str:
    """Return the condition that a text is missing; nothing if it never is."""
    if missing is None:
        return f"!{cell}.data"
    if not isinstance(missing, str):
        return ""
    s.need("same_text")
    return f"same_text({cell}, {s.struct('text', [s.text(missing)[1:-1]])})"


def _n(value: float) -> str:
    return number(float(value))


def _missing(s: Source, step: Step) -> None:
    indexes, missing, table = step.fields["indexes"], step.fields["missing"], s.integers(step.fields["indexes"])
    if missing is None or isinstance(missing, str):
        s.do(f"is_missing({step.y}, {step.x}, {table})")
    else:
        s.do(f"is_equal({step.y}, {step.x}, {table}, {_n(missing)})")
    texts = {*texts_of(step.given[0])}
    for place, index in enumerate(indexes):
        if index in texts:
            test = _is_missing_text(s, f"w->t{step.sources[0]}[{index}]", missing) or "0"
            s.do(f"{step.y}.v[{place}] = {test}")
        elif isinstance(missing, str):
            s.do(f"{step.y}.v[{place}] = 0")


def _apply(s: Source, step: Step) -> None:
    _on_itself(f"apply_{step.fields['function']}")(s, step)


def _shares(s: Source, step: Step) -> None:
    begun(s, step)
    width = max(step.value.width, 1)
    otherwise = {"equal": 1.0 / width, "none": 0.0, "missing": math.nan}[step.fields["zero"]]
    s.do(f"shares({step.y}, {_n(otherwise)})")


def _argmax(s: Source, step: Step) -> None:
    s.do(f"argmax({step.y}, {step.x}, {s.integers([*step.fields['starts'], step.given[0].width])})")


def _above(s: Source, step: Step) -> None:
    _on_itself("reaches" if step.fields["equal"] else "above", "threshold")(s, step)


def _reduce(s: Source, step: Step) -> None:
    _from_other(f"reduce_{step.fields['how']}")(s, step)


def _votes(s: Source, step: Step) -> None:
    s.do(f"votes({step.y}, {step.x}, {s.doubles(step.fields['weights'])})")


def _median(s: Source, step: Step) -> None:
    room = [s.keep("double", f"m{step.number}_{k}", step.given[0].width) for k in range(2)]
    s.do(f"median({step.y}, {step.x}, {s.doubles(step.fields['weights'])}, {', '.join(room)})")


def starts_of(tables: Sequence[Sequence[object]], /) -> list[int]:
    """Return where each of some tables begins if they stand one behind the other, and where the last ends."""
    return [0, *itertools.accumulate(map(len, tables))]


def _quotient(s: Source, step: Step) -> None:
    s.do(f"quotient({step.y}, {step.x}, s{step.sources[1]})")


def _products(s: Source, step: Step) -> None:
    factors = step.fields["factors"]
    s.do(f"products({step.y}, {step.x}, {s.integers(starts_of(factors))}, {s.integers(itertools.chain(*factors))})")


def _bins(s: Source, step: Step) -> None:
    edges = step.fields["edges"]
    begun(s, step)
    s.do(f"bins({step.y}, {s.integers(starts_of(edges))}, {s.doubles(itertools.chain(*edges))})")


def _interpolate(s: Source, step: Step) -> None:
    at, values = step.fields["at"], step.fields["values"]
    begun(s, step)
    outside = ["nearest", "missing", "refuse"].index(step.fields["outside"])
    tables = [s.integers(starts_of(at)), s.doubles(itertools.chain(*at)), s.doubles(itertools.chain(*values))]
    s.do(f"interpolate({step.y}, {', '.join(tables)}, {outside})", may_refuse=True)


def _kernel(s: Source, step: Step) -> None:
    kind, f = step.fields["kind"], step.fields
    gamma, offset = _n(f["gamma"]), _n(f["offset"])
    more = {"distance": [], "rbf": [gamma], "sigmoid": [gamma, offset], "polynomial": [gamma, offset, str(f["degree"])]}
    points = s.doubles(itertools.chain(*f["points"]))
    s.do(f"kernel_{kind}({', '.join([step.y, step.x, points, *more[kind]])})")


def _spline(s: Source, step: Step) -> None:
    knots = step.fields["knots"]
    tables = f"{s.integers(starts_of(knots))}, {s.doubles(itertools.chain(*knots))}"
    s.do(f"spline({step.y}, {step.x}, {tables}, {step.fields['degree']})")


def _nearest(s: Source, step: Step) -> None:
    f, n = step.fields, step.number
    part, many = "nearest_radius" if f["count"] is None else "nearest_count", len(f["points"])
    room = many if f["count"] is None else f["count"]
    cells = [step.y, step.x, s.doubles(itertools.chain(*f["points"])), s.doubles(itertools.chain(*f["values"]))]
    cells += [str(many), str(int(f["weights"] == "distance"))]
    cells += [s.keep("int32_t", f"n{n}_points", room), s.keep("double", f"n{n}_squares", room)]
    if f["count"] is not None:
        s.do(f"{part}({', '.join([*cells, str(f['count'])])})")
        return
    empty = f["empty"] and s.doubles(math.nan if one is None else one for one in f["empty"])
    cells += [_n(f["radius"]), empty or "NULL"]
    s.do(f"{part}({', '.join(cells)})", may_refuse=True)


# Steps that may take the place of their source, which nothing else reads.
IN_PLACE = frozenset({
    "sum", "add", "subtract", "multiply", "divide", "clip", "finite", "float32", "normalize", "sublinear", "binarize",
    "fill", "apply", "softmax", "posterior", "shares", "above", "bins", "interpolate", "yeo_johnson", "trees",
})  # fmt: skip
EMIT: Mapping[str, Emit] = {
    "take": _take,
    "concat": _concat,
    "sum": _sum,
    "add": _on_itself("add", "values"),
    "subtract": _on_itself("subtract", "values"),
    "multiply": _on_itself("multiply", "values"),
    "divide": _on_itself("divide", "values"),
    "clip": _on_itself("clip", "low", "high"),
    "finite": _on_itself("finite_only", "missing", refuses=True),
    "float32": _on_itself("float32"),
    "linear": _linear,
    "constant": _constant,
    "normalize": _normalize,
    "sublinear": _on_itself("sublinear"),
    "binarize": _on_itself("binarize", "threshold"),
    "fill": _fill,
    "missing": _missing,
    "apply": _apply,
    "softmax": _on_itself("softmax"),
    "posterior": _on_itself("posterior"),
    "shares": _shares,
    "complement": _from_other("complement"),
    "argmax": _argmax,
    "above": _above,
    "reduce": _reduce,
    "votes": _votes,
    "median": _median,
    "quotient": _quotient,
    "products": _products,
    "bins": _bins,
    "interpolate": _interpolate,
    "yeo_johnson": _on_itself("yeo_johnson", "lambdas"),
    "kernel": _kernel,
    "spline": _spline,
    "nearest": _nearest,
}
