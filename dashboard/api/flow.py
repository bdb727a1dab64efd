"""What flows where in a campaign: the numbers of the funnel as diagrams of nodes and links."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from dashboard.api.models import CampaignFlow, FlowDiagram, FlowLink, FlowNode, MethodFates
from screening.schemas import Stage, TaskState
from stores.queries.documents import campaign_funnel, find_campaign
from stores.queries.outcomes import Fate, structure_fates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.schemas import FunnelStage
    from stores import Database
    from stores.queries.outcomes import Fates

PASSED = {
    Stage.GENERATION: "generated",
    Stage.VALIDITY: "valid",
    Stage.ENERGY: "chosen",
    Stage.SYMMETRY: "with symmetry",
    Stage.STRUCTURE: "with structures",
    Stage.RELAX: "relaxed",
    Stage.HULL: "near the hull",
    Stage.PHONON: "dynamically stable",
}
"""What items are that a stage has let through; validation by DFT has candidates of its own."""
START = {Stage.GENERATION: "drawn", Stage.RELAX: "proposed"}
ENTERED = {Stage.HULL: "compared", Stage.PHONON: "with phonons"}
LEFT_OUT = {Stage.PHONON: "without phonons"}
ELSEWHERE = {Stage.HULL: "from the database"}
Kind = Literal["start", "kept", "stopped", "good"]
FATES: dict[Fate, Kind] = {Fate.FAILED: "stopped", Fate.ABOVE: "stopped", Fate.STABLE: "good"}


def get_flow(database: Database, name: str) -> CampaignFlow:
    """Tell what the stages of a campaign let through, and what became of each method's structures.

    Parameters
    ----------
    database
        The database; only read.
    name
        Identifier or name of the campaign.

    Raises
    ------
    InputError
        If there is none.
    """
    campaign_id = find_campaign(database, name).campaign_id
    ended = tuple(
        database.count("tasks", {"campaign_ids": campaign_id, "state": state.value})
        for state in (TaskState.FINISHED, TaskState.FAILED)
    )
    return _flow(database, campaign_id, (*ended, database.count("hulls")))


@lru_cache(maxsize=64)
def _flow(database: Database, campaign_id: str, state: tuple[int, ...]) -> CampaignFlow:  # noqa: ARG001 - part of the key
    """Follow all structures once, until a task ends or a hull is drawn."""
    funnel, fates = campaign_funnel(database, campaign_id), structure_fates(database, campaign_id)
    rows = _rows(fates)
    return CampaignFlow(
        compositions=funnel_flow(funnel, "compositions"),
        structures=funnel_flow(funnel, "structures"),
        methods=methods_flow(rows),
        fates=rows,
        crystals={fate.value: n for fate, n in fates.crystals.items()},
    )


def funnel_flow(funnel: Mapping[str, FunnelStage], unit: str) -> FlowDiagram:
    """Chain the stages that count the same: what each passed on enters the next, the rest stops.

    At every stage, what flows in is `n_in` and what flows on is `n_out`; where a stage takes other
    numbers than the one before gave, the difference is a flow of its own.

    Parameters
    ----------
    funnel
        Counts per stage, in order.
    unit
        ``compositions`` or ``structures``.
    """
    diagram = _Drawing()
    stages = [
        (Stage(name), stage)
        for name, stage in funnel.items()
        if stage.unit == unit and Stage(name) in PASSED and max(stage.n_in, stage.n_out)
    ]
    before: str | None = None
    for stage, counts in stages:
        n_in = max(counts.n_in, counts.n_out)
        source = diagram.enter(stage, before, n_in)
        last = stage is stages[-1][0] and stage in {Stage.HULL, Stage.PHONON}
        before = diagram.node(PASSED[stage], counts.n_out, "good" if last else "kept")
        diagram.link(source, before, counts.n_out)
        for reason, n in _stops(counts, n_in - counts.n_out).items():
            diagram.link(source, diagram.node(reason, n, "stopped", stage.value), n)
    return diagram.made()


def _stops(counts: FunnelStage, stopped: int) -> dict[str, int]:
    """Split what a stage did not pass on by reason; reasons of what went on are left out."""
    reasons = Counter({reason.replace("_", " "): n for reason, n in counts.reasons.items()})
    if reasons.total() > stopped:
        return {"stopped": stopped}
    reasons["failed"] += stopped - reasons.total()
    return reasons


def methods_flow(rows: list[MethodFates]) -> FlowDiagram:
    """Lead from the methods that proposed structures to where those ended."""
    diagram = _Drawing()
    for row in rows:
        diagram.node(row.method, row.n, "start")
    for fate in Fate:
        total = sum(row.ended.get(fate, 0) for row in rows)
        diagram.node(fate.value, total, FATES.get(fate, "kept"))
        for row in rows:
            diagram.link(row.method, fate.value, row.ended.get(fate, 0))
    return diagram.made()


def _rows(fates: Fates) -> list[MethodFates]:
    """Write every fate that a structure had, in every row."""
    there = [fate for fate in Fate if any(counts[fate] for counts in fates.structures.values())]
    return [
        MethodFates(
            method=method,
            n=counts.total(),
            ended={fate.value: counts[fate] for fate in there},
        )
        for method, counts in fates.structures.items()
    ]


class _Drawing:
    """Nodes and links as they are found; a node of nothing is not drawn, nor are links of it."""

    def __init__(self) -> None:
        self._nodes: dict[str, FlowNode] = {}
        self._links: list[FlowLink] = []

    def node(self, label: str, n: int, kind: Kind, stage: str = "") -> str:
        name = f"{stage}: {label}" if stage else label
        if n > 0:
            self._nodes[name] = FlowNode(id=name, label=label, n=n, kind=kind)
        return name

    def link(self, source: str, target: str, n: int) -> None:
        if n > 0:
            self._links.append(FlowLink(source=source, target=target, n=n))

    def enter(self, stage: Stage, before: str | None, n_in: int) -> str:
        """Lead what the stage before passed on into a stage; returns where its items are."""
        if before is None:
            return self.node(START.get(stage, f"into {stage.value}"), n_in, "start")
        given = self._nodes[before].n if before in self._nodes else 0
        if given == n_in:
            return before
        name = stage.value
        inside = self.node(ENTERED.get(stage, f"into {name}"), n_in, "kept")
        self.link(before, inside, min(given, n_in))
        if given > n_in:
            rest = LEFT_OUT.get(stage, "not taken further")
            self.link(before, self.node(rest, given - n_in, "stopped", name), given - n_in)
        else:
            other = ELSEWHERE.get(stage, "from elsewhere")
            self.link(self.node(other, n_in - given, "start", name), inside, n_in - given)
        return inside

    def made(self) -> FlowDiagram:
        return FlowDiagram(nodes=list(self._nodes.values()), links=self._links)
