"""Crystals as tokens: nothing is lost, settings are equivalent, hidden tokens stay hidden."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from screening.crystal.crystals import Crystal, standardise, to_structure
from screening.metrics.matching import rms_distance
from screening.structure.transformer.data import (
    N_BINS,
    canonical_setting,
    cell_bins,
    cell_of_bins,
    random_setting,
    shifted,
    tokens_of,
)
from screening.structure.transformer.loss import Shelf, hide, losses, smooth
from screening.structure.transformer.network import CrystalTransformer
from screening.structure.transformer.tables import tables
from screening.structure.transformer.wyckoff import fits, letters_of, possible_groups

SETTINGS = 3


def crystal_of(structure):
    numbers = np.array(structure.atomic_numbers)
    return standardise((structure.lattice.matrix, structure.frac_coords, numbers))


@pytest.fixture(scope="module")
def structures(make):
    wurtzite = make.wurtzite("Zn", "O", z=0.17)
    return [*make.textbook()[::9], wurtzite]


@pytest.fixture(scope="module")
def crystals(structures):
    return [crystal_of(structure) for structure in structures]


@pytest.fixture(scope="module")
def tokens(crystals):
    return tokens_of(crystals, 8, SETTINGS, seed=1)


def rebuilt(tokens, index, setting):
    size = tokens.sizes[index]
    first = np.unique(tokens.orbits[index, :size])
    number = int(tokens.groups[index])
    start = int(tables().tokens[number, 0])
    return Crystal(
        number=number,
        cell=cell_of_bins(tokens.cells[index, setting].astype(float)),
        letters=tokens.letters[index, setting, first].astype(int) - start,
        species=tokens.numbers[index, first].astype(int),
        parameters=tokens.fractions[index, setting, first].astype(float),
    )


def test_tokens_give_the_crystal_back_in_every_setting(structures, tokens):
    for index, structure in enumerate(structures):
        for setting in range(SETTINGS):
            again = to_structure(rebuilt(tokens, index, setting))
            assert rms_distance(structure, again, "strict") < 1e-3


def test_random_settings_differ(tokens):
    moved = (tokens.letters[:, 0] != tokens.letters[:, 1]).any(axis=1)
    assert moved.any()


def test_the_canonical_setting_does_not_depend_on_where_the_origin_was(crystals):
    rng = np.random.default_rng(0)
    for crystal in crystals:
        first = canonical_setting(crystal)
        again = canonical_setting(random_setting(crystal, rng))
        assert first.letters.tolist() == again.letters.tolist()
        assert first.species.tolist() == again.species.tolist()
        steps = first.parameters - again.parameters
        assert np.abs(steps - np.round(steps)).max() < 1e-3


def test_a_polar_axis_starts_at_the_first_orbit(make):
    crystal = crystal_of(make.wurtzite("Zn", "O", z=0.3))
    first = canonical_setting(crystal)
    assert abs((first.parameters[0, 2] + 0.25) % 0.5 - 0.25) < 1e-4
    moved = shifted(crystal, np.array([0.0, 0.0, 0.123]))
    assert rms_distance(to_structure(crystal), to_structure(moved), "strict") < 1e-6


def test_cells_are_bins_and_back():
    cells = np.array([[3.1, 4.2, 99.0, 90.0, 120.0, 75.3]])
    assert np.allclose(cell_of_bins(cell_bins(cells)), cells)
    assert cell_bins(cells)[0, 3:5] == pytest.approx([30, 45])


def test_tables_count_all_positions():
    known = tables()
    assert len(known.multiplicities) == 1732
    assert (known.tokens > 0).sum() == 1731
    assert known.multiplicities[known.tokens[225, 0]] == 1
    assert known.cell_source[225].tolist() == [0, 0, 0, 3, 4, 5]
    assert known.cell_fixed[194, 5] == 120


def test_atoms_fit_as_a_search_over_all_occupations_says():
    for number, counts in product((1, 2, 47, 123, 225), ((1,), (1, 1), (1, 1, 3), (2, 5))):
        own = letters_of(number)
        assert (number in possible_groups(counts)) == _search(own, list(counts), frozenset())


def _search(own, counts, used):
    if not any(counts):
        return True
    place = next(i for i, count in enumerate(counts) if count)
    for letter, (size, fixed) in enumerate(zip(own.multiplicities, own.fixed, strict=True)):
        if size > counts[place] or letter in used:
            continue
        left = [count - size * (i == place) for i, count in enumerate(counts)]
        if _search(own, left, used | {letter} if fixed else used):
            return True
    return False


def test_a_fixed_position_is_taken_once():
    assert not fits((1, 1), ((1, 1),), ())
    assert fits((1, 1), ((1, 2),), ())
    assert 1 not in letters_of(225).allowed({11: 1}, 11, frozenset({1}))


@pytest.fixture(scope="module")
def shelf(tokens):
    return Shelf(tokens, "cpu")


def test_orbits_are_hidden_whole_and_cells_as_far_as_they_are_free(shelf, tokens):
    known = tables()
    torch.manual_seed(0)
    rows = torch.arange(len(tokens)).repeat(40)
    whole = shelf.take(rows, shift=0.5)
    shown = hide(whole, noise=0.0)
    real = whole.numbers > 0
    seen = shown.letters > 0
    assert torch.equal(seen[real], seen.gather(1, whole.orbits)[real])
    assert not seen[shown.groups == 0].any()
    assert not (shown.fractions_known & ~seen[..., None]).any()
    cubic = (shown.groups == 225).nonzero()[:, 0]
    assert shown.cells_known[cubic, 3:].all()
    assert torch.equal(shown.cells_known[cubic, 0], shown.cells_known[cubic, 2])
    for part in (shown.groups == 0, seen.any(1), shown.fractions_known.any(2).any(1)):
        assert 0.02 < part.float().mean() < 0.98
    assert known.free[whole.letters].any()


def test_what_is_hidden_changes_no_prediction(shelf, tokens):
    torch.manual_seed(1)
    whole = shelf.take(torch.arange(len(tokens)), shift=0.0)
    shown = hide(whole, noise=0.0)
    network = CrystalTransformer(32, 1).eval()
    other = replace(
        shown,
        fractions=torch.where(shown.fractions_known, shown.fractions, 0.77),
        cells=torch.where(shown.cells_known, shown.cells, 5.0),
    )
    first, second = network(shown), network(other)
    assert torch.allclose(first.groups, second.groups, atol=1e-5)
    assert torch.allclose(first.fractions, second.fractions, atol=1e-5)
    assert torch.allclose(first.cells, second.cells, atol=1e-5)


def test_equal_atoms_can_change_places_and_padding_changes_nothing(shelf, tokens):
    torch.manual_seed(2)
    network = CrystalTransformer(32, 2).eval()
    batch = hide(shelf.take(torch.tensor([len(tokens) - 1]), shift=0.0), noise=0.0)
    size = int((batch.numbers > 0).sum())
    order = torch.randperm(size)
    mixed = replace(
        batch,
        numbers=batch.numbers[:, order],
        letters=batch.letters[:, order],
        fractions=batch.fractions[:, order],
        fractions_known=batch.fractions_known[:, order],
    )
    first, second = network(batch), network(mixed)
    assert torch.allclose(first.groups, second.groups, atol=1e-5)
    assert torch.allclose(first.fractions[:, order], second.fractions, atol=1e-5)
    padded = replace(
        batch,
        numbers=torch.nn.functional.pad(batch.numbers, (0, 3)),
        letters=torch.nn.functional.pad(batch.letters, (0, 3)),
        fractions=torch.nn.functional.pad(batch.fractions, (0, 0, 0, 3)),
        fractions_known=torch.nn.functional.pad(batch.fractions_known, (0, 0, 0, 3)),
    )
    assert torch.allclose(first.cells, network(padded).cells, atol=1e-5)


def test_targets_are_gaussians_that_wrap_around():
    target = smooth(torch.tensor([0.0, 10.5]), circular=True)
    assert target.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert target[0, 1] == pytest.approx(float(target[0, N_BINS - 1]))
    assert target[1, 10] == pytest.approx(float(target[1, 11]))
    assert smooth(torch.tensor([0.0]), circular=False)[0, N_BINS - 1] < 1e-6


def test_known_tokens_cost_nothing(shelf, tokens):
    whole = shelf.take(torch.arange(len(tokens)), shift=0.0)
    shown = hide(whole, noise=0.0)
    known = replace(
        shown,
        groups=whole.groups,
        letters=whole.letters,
        fractions_known=torch.ones_like(shown.fractions_known),
        cells_known=torch.ones_like(shown.cells_known),
    )
    found = losses(CrystalTransformer(32, 1).eval()(known), known, whole)
    assert {name: float(value) for name, value in found.items()} == dict.fromkeys(found, 0.0)
