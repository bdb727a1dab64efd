import pytest

from screening.schemas import (
    HullDistance,
    StabilityProbability,
    StabilityVerdict,
)
from screening.stability import RelaxedProposal, StructureEvidence, assess, verdict_of
from screening.stability.assess import verdict_of_known
from screening.stability.model import stability_model


def probability(on_hull, within_25=None, within_100=None):
    within_25 = on_hull if within_25 is None else within_25
    within_100 = within_25 if within_100 is None else within_100
    return StabilityProbability(on_hull=on_hull, within_25=within_25, within_100=within_100)


def distance(value, width=0.02):
    return HullDistance(
        source="test",
        formation_energy_per_atom=-1.0,
        decomposition_enthalpy=value,
        lower90=value - width,
        upper90=value + width,
    )


@pytest.mark.parametrize(
    ("found", "composition", "structure", "verdict"),
    [
        (probability(0.9), probability(0.8), distance(-0.01), StabilityVerdict.STABLE),
        (probability(0.3, 0.7), probability(0.4), distance(0.01), StabilityVerdict.NEAR_HULL),
        (probability(0.1, 0.2, 0.7), probability(0.2), distance(0.05), StabilityVerdict.METASTABLE),
        (probability(0.1, 0.2, 0.3), probability(0.2), distance(0.2), StabilityVerdict.UNSTABLE),
        (probability(0.3), probability(0.8), distance(0.3), StabilityVerdict.STRUCTURE_NOT_FOUND),
        (probability(0.8), probability(0.8), None, StabilityVerdict.STRUCTURE_NOT_FOUND),
        (probability(0.2), probability(0.2), None, StabilityVerdict.UNSTABLE),
    ],
)
def test_verdicts(found, composition, structure, verdict):
    assert verdict_of(found, composition, distance(-0.02), structure) is verdict


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (0.0, StabilityVerdict.STABLE),
        (0.02, StabilityVerdict.NEAR_HULL),
        (0.09, StabilityVerdict.METASTABLE),
        (0.3, StabilityVerdict.UNSTABLE),
    ],
)
def test_verdicts_of_known_compounds(known, verdict):
    assert verdict_of_known(known) is verdict


def background_of(formulas):
    from screening.evaluation.stability.background import background_of as known

    return known(formulas)


def evidence(*energies, engine="chgnet-0.3.0"):
    proposals = tuple(
        RelaxedProposal(energy, rank=rank, score=1 / rank, n_sites=8, structure_id=f"str-{rank}")
        for rank, energy in enumerate(sorted(energies), start=1)
    )
    return StructureEvidence(engine, proposals, len(proposals))


@pytest.fixture(scope="module")
def salts():
    return background_of(["NaCl", "Na3Cl", "K2MgCl4"])


def test_compositions_alone_are_told_apart(salts):
    found = assess(stability_model(), salts, [None] * 3)
    assert found.probability[0, 0] > 0.8
    assert found.probability[1, 0] < 0.1
    assert (found.probability[:, 1:] >= found.probability[:, :-1]).all()
    assert found.kinds.tolist() == ["composition"] * 3


def test_structures_change_the_probability(salts):
    items = [evidence(-3.7, -3.6), None, None]
    found = assess(stability_model(), salts, items)
    assert found.kinds.tolist() == ["structures", "composition", "composition"]
    assert found.structure.values[0] == pytest.approx(
        found.structure.energies[0] - salts.locations[0].competing_energy
    )
    low = assess(stability_model(), salts, [evidence(-3.0, -2.9), None, None])
    assert low.probability[0, 0] < found.probability[0, 0]


def test_energies_of_another_potential_are_not_used(salts):
    found = assess(stability_model(), salts, [evidence(-3.7, engine="emt-ase-3"), None, None])
    assert found.kinds[0] == "composition"
    assert found.structure is None


def test_a_lower_prevalence_lowers_the_probability(salts):
    model = stability_model()
    usual = assess(model, salts, [None] * 3)
    rare = assess(model, salts, [None] * 3, prevalence=0.02)
    assert (rare.probability < usual.probability).all()


def test_rows_do_not_depend_on_each_other(salts):
    model = stability_model()
    together = assess(model, salts, [evidence(-3.7), None, evidence(-3.2)])
    alone = assess(model, background_of(["K2MgCl4"]), [evidence(-3.2)])
    assert alone.probability[0] == pytest.approx(together.probability[2], abs=1e-6)
