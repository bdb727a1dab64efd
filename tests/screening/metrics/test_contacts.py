import numpy as np
import pytest

from screening.errors import InputError
from screening.metrics import contacts
from screening.metrics.contacts import ContactScores


def contact_map(n, *bonds):
    result = np.zeros((n, n), dtype=int)
    for i, j in bonds:
        result[i, j] = result[j, i] = 1
    return result


TRUE = contact_map(4, (0, 1), (1, 2), (2, 3))
ONE_WRONG = contact_map(4, (0, 1), (1, 2))


def test_a_map_agrees_with_itself():
    assert contacts.dice(TRUE, TRUE) == 1
    assert contacts.accuracy(TRUE, TRUE) == 1
    assert contacts.exact(TRUE, TRUE)


def test_one_missing_bond():
    assert contacts.dice(TRUE, ONE_WRONG) == pytest.approx(4 / 5)
    assert contacts.accuracy(TRUE, ONE_WRONG) == pytest.approx(5 / 6)
    assert contacts.matrix_accuracy(TRUE, ONE_WRONG) == pytest.approx(14 / 16)
    assert contacts.padded_accuracy(TRUE, ONE_WRONG) == pytest.approx(65 / 66)
    assert not contacts.exact(TRUE, ONE_WRONG)


def test_the_diagonal_never_counts():
    assert contacts.dice(TRUE, TRUE + np.eye(4, dtype=int)) == 1
    assert contacts.exact(TRUE, TRUE + np.eye(4, dtype=int))


def test_empty_maps():
    empty = np.zeros((4, 4))
    assert contacts.dice(empty, empty) == 1
    assert contacts.dice(TRUE, empty) == 0
    assert contacts.padded_accuracy(TRUE, empty) == pytest.approx(63 / 66)
    assert contacts.accuracy([[0]], [[1]]) == 1


@pytest.mark.parametrize(
    ("printed", "wrong"), [(0.939, 4), (0.696, 20), (0.727, 18), (0.773, 15), (0.879, 8)]
)
def test_values_of_table_2_are_66ths(printed, wrong):
    reference = np.zeros((12, 12), dtype=int)
    predicted = reference.copy()
    rows, columns = np.tril_indices(12, -1)
    predicted[rows[:wrong], columns[:wrong]] = 1
    predicted |= predicted.T
    assert contacts.padded_accuracy(reference, predicted) == pytest.approx(printed, abs=1.1e-3)


@pytest.mark.parametrize(("printed", "wrong"), [(0.819, 13), (0.694, 22), (0.875, 9)])
def test_values_of_table_1_are_144ths(printed, wrong):
    reference = np.zeros((12, 12), dtype=int)
    predicted = reference.copy()
    rows, columns = np.tril_indices(12, -1)
    predicted[rows[:wrong], columns[:wrong]] = 1
    assert contacts.matrix_accuracy(reference, predicted) == pytest.approx(printed, abs=6e-4)


def test_probabilities_and_batches():
    batch = np.stack([TRUE * 0.9 + 0.05, ONE_WRONG * 0.6])
    assert contacts.dice(TRUE, batch) == pytest.approx([1, 0.8])
    assert contacts.exact(TRUE, batch).tolist() == [True, False]
    assert contacts.padded_accuracy(TRUE, batch) == pytest.approx([1, 65 / 66])


def test_overlap_is_fooled_and_balanced_overlap_is_not():
    reference = np.array([[0, 3, 9], [3, 0, 9], [9, 9, 0]], dtype=float)
    near = np.zeros((3, 3))
    assert contacts.overlap(reference, near) == 1
    assert contacts.balanced_overlap(reference, near) == 0.5
    assert contacts.balanced_overlap(reference, reference) == 1
    assert np.isnan(contacts.overlap(reference + 9, near))
    assert contacts.balanced_overlap(reference + 9, reference + 9) == 1


def test_scores_of_many_count_failures_as_zero():
    scores = ContactScores.of([TRUE, TRUE, np.zeros((2, 2))], [TRUE, None, np.zeros((2, 2))])
    assert (scores.n_failed, scores.n_empty) == (1, 1)
    assert scores.means()["exact"] == pytest.approx(2 / 3)
    assert scores.means()["dice"] == pytest.approx(2 / 3)
    low, high = scores.intervals(seed=1)["dice"]
    assert low <= 2 / 3 <= high
    assert np.isnan(ContactScores.of([], []).means()["dice"])


@pytest.mark.parametrize(
    ("reference", "predicted", "message"),
    [
        (TRUE, TRUE[:3], "square"),
        (TRUE, TRUE[:3, :3], "the same atoms"),
    ],
)
def test_maps_that_do_not_fit(reference, predicted, message):
    with pytest.raises(InputError, match=message):
        contacts.dice(reference, predicted)


def test_too_large_for_the_padding():
    with pytest.raises(InputError, match="13 atoms"):
        contacts.padded_accuracy(np.zeros((13, 13)), np.zeros((13, 13)))
