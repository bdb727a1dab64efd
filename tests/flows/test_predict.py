import pytest
from pymatgen.core import Lattice, Structure

from flows.predict import _ties_by_votes, predict, prediction_campaign
from screening.errors import ConfigError, InputError
from screening.schemas import (
    CampaignKind,
    OriginDoc,
    RelaxationDoc,
    RelaxState,
    StructureDoc,
    StructureStage,
)
from stores.queries.documents import find_campaign


@pytest.fixture
def emt():
    """Predictions with a fast potential."""

    def make(formula, **options):
        campaign = prediction_campaign(formula, methods={"prototypes": 3, "random": 1}, **options)
        for maker in (campaign.relax, campaign.hull, campaign.phonon):
            maker.engine = "emt"
        campaign.structure.max_atoms = 8
        return campaign

    return make


def test_structures_only(database, emt):
    predict(database, emt("Cu3Au", until="structure", seed=5))
    rows = predict(database, emt("Cu3Au", until="structure"))
    assert 1 <= len(rows) <= 4
    assert rows[0]["state"] == "generated"
    assert rows[0]["energy_per_atom"] is None
    assert "prototypes #1" in " ".join(row["found_by"] for row in rows)


def test_relaxed_and_on_a_hull(database, emt):
    rows = predict(database, emt("Cu3Au"))
    energies = [row["energy_per_atom"] for row in rows]
    assert energies == pytest.approx(sorted(energies), abs=0.002)  # ties go by votes
    assert rows[0]["energy_above_hull"] >= 0
    assert database.raw("hulls").count_documents({}) == 1


def test_a_known_phase_that_is_proposed_stays_known(database, emt):
    predict(database, emt("Cu3Pt"))
    (phase,) = [row for row in database.rows("materials") if row["symmetry"]["number"] == 221]
    assert phase["known"]
    assert "prototypes #1" in phase["method"]
    assert "known phases" not in phase["method"]


def test_an_element_is_its_own_known_phase(database, emt):
    predict(database, emt("Cu"))
    stable = [row for row in database.rows("materials") if row["energy_above_hull"] == 0]
    assert [row["known"] for row in stable] == [True]


def test_a_prediction_lists_its_own_proposals_and_others_when_asked(database, emt):
    mine = emt("Cu3Au", seed=1)
    mine.structure.methods = {"random": 1}
    expected = predict(database, mine)
    names = [row["structure_id"] for row in expected]
    other = emt("Cu3Au")
    predict(database, other)
    again = predict(database, mine)
    assert [row["structure_id"] for row in again] == names
    assert {row["found_by"] for row in again} == {"random #1"}
    listed = predict(database, mine, others=True)
    assert len(listed) > len(again)
    assert any("prototypes" in row["found_by"] for row in listed)
    rows = list(database.rows("materials"))
    assert {other.campaign_id} < {name for row in rows for name in row["campaign_ids"]} | {"x"}
    for row in rows:
        assert (mine.campaign_id in row["campaign_ids"]) == bool(set(row["found_as"]) & set(names))


def test_every_distance_is_the_crystals_own(database, emt):
    rows = predict(database, emt("CuAu"))
    ground = rows[0]["energy_per_atom"] - rows[0]["energy_above_hull"]
    for row in rows:
        assert row["energy_above_hull"] == pytest.approx(row["energy_per_atom"] - ground, abs=1e-6)


def test_commands_without_a_name_do_not_mean_a_prediction(database, emt):
    predict(database, emt("Cu3Au", until="structure"))
    with pytest.raises(InputError, match="no campaign yet"):
        find_campaign(database, None)
    assert find_campaign(database, "predict-Cu3Au").kind == CampaignKind.PREDICTION


def test_an_invalid_composition_is_predicted_all_the_same(database, emt):
    rows = predict(database, emt("NaO7", until="structure"))
    assert rows
    reasons = database.raw("candidates").distinct("validity.reason")
    assert reasons
    assert database.raw("candidates").distinct("validity.valid") == [False]


def test_multiples_and_elements(database, emt):
    assert emt("Cu2Au2").generation.formulas == ["CuAu"]
    assert predict(database, emt("Cu", until="relax"))


def document(energy, x, **ranks):
    """A relaxed crystal and its proposals by method."""
    structure = Structure(Lattice.cubic(3.0), ["Cu"], [[x, 0, 0]])
    origins = [OriginDoc(method=m, version="1", rank=rank) for m, rank in ranks.items()]
    relaxation = RelaxationDoc(engine="t", state=RelaxState.CONVERGED, energy_per_atom=energy)
    return StructureDoc.from_structure(
        structure, stage=StructureStage.RELAXED, relaxation=relaxation, origins=origins
    )


def test_equal_energies_go_by_votes_and_not_by_rounding():
    lowest = document(-3.0004, 0.1, prototypes=12)
    voted = document(-3.0, 0.2, prototypes=8, transformer=1, random=3)
    first = document(-2.9999, 0.3, prototypes=1)
    higher = document(-2.998, 0.4, prototypes=1, transformer=1)
    groups = _ties_by_votes([[lowest], [voted], [first], [higher]], 0.001)
    assert [group[0] for group in groups] == [first, voted, lowest, higher]


@pytest.mark.parametrize(
    ("formula", "message"),
    [("Cu30Au", "31 atoms per formula unit"), ("Xx", "unknown element"), ("Cu(Au", "brackets")],
)
def test_bad_formulas(formula, message):
    with pytest.raises(InputError, match=message):
        prediction_campaign(formula)


def test_under_pressure_the_enthalpy_ranks_and_hulls_stay_apart(database, emt):
    free = predict(database, emt("Cu3Au"))
    pressed = predict(database, emt("Cu3Au", pressure=30.0))
    enthalpies = [row["enthalpy_per_atom"] for row in pressed]
    assert enthalpies == pytest.approx(sorted(enthalpies), abs=0.002)
    assert {row["pressure"] for row in pressed} == {30.0}
    assert all(row["enthalpy_per_atom"] > row["energy_per_atom"] for row in pressed)
    assert max(row["volume_per_atom"] for row in pressed) < min(
        row["volume_per_atom"] for row in free
    )
    hulls = {hull["energy_source"]: hull for hull in database.rows("hulls")}
    (source,) = {name for name in hulls if name.endswith(" at 30 GPa")}
    assert len(hulls) == 2
    assert hulls[source]["pressure"] == 30.0
    ids = [{entry["entry_id"] for entry in hull["entries"]} for hull in hulls.values()]
    assert not ids[0] & ids[1]
    materials = list(database.rows("materials"))
    assert {row["pressure"] for row in materials} == {0.0, 30.0}
    assert all(row["enthalpy_per_atom"] is not None for row in materials)


def test_a_pressure_is_part_of_the_identity_and_none_is_not(emt):
    free, pressed = emt("Cu3Au"), emt("Cu3Au", pressure=10.0)
    assert free.campaign_id != pressed.campaign_id
    assert free.relax.task_key({}) != pressed.relax.task_key({})
    assert "pressure" not in free.hull.parameters()
    assert free.relax.source() == free.relax.engine_name()


def test_wrong_pressures():
    with pytest.raises(ConfigError, match="no hull"):
        prediction_campaign("Cu3Au", pressure=-5.0).check()
    prediction_campaign("Cu3Au", pressure=-5.0, until="relax").check()
    with pytest.raises(ConfigError, match="pressure"):
        prediction_campaign("Cu3Au", pressure=5000.0)
