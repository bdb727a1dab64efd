"""The lineage of a crystal as a graph: boxes and arrows with their places on the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.pages.graph_layout import Layout, arrange, reduce_edges

if TYPE_CHECKING:
    from stores.queries.lineage import LineageNode

WIDTH, HEIGHT, APART, BETWEEN = 218, 92, 22, 58
"""Of a box, and the room beside and below it (px)."""
EDGE, TOP = 4, 34
"""Room around the graph, and above it for the task of the first box (px)."""
MOST = 4
"""Nodes of one kind that are drawn above another; the list has all."""
AFTER = {
    "symmetry": "candidate", "phonon": "structure", "hull": "structure", "calculation": "structure",
}  # fmt: skip
"""What is made of which other parent of the same document."""
TITLES = {
    "material": "Crystal", "candidate": "Candidate", "sample": "Sample", "phonon": "Phonons",
    "symmetry": "Predicted symmetry", "hull": "Convex hull", "calculation": "DFT calculation",
    "generated": "Generated structure", "relaxed": "Relaxed structure", "dft": "DFT structure",
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """One document.

    Attributes
    ----------
    title, formula
        What it is, and of what where that is its own.
    identifier, address
        Its key, and where it is shown.
    facts
        The most important ones, in a few words.
    maker
        Model or engine that made it.
    model
        Name of that model, if it has a page.
    when
        Date (UTC).
    task, task_address
        The task that made it, and where that is shown.
    campaign_id
        Campaign of a candidate.
    x, y
        Its upper left corner (px).
    """

    title: str
    formula: str | None
    identifier: str
    address: str | None
    facts: str
    maker: str | None
    model: str | None
    when: Any
    task: str | None
    task_address: str | None
    campaign_id: str | None
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """Boxes in the order of their making, and the arrows between them as SVG paths.

    Attributes
    ----------
    boxes, arrows
        To be drawn.
    width, height
        Of the whole (px).
    """

    boxes: list[Box]
    arrows: list[str]
    width: int
    height: int
    box_width: int = WIDTH
    box_height: int = HEIGHT


def lineage_graph(root: LineageNode, models: list[str]) -> Graph:
    """Draw the lineage of a crystal; documents that several others were made from come once.

    Parameters
    ----------
    root
        The crystal with its parents.
    models
        Names of models that have a page.
    """
    nodes: dict[str, LineageNode] = {}
    edges: list[tuple[str, str]] = []
    _collect(root, nodes, edges)
    edges = reduce_edges(edges + _skipped(nodes, edges))
    layout = arrange(nodes, edges)
    material = root.identifier
    boxes = [
        _box(nodes[key], material, models, *_corner(x, layer))
        for key, (x, layer) in sorted(layout.places.items(), key=lambda item: item[1][::-1])
    ]
    return Graph(
        boxes,
        [_arrow(layout, edge) for edge in edges],
        round(layout.width * (WIDTH + APART) + WIDTH + 2 * EDGE),
        layout.height * (HEIGHT + BETWEEN) - BETWEEN + TOP + EDGE,
    )


def _key(node: LineageNode) -> str:
    return f"{node.kind} {node.identifier}"


def _collect(
    node: LineageNode, nodes: dict[str, LineageNode], edges: list[tuple[str, str]]
) -> None:
    """Gather documents and what was made of what."""
    if _key(node) in nodes:
        return
    nodes[_key(node)] = node
    parents = _shown(node)
    for parent in parents:
        edges.append((_key(parent), _key(node)))
        edges.extend(
            (_key(other), _key(parent))
            for other in parents
            if other.kind == AFTER.get(parent.kind)
            and (parent.kind != "phonon" or other.identifier == parent.identifier)
        )
        _collect(parent, nodes, edges)


def _shown(node: LineageNode) -> list[LineageNode]:
    """Keep the first parents of each kind; one more node says how many there are beside them."""
    from stores.queries.lineage import LineageNode

    shown: list[LineageNode] = []
    for kind in dict.fromkeys(parent.kind for parent in node.parents):
        same = [parent for parent in node.parents if parent.kind == kind]
        few = same if len(same) <= MOST + 1 else same[:MOST]
        shown += few
        if len(same) > len(few):
            more = {"more": len(same) - len(few)}
            shown.append(LineageNode(kind, f"more of {_key(node)}", more))
    return shown


def _skipped(nodes: dict[str, LineageNode], edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Let calculations for phonons start from the structure, too."""
    roots = nodes.keys() - {target for _, target in edges}
    return [
        (structure, source)
        for source, target in edges
        if source in roots and nodes[source].kind == "calculation"
        for structure, other in edges
        if other == target and nodes[structure].kind == "structure"
    ]


def _corner(x: float, layer: int) -> tuple[float, float]:
    return EDGE + x * (WIDTH + APART), TOP + layer * (HEIGHT + BETWEEN)


def _arrow(layout: Layout, edge: tuple[str, str]) -> str:
    """Lead from the lower edge of one box to the upper edge of another, as curves."""
    points = [_corner(*point) for point in layout.routes[edge]]
    (x, y), *rest = [(x + WIDTH / 2, y) for x, y in points]
    path = f"M{x:.0f},{y + HEIGHT:.0f}"
    for to, top in rest:
        start, end = y + HEIGHT, top
        bend = (end - start) * 0.6
        path += f"C{x:.0f},{start + bend:.0f} {to:.0f},{end - bend:.0f} {to:.0f},{end - 5:.0f}"
        x, y = to, top
        if (to, top) != rest[-1]:
            path += f"V{top + HEIGHT:.0f}"
    return path


def _box(node: LineageNode, material: str, models: list[str], x: float, y: float) -> Box:
    facts = node.facts
    if "more" in facts:
        words = {"structure": "structures", "calculation": "calculations"}
        title = f"{facts['more']} more {words.get(node.kind, node.kind + 's')}"
        return Box(title, None, "see the list", "#lineage-list", "", *(None,) * 6, x=x, y=y)
    maker = facts.get("checkpoint") or facts.get("generator") or facts.get("energy_model")
    name = maker.split()[0] if maker else None
    made_by = facts.get("made_by")
    task = (
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", made_by.rpartition(".")[2]).lower() if made_by else None
    )
    return Box(
        title=TITLES[facts["stage"] if node.kind == "structure" else node.kind],
        formula=facts.get("formula_pretty")
        or (facts["formula"] if node.kind == "candidate" else None),
        identifier=node.identifier,
        address=_address(node, material),
        facts=_words(node),
        maker=name or facts.get("engine") or facts.get("energy_source"),
        model=name if name in models else None,
        when=facts.get("when") or facts.get("completed"),
        task=task.removesuffix(" maker") if task else _untold(node),
        task_address=f"/api/v1/tasks/{facts['task_key']}" if facts.get("task_key") else None,
        campaign_id=facts.get("campaign_id"),
        x=x,
        y=y,
    )


def _untold(node: LineageNode) -> str | None:
    """Name what makes documents that no task of the ledger made."""
    return {"material": "materials builder", "calculation": "calculation"}.get(node.kind)


def _address(node: LineageNode, material: str) -> str | None:
    """Say where a document is shown; a calculation is part of the document that it made."""
    addresses = {
        "material": f"/api/v1/materials/{material}",
        "phonon": "#phonons",
        "hull": f"/api/v1/hulls/{node.identifier}",
        "calculation": None,
    }
    return addresses.get(node.kind, f"/api/v1/documents/{node.identifier}")


def _words(node: LineageNode) -> str:
    """Tell the most important of a document."""
    from dashboard.pages.filters import number

    facts = node.facts
    energy = facts.get("energy_per_atom")
    match node.kind:
        case "sample":
            parts = [facts["method"], f"composition {facts['sample'] + 1:,}"]
        case "candidate":
            rank = facts["rank"]
            parts = [f"rank {rank} of its campaign" if rank else "no rank"]
        case "symmetry":
            parts = facts["space_groups"]
        case "structure":
            origins = facts["origins"] if facts["stage"] == "generated" else []
            ranks: dict[str, int] = {}
            for origin in origins:
                ranks.setdefault(origin["method"], origin["rank"])
            parts = [facts["space_group"], *(f"{name} rank {n}" for name, n in ranks.items())]
            parts += [f"{number(energy)} eV/atom"] if energy is not None else []
        case "phonon":
            lowest = facts["min_frequency"]
            parts = [facts["verdict"].replace("_", " ")]
            parts += [f"lowest {number(lowest, 2)} THz"] if lowest is not None else []
        case "hull":
            parts = [
                facts["chemsys"],
                f"{facts['n_entries']} entries",
                f"version {facts['version']}",
            ]
        case "calculation":
            parts = [facts["name"], facts["run_type"], f"{number(energy)} eV/atom"]
        case _:
            above = number(facts["energy_above_hull"] * 1000, 0)
            parts = [f"{above} meV/atom above the hull"]
    return ", ".join(part for part in parts if part)
