"""What a campaign found stays what it found; an element without reference costs its items only."""

import pytest
import yaml

from dashboard.report import write_report
from flows.campaign import CampaignMaker
from flows.imports import import_structures
from flows.launch import run_campaign
from makers.fields import build_maker
from screening.prototypes.bank import Bank
from screening.readers.files import ReadStructure
from screening.schemas import CampaignDoc, HullDoc, MaterialDoc
from stores.queries.documents import campaign_funnel
from stores.queries.record import campaign_crystals, own_hulls, reasons_without_hull
from stores.record import recorded_materials

TEMPLATE = """
name: {name}
until: hull
engine: emt
generation: {{method: formulas, formulas: [{formulas}], max_atoms: 8}}
validity: {{enforce: false}}
hull: {{max_above_hull: 5.0}}
structure: {{methods: {{{methods}}}, energies: false, max_atoms: 8}}
"""


def campaign(name, formulas, methods="prototypes: 2"):
    text = TEMPLATE.format(name=name, formulas=formulas, methods=methods)
    return build_maker(CampaignMaker, yaml.safe_load(text))


def record(database, document):
    rows = [material.model_dump() for material in recorded_materials(database, document)]
    for row in rows:
        row.pop("last_updated")
    return rows


@pytest.fixture
def report(database, tmp_path):
    def write(document):
        page, files = write_report(database, document, tmp_path / "report", top=0)
        lines = page.read_text().splitlines()
        crystals = [line for line in lines if "mat-" in line or "hull-" in line]
        return crystals, sorted(path.read_text() for path in files)

    return write


def test_later_runs_change_no_record_and_a_rerun_no_count(database, report):
    first = run_campaign(campaign("first", "Cu3Pt, CuPt", "random: 1"))
    before, page = record(database, first), report(first)
    funnel = campaign_funnel(database, first.campaign_id)
    assert before
    assert funnel["hull"].n_in >= funnel["relax"].n_out  # a relaxation may leave several crystals

    second = run_campaign(campaign("second", "Cu3Pt, CuPt"))
    copper = Bank.load("prototypes").known_phases(["Cu", "Pt"])
    import_structures(database, [ReadStructure(str(n), one) for n, one in enumerate(copper)], "x")
    assert record(database, first) == before
    assert report(first) == page
    assert campaign_funnel(database, first.campaign_id) == funnel
    for row in database.find(MaterialDoc):
        assert set(row.campaign_ids) <= {first.campaign_id, second.campaign_id}
    own = {row["structure_id"] for row in campaign_crystals(database, first.campaign_id)}
    assert own
    assert not own & {
        row["structure_id"] for row in campaign_crystals(database, second.campaign_id)
    }

    again = run_campaign(campaign("first", "Cu3Pt, CuPt", "random: 1"))
    assert own_hulls(database, first.campaign_id) == own_hulls(database, second.campaign_id)
    counts = campaign_funnel(database, again.campaign_id)
    assert counts["hull"].n_in == funnel["hull"].n_in
    assert {name: counts[name] for name in ("structure", "relax")} == {
        name: funnel[name] for name in ("structure", "relax")
    }


def test_an_element_without_reference_costs_its_own_items_only(database):
    document = run_campaign(campaign("mixed", "CuPt, CuAm", "random: 1"))
    (hull,) = database.find(HullDoc)
    assert hull.chemsys == "Cu-Pt"
    (reason,) = reasons_without_hull(database, document.campaign_id)
    assert reason.startswith("no hull")
    assert "no energy of Am" in reason
    formulas = {row["formula_pretty"] for row in campaign_crystals(database, document.campaign_id)}
    assert formulas == {"CuPt"}
    assert database.get(CampaignDoc, document.campaign_id).state == "finished"


def test_crystals_far_above_the_hull_have_their_distance(database):
    document = run_campaign(campaign("far", "CuPt", "random: 2"))
    rows = campaign_crystals(database, document.campaign_id)
    energies = {
        row["structure_id"]: row["relaxation"]["energy_per_atom"]
        for row in database.rows("structures", {"stage": "relaxed"})
    }
    (hull,) = database.find(HullDoc)
    for row in rows:
        (entry,) = [e for e in hull.entries if row["structure_id"] in e.members]
        higher = energies[row["structure_id"]] - entry.energy_per_atom
        assert row["energy_above_hull"] == pytest.approx(entry.energy_above_hull + higher)
