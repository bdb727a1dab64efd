import pytest

from flows.predict import predict, prediction_campaign
from screening.errors import InputError


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
    assert energies == sorted(energies)
    assert rows[0]["energy_above_hull"] >= 0
    assert database.raw("hulls").count_documents({}) == 1


def test_an_invalid_composition_is_predicted_all_the_same(database, emt):
    rows = predict(database, emt("NaO7", until="structure"))
    assert rows
    reasons = database.raw("candidates").distinct("validity.reason")
    assert reasons
    assert database.raw("candidates").distinct("validity.valid") == [False]


def test_multiples_and_elements(database, emt):
    assert emt("Cu2Au2").generation.formulas == ["CuAu"]
    assert predict(database, emt("Cu", until="relax"))


@pytest.mark.parametrize(
    ("formula", "message"),
    [("Cu30Au", "31 atoms per formula unit"), ("Xx", "unknown element"), ("Cu(Au", "brackets")],
)
def test_bad_formulas(formula, message):
    with pytest.raises(InputError, match=message):
        prediction_campaign(formula)
