"""Table at the end of a campaign: the most probable compositions first, with the ground."""

from types import SimpleNamespace

import pytest

from cli import formatting, summary
from flows.campaign import CampaignMaker
from screening.schemas.stability import BY_DFT, BY_PROBABILITY


def crystal(formula, distance):
    return {
        "material_id": f"mat-{formula}", "formula_pretty": formula, "nsites": 2,
        "formation_energy_per_atom": -1.0, "energy_above_hull": distance, "known": None,
        "energy_source": "chgnet", "pressure": 0.0,
    }  # fmt: skip


def judged(p, verdict, ground=BY_PROBABILITY):
    return {
        "probability": {"on_hull": p}, "verdict": verdict, "verdict_by": ground,
        "reference": "compounds of 2026",
    }  # fmt: skip


@pytest.fixture
def lines(monkeypatch, capsys):
    def run(crystals, stabilities):
        monkeypatch.setattr(formatting.console, "_width", 220)
        monkeypatch.setattr(summary, "campaign_crystals", lambda *_: crystals)
        monkeypatch.setattr(summary, "campaign_stabilities", lambda *_: stabilities)
        config = CampaignMaker(until="hull").config()
        document = SimpleNamespace(funnel={}, name="x", campaign_id="c", config=config)
        summary.print_campaign(None, document)
        return capsys.readouterr().out.splitlines()

    return run


def test_the_most_probable_come_first_and_a_hull_alone_does_not_decide(lines):
    crystals = [
        crystal("MnS4", 0.0),
        crystal("MnS", 0.02),
        crystal("Li2S", 0.0),
        crystal("Na", 0.0),
    ]
    stabilities = {
        "MnS4": judged(0.08, "unstable"),
        "MnS": judged(0.3, "stable", BY_DFT),
        "Li2S": judged(0.95, "stable"),
    }
    printed = lines(crystals, stabilities)
    formulas = [word for line in printed for word in line.split() if word in {*stabilities, "Na"}]
    assert formulas == ["Li2S", "MnS", "MnS4", "Na"]
    (row,) = [line for line in printed if "MnS4" in line.split()]
    assert "0.08" in row
    assert "likely unstable" in row
    assert any("hull of compounds of 2026" in line for line in printed)
    (known,) = [line for line in printed if "MnS" in line.split()]
    assert "stable in DFT" in known


def test_probabilities_do_not_stand_beside_enthalpies(lines):
    squeezed = [crystal("A", 0.0) | {"pressure": 10.0}]
    printed = lines(squeezed, {"A": judged(0.9, "stable")})
    assert not any("0.9" in line or "likely" in line for line in printed)


def test_without_probabilities_the_distance_orders(lines):
    printed = lines([crystal("B", 0.1), crystal("A", 0.0)], {})
    names = [word for line in printed for word in line.split() if word in {"A", "B"}]
    assert names == ["A", "B"]
    assert not any("P(on the hull)" in line for line in printed)
