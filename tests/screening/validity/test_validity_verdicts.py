"""What a verdict says."""

import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.errors import InputError
from screening.schemas import ValidityDoc, ValidityReason
from screening.validity import Verdicts, check_validity

FORMULAS = ["NaCl", "Fe", "Fe3Al", "NaCl2", "OF2Na", "HeO", "PmCl3", "Ti4O8"]


@pytest.fixture
def verdicts():
    return check_validity(CompositionArray.from_formulas(FORMULAS))


def test_codes_and_reasons_agree(verdicts):
    assert isinstance(verdicts, Verdicts)
    assert verdicts.codes.dtype == np.uint8
    assert len(verdicts) == len(FORMULAS)
    names = [str(list(ValidityReason)[code]) for code in verdicts.codes]
    assert names[:4] == ["balanced", "single_element", "alloy", "not_neutral"]
    assert names[5:] == ["no_oxidation_state", "no_electronegativity", "balanced"]
    assert sum(verdicts.reasons().values()) == len(FORMULAS)
    assert verdicts.reasons()["balanced"] == names.count("balanced")
    assert list(verdicts.reasons()) == [str(r) for r in ValidityReason if str(r) in names]
    assert verdicts.valid.tolist() == [ValidityReason(name).valid for name in names]


def test_document(verdicts):
    assert verdicts.document(3) == ValidityDoc(
        valid=False,
        reason=ValidityReason.NOT_NEUTRAL,
        table="icsd24_filtered",
        metallicity=float(verdicts.metallicity[3]),
    )
    assert verdicts.document(np.int64(0)).valid


def test_metallicity_grows_from_salts_to_alloys():
    packed = CompositionArray.from_formulas(["NaCl", "TiO2", "TiN", "Fe3C", "FeCoNi"])
    scores = check_validity(packed).metallicity
    assert (np.diff(scores) > 0).all()
    assert scores[0] < 0.5
    assert 0.9 < scores[-1] <= 1


def test_metallic_only_rescues_what_is_rejected():
    packed = CompositionArray.from_formulas(["Fe3Al", "FeO", "Fe14Nd2B", "NaCl2", "Fe"])
    plain = check_validity(packed)
    rescued = check_validity(packed, metallicity_threshold=0.6)
    assert rescued.document(2).reason == ValidityReason.METALLIC
    assert not plain.valid[2]
    kept = [0, 1, 3, 4]
    assert rescued.codes[kept].tolist() == plain.codes[kept].tolist()
    everything = check_validity(packed, metallicity_threshold=0.0)
    assert everything.valid.all()


def test_mixed_valence_is_a_second_verdict():
    packed = CompositionArray.from_formulas(["Fe3O4", "Fe2O3", "Na3O4"])
    one = check_validity(packed, table="smact14")
    many = check_validity(packed, table="smact14", mixed_valence=True)
    assert one.document(0).reason == ValidityReason.NOT_NEUTRAL
    assert many.document(0).reason == ValidityReason.MIXED_VALENCE
    assert many.document(1).reason == ValidityReason.BALANCED
    assert many.codes[2] == one.codes[2]


def test_no_compositions():
    verdicts = check_validity(CompositionArray.from_formulas([]))
    assert len(verdicts) == 0
    assert verdicts.reasons() == {}
    assert verdicts.valid.shape == (0,)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 70.0])
def test_a_threshold_outside_the_scale(threshold):
    with pytest.raises(InputError, match=f"metallicity_threshold={threshold}"):
        check_validity(CompositionArray.from_formulas(["NaCl"]), metallicity_threshold=threshold)


def test_an_unknown_table():
    with pytest.raises(InputError, match=r"icsd23.*use one of"):
        check_validity(CompositionArray.from_formulas(["NaCl"]), table="icsd23")


def test_ions_of_the_wrong_order():
    """Cu2Si can be neutral only with Cu, the more electronegative one, as the cation."""
    packed = CompositionArray.from_formulas(["Cu2Si"])
    assert check_validity(packed).document(0).reason == ValidityReason.ELECTRONEGATIVITY
    assert check_validity(packed, pauling=False).document(0).reason == ValidityReason.BALANCED
