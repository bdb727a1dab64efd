"""Descriptors by role, and everything the networks read."""

import numpy as np
import pytest
import torch

from screening.composition import CompositionArray
from screening.errors import InputError
from screening.features import (
    composition_features,
    descriptor_names,
    descriptors,
    role_features,
    role_names,
)
from screening.features.network import CLIP, FeatureTrunk, export, restore
from screening.features.table import imputed


def roles(formula):
    values = role_features(CompositionArray.from_formulas([formula]))[0]
    return dict(zip(role_names(), values.tolist(), strict=True))


def test_names_and_shapes():
    compositions = CompositionArray.from_formulas(["NaCl", "SrTiO3"])
    assert role_features(compositions).shape == (2, 191) == (2, len(set(role_names())))
    assert descriptors(compositions).shape == (2, 419) == (2, len(set(descriptor_names())))
    np.testing.assert_array_equal(
        descriptors(compositions)[:, :228], composition_features(compositions)
    )
    assert descriptors(compositions).dtype == np.float32


def test_slots_follow_electronegativity():
    values = roles("SrTiO3")
    x = [values[f"electronegativity of slot {k}"] for k in range(3)]
    assert x == sorted(x, reverse=True)
    fractions = [values[f"fraction of slot {k}"] for k in range(5)]
    assert fractions == pytest.approx([0.6, 0.2, 0.2, 0, 0])
    assert values["electronegativity of slot 3"] == 0


def test_counts_are_indicated():
    values = roles("SrTiO3")
    assert values["count of slot 0 is 3"] == values["count of slot 1 is 1"] == 1
    assert values["count in place 0 is 3"] == values["count in place 3 is 0"] == 1
    assert values["atoms are 5"] == 1
    assert values["ln(atoms)"] == pytest.approx(np.log(5))
    indicators = [v for name, v in values.items() if " is " in name or " are " in name]
    assert sum(indicators) == 3 + 5 + 1


def test_large_counts_have_no_indicator():
    values = roles("Li40Ti20")
    assert values["count in place 0 is 2"] == 1
    values = roles("Li41Ti20")
    assert not any(v for name, v in values.items() if name.startswith("atoms are"))


def test_multiples_and_padding_change_nothing():
    mixed = role_features(CompositionArray.from_formulas(["NaCl", "Na3Cl3", "LiFeCoNiMnO9"]))
    np.testing.assert_array_equal(mixed[0], mixed[1])
    alone = role_features(CompositionArray.from_formulas(["NaCl"]))
    np.testing.assert_array_equal(mixed[0], alone[0])


def test_more_elements_than_slots_lose_the_least_electronegative():
    six = roles("LiFeCoNiMnO9")
    five = roles("FeCoNiMnO9")
    for k in range(5):
        name = f"electronegativity of slot {k}"
        assert six[name] == five[name]


def test_empty_row_is_refused():
    empty = CompositionArray(np.array([[0]], np.uint8), np.array([[0]], np.uint16))
    with pytest.raises(InputError, match="no elements"):
        descriptors(empty)


def test_imputed_columns_have_no_gaps():
    values = imputed("electronegativity")
    assert np.isfinite(values).all()
    assert values[2] == pytest.approx(values[10])  # He and Ne have none: the mean
    assert values[9] == 3.98


def test_trunk_standardises_and_clips():
    inputs = np.random.default_rng(0).normal(5, 3, size=(100, 4)).astype(np.float32)
    inputs[:, 3] = 2.0
    trunk = FeatureTrunk(4, 8, 1, 0.0)
    trunk.standardise(inputs)
    assert torch.allclose(trunk.mean, torch.from_numpy(inputs.mean(axis=0)))
    assert trunk.scale[3] == 1
    far = torch.from_numpy(inputs.mean(axis=0) + 1e6 * trunk.scale.numpy())[None]
    edge = torch.from_numpy(inputs.mean(axis=0) + CLIP * trunk.scale.numpy())[None]
    assert torch.allclose(trunk(far), trunk(edge), atol=1e-4)


def test_export_and_restore():
    trunk, other = FeatureTrunk(4, 8, 1, 0.5), FeatureTrunk(4, 8, 1, 0.5)
    trunk.standardise(np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32))
    restore(other, export(trunk, "a."), "a.")
    assert not other.training
    assert torch.equal(trunk.mean, other.mean)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(trunk.eval()(x), other(x), atol=1e-2)
    with pytest.raises(KeyError):
        restore(other, export(trunk, "b."), "a.")
