"""A layered layout of small directed graphs: every arrow points down, few cross, none bend much.

The steps of Sugiyama, Tagawa and Toda (1981), doi:10.1109/TSMC.1981.4308636: layers by the longest
path, stand-ins where an arrow crosses a layer, an order by the mean of the neighbours, and then the
places next to the neighbours that the order allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Edge = tuple[str, str]
SWEEPS, PULLS = 6, 40
LOOSE = 1e-3
"""Weight of a node without arrows among others."""
BEND = 0.3
"""Width that an arrow needs where it crosses a layer, in widths of a node."""


@dataclass(frozen=True)
class Layout:
    """Where everything is, in units of a node's width and of a layer.

    Attributes
    ----------
    places
        Node -> (x, layer); the first layer is 0, the leftmost x is 0.
    routes
        Arrow -> the points that it goes through, its ends included.
    width, height
        Largest x, and number of layers.
    """

    places: dict[str, tuple[float, int]]
    routes: dict[Edge, list[tuple[float, int]]]
    width: float
    height: int


def arrange(nodes: Iterable[str], edges: Iterable[Edge]) -> Layout:
    """Lay a graph without cycles out.

    Parameters
    ----------
    nodes
        All nodes; the order says which of several equal layouts is chosen.
    edges
        Arrows from, to.
    """
    layer = _layers(list(nodes), edges := list(dict.fromkeys(edges)))
    chains: dict[Edge, list[str]] = {}
    for source, target in edges:
        between = range(layer[source] + 1, layer[target])
        inner = [f"{source}\0{target}\0{level}" for level in between]
        layer |= dict(zip(inner, between, strict=True))
        chains[source, target] = [source, *inner, target]
    rows = [[node for node in layer if layer[node] == level] for level in _levels(layer)]
    steps = [step for chain in chains.values() for step in pairwise(chain)]
    x = _place(rows, steps)
    least = min(x.values(), default=0.0)
    places = {node: (x[node] - least, layer[node]) for node in layer}
    return Layout(
        {node: place for node, place in places.items() if "\0" not in node},
        {edge: [places[node] for node in chain] for edge, chain in chains.items()},
        max((place[0] for place in places.values()), default=0.0),
        len(rows),
    )


def reduce_edges(edges: Iterable[Edge]) -> list[Edge]:
    """Leave out arrows whose ends a longer way of other arrows joins, too."""
    kept = list(dict.fromkeys(edges))
    below: dict[str, list[str]] = {}
    for source, target in kept:
        below.setdefault(source, []).append(target)

    def reaches(start: str, goal: str) -> bool:
        return start == goal or any(reaches(node, goal) for node in below.get(start, []))

    return [
        (source, target)
        for source, target in kept
        if not any(reaches(other, target) for other in below[source] if other != target)
    ]


def _levels(layer: dict[str, int]) -> range:
    return range(1 + max(layer.values(), default=-1))


def _layers(nodes: list[str], edges: list[Edge]) -> dict[str, int]:
    """Count layers from the top; each node is as far down as its arrows allow."""
    depth = dict.fromkeys(nodes, 0)  # longest way down from here
    for _ in nodes:
        for source, target in edges:
            depth[source] = max(depth[source], depth[target] + 1)
    most = max(depth.values(), default=0)
    return {node: most - depth[node] for node in nodes}


def _place(rows: list[list[str]], steps: list[Edge]) -> dict[str, float]:
    """Order each row by its neighbours' means, then move nodes to them."""
    above: dict[str, dict[str, float]] = {}
    below: dict[str, dict[str, float]] = {}
    for source, target in steps:
        below.setdefault(source, {})[target] = 1.0
        above.setdefault(target, {})[source] = 1.0
    x = _centred(rows)
    for sweep in range(SWEEPS):
        beside, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in order:
            wish = {node: _mean(x, beside.get(node, {}), x[node]) for node in row}
            row.sort(key=wish.__getitem__)
            x |= _spread(row, wish)
    x = _centred(rows)
    pulls: dict[str, dict[str, float]] = {node: {} for node in x}
    for source, target in steps:  # the only arrow of both its ends pulls most: it shall be straight
        pull = 1 / max(len(below[source]), len(above[target]))
        pulls[source][target] = pulls[target][source] = pull
    for _ in range(PULLS):
        for row in rows:
            wish = {node: _mean(x, pulls[node], x[node]) for node in row}
            x |= _spread(row, wish, {node: sum(pulls[node].values()) or LOOSE for node in row})
    return x


def _centred(rows: list[list[str]]) -> dict[str, float]:
    """Set the middle of every row above that of the next."""
    x: dict[str, float] = {}
    for row in rows:
        x |= _spread(row, dict.fromkeys(row, 0.0))
    return x


def _mean(x: dict[str, float], near: Mapping[str, float], otherwise: float) -> float:
    """Weigh the places of neighbours."""
    return fmean([x[node] for node in near], near.values()) if near else otherwise


def _spread(
    row: list[str], wish: Mapping[str, float], weight: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Move nodes as little as possible from where they wish to be so that none overlap.

    With the widths subtracted this is isotonic regression: neighbours that want to pass each other
    are pooled at their weighted mean.
    """
    starts, start = [], 0.0
    for i, node in enumerate(row):
        if i:
            start += (_room(row[i - 1]) + _room(node)) / 2
        starts.append(start)
    pools: list[tuple[float, float, int]] = []  # mean, weight, nodes
    for node, offset in zip(row, starts, strict=True):
        mean, mass, n = wish[node] - offset, weight[node] if weight else 1.0, 1
        while pools and pools[-1][0] > mean:
            other, more, m = pools.pop()
            mean, mass, n = (mean * mass + other * more) / (mass + more), mass + more, n + m
        pools.append((mean, mass, n))
    means = [mean for mean, _, n in pools for _ in range(n)]
    return {node: mean + start for node, mean, start in zip(row, means, starts, strict=True)}


def _room(node: str) -> float:
    return BEND if "\0" in node else 1.0
