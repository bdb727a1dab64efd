"""The diagrams of a campaign hold the numbers of its funnel, and no others."""

from collections import Counter

import numpy as np
import pytest

from dashboard.api.flow import ELSEWHERE, ENTERED, LEFT_OUT, PASSED, funnel_flow, get_flow
from dashboard.api.models import CampaignFlow
from screening.schemas import FunnelStage, Stage
from stores.queries.documents import campaign_funnel
from stores.queries.outcomes import Fate, structure_fates


def flows(diagram):
    """What flows into and out of each node, by its name."""
    assert len({node.id for node in diagram.nodes}) == len(diagram.nodes)
    into, out = Counter(), Counter()
    for link in diagram.links:
        assert link.n > 0
        into[link.target] += link.n
        out[link.source] += link.n
    assert set(into) | set(out) == {node.id for node in diagram.nodes}
    return into, out


def balanced(diagram):
    """Nothing appears or vanishes between the first nodes and the last."""
    into, out = flows(diagram)
    for node in diagram.nodes:
        assert into[node.id] in {0, node.n}
        assert out[node.id] in {0, node.n}
        assert node.kind != "start" or not into[node.id]
        assert node.kind != "stopped" or not out[node.id]


def test_a_flow_chains_the_stages_of_a_unit():
    funnel = {
        "generation": FunnelStage(n_in=900, n_out=700, reasons={"duplicate or outside": 200}),
        "validity": FunnelStage(n_in=700, n_out=300, reasons={"not_neutral": 350, "pauling": 50}),
        "energy": FunnelStage(n_in=300, n_out=20, reasons={"not among the best": 280}),
        "structure": FunnelStage(n_in=20, n_out=18, reasons={"no structure": 2}),
        "relax": FunnelStage(
            n_in=150, n_out=146, n_failed=4, unit="structures", reasons={"failed": 1, "exploded": 1}
        ),
    }
    diagram = funnel_flow(funnel, "compositions")
    balanced(diagram)
    names = {node.label: node.n for node in diagram.nodes}
    assert names == {
        "drawn": 900, "generated": 700, "duplicate or outside": 200, "valid": 300,
        "not neutral": 350, "pauling": 50, "chosen": 20, "not among the best": 280,
        "with structures": 18, "no structure": 2,
    }  # fmt: skip
    assert ("drawn", "generated", 700) in [(e.source, e.target, e.n) for e in diagram.links]
    assert {n.label: n.n for n in funnel_flow(funnel, "structures").nodes} == {
        "proposed": 150, "relaxed": 146, "failed": 3, "exploded": 1,
    }  # fmt: skip


def test_a_stage_that_takes_more_or_less_than_was_given_says_so():
    funnel = {
        "relax": FunnelStage(n_in=150, n_out=150, unit="structures"),
        "hull": FunnelStage(n_in=180, n_out=12, unit="structures", reasons={"duplicate": 168}),
        "phonon": FunnelStage(n_in=5, n_out=3, unit="structures", reasons={"unstable": 2}),
        "validation": FunnelStage(n_in=9, n_out=9, unit="structures"),
    }
    diagram = funnel_flow(funnel, "structures")
    balanced(diagram)
    names = {node.label: (node.n, node.kind) for node in diagram.nodes}
    assert names[ELSEWHERE[Stage.HULL]] == (30, "start")
    assert names[ENTERED[Stage.HULL]] == (180, "kept")
    assert names[LEFT_OUT[Stage.PHONON]] == (7, "stopped")
    assert names[ENTERED[Stage.PHONON]] == (5, "kept")
    assert names["dynamically stable"] == (3, "good")
    assert "validated" not in names


def test_reasons_of_what_went_on_are_not_drawn():
    judged = FunnelStage(n_in=50, n_out=50, reasons={"not_neutral": 30})
    names = {node.label for node in funnel_flow({"validity": judged}, "compositions").nodes}
    assert names == {"into validity", "valid"}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_numbers_nothing_is_lost(seed):
    rng = np.random.default_rng(seed)
    funnel = {}
    for stage in PASSED:
        n_out, *stops = (int(n) for n in rng.integers(0, 40, 4))
        reasons = {f"reason_{i}": n for i, n in enumerate(stops)}
        unit = "structures" if stage in {Stage.RELAX, Stage.HULL, Stage.PHONON} else "compositions"
        funnel[stage.value] = FunnelStage(
            n_in=n_out + sum(stops), n_out=n_out, reasons=reasons, unit=unit
        )
    for unit in ("compositions", "structures"):
        diagram = funnel_flow(funnel, unit)
        balanced(diagram)
        numbers = {node.id: node.n for node in diagram.nodes}
        for name, stage in funnel.items():
            if stage.unit == unit:
                assert numbers.get(PASSED[name], 0) == stage.n_out
                for reason, n in stage.reasons.items():
                    assert numbers.get(f"{name}: {reason.replace('_', ' ')}", 0) == n


def test_nothing_yet_is_no_diagram():
    for unit in ("compositions", "structures"):
        assert funnel_flow({}, unit).nodes == []
        assert funnel_flow({"relax": FunnelStage(unit="structures")}, unit).nodes == []


def test_methods_lead_to_where_their_structures_ended(filled):
    fates = structure_fates(filled, "camp-a")
    assert fates.structures == {
        "prototypes": {Fate.STABLE: 2, Fate.NEAR: 1, Fate.ABOVE: 1},
        "prototypes + random": {Fate.FAILED: 1},
    }
    assert fates.crystals == {Fate.STABLE: 2, Fate.NEAR: 1}
    funnel = campaign_funnel(filled, "camp-a")
    flow = get_flow(filled, "alloys")
    balanced(flow.methods)
    assert sum(row.n for row in flow.fates) == funnel["relax"].n_in
    assert sum(row.ended["relaxation failed"] for row in flow.fates) == funnel["relax"].n_failed
    assert sum(flow.crystals.values()) == funnel["hull"].n_out


def test_the_flow_is_part_of_the_api(client):
    flow = CampaignFlow.model_validate(client.get("/api/v1/campaigns/camp-a/flow").json())
    for diagram in (flow.compositions, flow.structures, flow.methods):
        balanced(diagram)
    assert client.get("/api/v1/campaigns/nothing/flow").status_code == 404
    nothing = client.get("/api/v1/campaigns/camp-b/flow").json()
    assert nothing["methods"] == {"nodes": [], "links": []}
    assert nothing["fates"] == []
