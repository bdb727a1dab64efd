import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.hull import PhaseEntry, build_hull
from screening.schemas import (
    CampaignDoc,
    CandidateDoc,
    FormationEnergyDoc,
    GenerationDoc,
    MaterialDoc,
    OriginDoc,
    PhononDoc,
    RelaxationDoc,
    RelaxState,
    SpaceGroupDoc,
    Stage,
    StructureDoc,
    StructureStage,
    TaskRecord,
    ValidityDoc,
    ValidityReason,
)
from screening.schemas.base import CheckpointRef
from stores.optimade import build_optimade

ENGINE = "emt-1"
FORMULAS = {"CuPd": ("Cu", "Pd"), "AgPd": ("Ag", "Pd"), "AgCu": ("Ag", "Cu")}
REF = CheckpointRef(name="energy", version="1", sha256="0" * 64)


def cesium_chloride(first, second, a=3.0):
    return Structure(Lattice.cubic(a), [first, second], [[0, 0, 0], [0.5, 0.5, 0.5]])


def relaxed(structure, energy, parent=None, **fields):
    steps = np.linspace(1, 0, 6)
    return StructureDoc.from_structure(
        structure,
        stage=StructureStage.RELAXED,
        parent_id=parent,
        symmetry=SpaceGroupDoc.from_structure(structure),
        origins=[OriginDoc(method="prototypes", version="1", rank=1, template="CsCl")],
        relaxation=RelaxationDoc(
            engine=ENGINE, state=RelaxState.CONVERGED, energy=2 * energy, energy_per_atom=energy,
            fmax=0.01, steps=5,
            trajectory={
                "energy": 2 * energy + steps, "fmax": steps, "volume": structure.volume + steps,
                "step": np.array([0, 2, 5], dtype=np.int32),
                "positions": np.stack([structure.cart_coords * scale for scale in (1.1, 1.05, 1)]),
                "cell": np.stack([structure.lattice.matrix * scale for scale in (1.1, 1.05, 1)]),
            },
        ),
        **fields,
    )  # fmt: skip


def hull_of(first, second, entry_id, energy):
    entries = [
        PhaseEntry(f"pure-{first}", {first: 1.0}, -1.0, ENGINE),
        PhaseEntry(f"pure-{second}", {second: 1.0}, -1.0, ENGINE),
        PhaseEntry(entry_id, {first: 1.0, second: 1.0}, energy, ENGINE),
    ]
    return build_hull("-".join(sorted([first, second])), entries, ENGINE)


def phonon_of(structure_id, structure):
    return PhononDoc(
        structure_id=structure_id, engine=ENGINE, verdict="unstable", tolerance=0.1,
        marginal_tolerance=0.3, min_frequency=-1.5, displacement=0.01, nsites_supercell=54,
        supercell=[[3, 0, 0], [0, 3, 0], [0, 0, 3]], primitive=structure.as_dict(),
        force_constants=np.zeros((2, 54, 3, 3)),
        bands={
            "distances": np.array([0.0, 0.5, 1.0]), "qpoints": np.zeros((3, 3)),
            "frequencies": np.array([[0.0, 2.0], [-1.5, 3.0], [0.5, 4.0]]),
            "ticks": [0.0, 1.0], "labels": ["GAMMA", "X"],
        },
        dos={"frequencies": np.linspace(-2, 5, 20), "densities": np.ones(20)},
    )  # fmt: skip


def crystal(formula, a, energy, campaign_id="camp-a", **fields):
    """Documents of one crystal: candidate, structures, hull, material."""
    first, second = FORMULAS[formula]
    generated = StructureDoc.from_structure(
        cesium_chloride(first, second, a + 0.1), stage=StructureStage.GENERATED
    )
    structure = cesium_chloride(first, second, a)
    found = relaxed(structure, energy, generated.structure_id)
    hull = hull_of(first, second, found.structure_id, energy)
    entry = next(e for e in hull.entries if e.entry_id == found.structure_id)
    candidate = CandidateDoc(
        candidate_id=f"cand-{formula}-{campaign_id}", campaign_id=campaign_id, formula=formula,
        chemsys=hull.chemsys, elements=sorted([first, second]), nelements=2, natoms_formula=2,
        generation=GenerationDoc(method="enumeration", batch_id="bat-1", index=3),
        validity=ValidityDoc(
            valid=True, reason=ValidityReason.ALLOY, table="icsd", metallicity=1.0
        ),
        energy=FormationEnergyDoc(
            formation_energy_per_atom=-0.2, uncertainty=0.05, lower90=-0.3, upper90=-0.1, model=REF
        ),
        rank=1, stage=Stage.RELAX,
    )  # fmt: skip
    values = {
        "material_id": f"mat-{formula}{a}", "structure_id": found.structure_id,
        "found_as": [found.structure_id], "campaign_ids": [campaign_id],
        "candidate_ids": [candidate.candidate_id], "formula_pretty": formula,
        "formula_anonymous": "AB", "chemsys": hull.chemsys, "elements": sorted([first, second]),
        "nelements": 2, "nsites": 2, "volume": structure.volume,
        "density": float(structure.density), "symmetry": found.symmetry,
        "structure": structure.as_dict(), "energy_source": ENGINE, "energy_per_atom": energy,
        "formation_energy_per_atom": entry.formation_energy_per_atom,
        "energy_above_hull": entry.energy_above_hull,
        "is_stable": entry.energy_above_hull < 1e-6, "hull_id": hull.hull_id,
        "hull_created": hull.created, "known": False,
        "predicted_formation_energy_per_atom": -0.2, "method": "prototypes #1",
        "origins": found.origins,
    }  # fmt: skip
    return [candidate, generated, found, hull, MaterialDoc(**values | fields)]


def campaign(**fields):
    values = {"campaign_id": "camp-a", "name": "alloys", "seed": 1, "config": {}} | fields
    return CampaignDoc(state=values.pop("state", "finished"), **values)


def task(stage, n_in, n_out, ids=(), n_failed=0, unit="compositions", **reasons):
    """A finished task of campaign a."""
    return TaskRecord(
        task_key=stage.value.ljust(40, "-"), stage=stage, state="finished", campaign_ids=["camp-a"],
        summary={"n_in": n_in, "n_out": n_out, "n_failed": n_failed, "reasons": reasons,
                 "counted": True, "unit": unit, "ids": list(ids)},
    )  # fmt: skip


def documents():
    """A small database: two campaigns, four crystals, phonons of one of them.

    Campaign a relaxed five structures: three are its crystals, one is far above the hull, and one
    failed; its hull has two elements beside them.
    """
    first = crystal("CuPd", 3.0, -1.2, dynamic_stability="unstable", min_frequency=-1.5)
    others = [
        *crystal("CuPd", 3.2, -0.9),
        *crystal("AgPd", 3.1, -1.1, known=True, method="random #1"),
    ]
    far = relaxed(cesium_chloride("Cu", "Pd", 4.0), -0.2)
    broken = relaxed(cesium_chloride("Ag", "Pd", 4.0), -0.2, state="failed", reason="no cell")
    broken.origins.append(OriginDoc(method="random", version="1", rank=2))
    mine = [doc for doc in [*first, *others, far, broken] if getattr(doc, "relaxation", None)]
    proposed = [
        doc.structure_id for doc in [*first, *others] if getattr(doc, "stage", "") == "generated"
    ]
    return [
        campaign(),
        campaign(campaign_id="camp-b", name="silver", state="failed", error="disk full"),
        task(Stage.VALIDITY, 7, 5, not_neutral=2),
        task(Stage.ENERGY, 5, 2, **{"not among the best": 3}),
        task(Stage.STRUCTURE, 2, 2, proposed),
        task(
            Stage.RELAX, 5, 4, [doc.structure_id for doc in mine], 1, unit="structures", exploded=1
        ),
        task(Stage.HULL, 6, 3, unit="structures", **{"reference": 2, "above 0.3 eV/atom": 1}),
        task(Stage.PHONON, 1, 0, unit="structures", unstable=1),
        far,
        broken,
        *first,
        phonon_of(first[-1].structure_id, cesium_chloride("Cu", "Pd")),
        *others,
        *crystal("AgCu", 3.1, -0.8, "camp-b"),
    ]


@pytest.fixture(scope="session")
def make_crystal():
    """Make the documents of one crystal."""
    return crystal


@pytest.fixture(scope="session")
def make_campaign():
    """Make the document of a campaign."""
    return campaign


@pytest.fixture(scope="module")
def filled(shared_database):
    shared_database.upsert(documents())
    build_optimade(shared_database)
    return shared_database


@pytest.fixture(scope="module")
def client(filled):
    """A browser without scripts on the small database."""
    pytest.importorskip("fastapi", reason="needs the extra 'dashboard'")
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    return TestClient(create_app(filled), base_url="http://localhost")
