"""The report: complete in itself, of any campaign in any state, with nothing of the user run."""

from html.parser import HTMLParser

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from dashboard.report import write_report
from screening.checkpoints import checkpoint_ref
from screening.hull import PhaseEntry, build_hull
from screening.schemas import (
    CampaignDoc,
    CampaignState,
    MaterialDoc,
    OriginDoc,
    PhononDoc,
    Provenance,
    SpaceGroupDoc,
    Stage,
    TaskRecord,
    utc_now,
)

EVIL = "</script><script>bad()</script><img src=x onerror=bad()>"


class Page(HTMLParser):
    """Collects what a browser would load or run, and the texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.handlers, self.texts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in {"script", "link", "img", "iframe", "object", "embed", "source"}:
            self.loads += [value for name, value in attrs if name in {"src", "href", "data"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        if self.cdata_elem is None:  # not inside a script or style
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def campaign(**fields):
    values = {"campaign_id": "camp-a", "name": "mine", "seed": 1, "config": {}} | fields
    return CampaignDoc(state=values.pop("state", CampaignState.FINISHED), **values)


def crystal(a=3.0):
    return Structure(Lattice.cubic(a), ["Cu", "Pd"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def hull(source="emt"):
    compositions = {"pure-cu": {"Cu": 1.0}, "pure-pd": {"Pd": 1.0}, "str-a": {"Cu": 1.0, "Pd": 1.0}}
    entries = [
        PhaseEntry(name, amounts, -1.0 if "pure" in name else -1.2, source)
        for name, amounts in compositions.items()
    ]
    return build_hull("Cu-Pd", entries, source)


def material(structure, document, **fields):
    symmetry = SpaceGroupDoc.from_structure(structure)
    values = {
        "material_id": "mat-a", "structure_id": "str-a", "campaign_ids": ["camp-a"],
        "candidate_ids": ["cand-a"], "formula_pretty": "CuPd", "formula_anonymous": "AB",
        "chemsys": "Cu-Pd", "elements": ["Cu", "Pd"], "nelements": 2, "nsites": len(structure),
        "volume": structure.volume, "density": float(structure.density), "symmetry": symmetry,
        "structure": structure.as_dict(), "energy_source": document.energy_source,
        "energy_per_atom": -1.2, "formation_energy_per_atom": -0.2, "energy_above_hull": 0.0,
        "is_stable": True, "hull_id": document.hull_id, "hull_created": document.created,
        "predicted_formation_energy_per_atom": -0.15, "method": "prototypes",
        "origins": [OriginDoc(method="prototypes", version="1", rank=1)],
    }  # fmt: skip
    return MaterialDoc(**values | fields)


@pytest.fixture
def report(database, tmp_path):
    """Write the report of some documents; returns the page and the CIF files."""

    def write(document, *others, **options):
        database.upsert([document, *others])
        path, files = write_report(database, document, tmp_path / "out", **options)
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert "bad()" not in page.handlers
        assert text.count("<script>bad()") == 0
        assert page.handlers == []
        assert page.loads == []
        assert "img" not in page.tags
        return page, files

    return write


@pytest.mark.parametrize("state", CampaignState)
def test_a_campaign_without_anything(report, state):
    page, files = report(campaign(state=state))
    assert files == []
    assert "mine" in page.text
    assert ("The campaign is not finished" in page.text) == (state != CampaignState.FINISHED)
    assert ("No crystal came near the hull" in page.text) == (state == CampaignState.FINISHED)


def test_an_interrupted_campaign_shows_what_there_is(report):
    counts = {"n_in": 7, "n_out": 5, "n_failed": 0, "reasons": {"charge": 2}}
    task = TaskRecord(
        task_key="t",
        stage=Stage.VALIDITY,
        state="finished",
        campaign_ids=["camp-a"],
        summary={**counts, "counted": True, "unit": "compositions"},
    )
    failed = campaign(state=CampaignState.FAILED, error="no composition survived <b>it</b>")
    page, _ = report(failed, task)
    assert "validity" in page.text
    assert "charge 2" in page.text
    assert "Last error: no composition survived <b>it</b>" in page.text


def test_crystals_with_all_their_figures(report):
    document = hull()
    phonon = PhononDoc(
        structure_id="str-a", engine="emt", verdict="unstable", tolerance=0.1,
        marginal_tolerance=0.3, min_frequency=-1.5, displacement=0.01, nsites_supercell=54,
        supercell=[[3, 0, 0], [0, 3, 0], [0, 0, 3]],
        bands={
            "distances": np.array([0.0, 1.0]), "frequencies": np.array([[0.0], [-1.5]]),
            "qpoints": np.zeros((2, 3)), "ticks": [0.0, 1.0], "labels": ["GAMMA", "X"],
        },
    )  # fmt: skip
    first = material(crystal(), document, dynamic_stability="unstable")
    other = material(crystal(3.1), document, material_id="mat-b", energy_above_hull=0.02)
    page, files = report(campaign(), document, phonon, first, other)
    assert [path.name for path in files] == ["CuPd_mat-a.cif", "CuPd_mat-b.cif"]
    for path, expected in zip(files, (crystal(), crystal(3.1)), strict=True):
        assert Structure.from_file(path).matches(expected, scale=False)
    assert "lowest -1.50 THz" in page.text
    assert "All 2 crystals" in page.text
    assert "Pm-3m (221), cubic" in page.text
    assert document.hull_id in page.text
    assert "Predicted and computed formation energies" in page.text


def finished_with(checkpoint, key):
    provenance = Provenance(
        task_key=key, stage=Stage.ENERGY, stage_version=1, maker="x", parameters={},
        checkpoint=checkpoint, started=utc_now(),
    )  # fmt: skip
    return TaskRecord(
        task_key=key,
        stage=Stage.ENERGY,
        state="finished",
        campaign_ids=["camp-a"],
        summary={"counted": False},
        provenance=provenance,
    )


def test_models_are_drawn_from_their_cards(report):
    ref = checkpoint_ref("matgan")
    other = ref.model_copy(update={"name": "energy", "sha256": "0" * 64})  # trained again since
    gone = ref.model_copy(update={"name": "gone", "sha256": "1" * 64})
    tasks = [finished_with(each, f"t{i}") for i, each in enumerate((ref, other, gone))]
    page, _ = report(campaign(), *tasks)
    assert page.text.count("Elements of samples") == 1
    assert page.text.count("Training curves (matgan)") == 1
    assert "Formation energies of formulas" not in page.text
    assert all(sha[:16] in page.text for sha in (ref.sha256, "0" * 64, "1" * 64))


@pytest.mark.parametrize("top", [0, 1, 50])
def test_the_number_of_pictures(report, top):
    document = hull()
    found = [
        material(crystal(a), document, material_id=f"mat-{a}", formula_pretty=f"CuPd{a}")
        for a in (3, 4, 5)
    ]
    page, files = report(campaign(), document, *found, top=top)
    assert page.text.count("Conventional cell") == min(top, 3)
    assert len(files) == 3


def test_a_crystal_whose_symmetry_is_not_found(report):
    strange = Structure(Lattice.cubic(3), ["Cu", "Cu"], [[0, 0, 0], [1e-5] * 3])
    document = hull()
    found = material(strange, document)
    assert found.symmetry is None
    page, files = report(campaign(), document, found)
    assert "_cell_length_a   3.0" in files[0].read_text(encoding="utf-8")
    assert "Conventional cell" in page.text


def test_text_of_the_user_is_never_run(report):
    document = hull(source=EVIL)
    origin = OriginDoc(method=EVIL, version="1", rank=1, template=EVIL)
    found = material(
        crystal(), document, origins=[origin], method=EVIL, dynamic_stability=EVIL, known=True,
        known_source=EVIL, decomposes_to={EVIL: 1.0}, is_stable=False,
    )  # fmt: skip
    page, _ = report(campaign(name=EVIL, error=EVIL, state=CampaignState.FAILED), document, found)
    assert page.text.count(EVIL) >= 6
