import numpy as np
import pytest

from screening.errors import InputError
from screening.metrics.permutations import MAX_ORDERS, align


def cluster(n, seed):
    points = np.random.default_rng(seed).normal(size=(n, 3)) * 3
    return np.linalg.norm(points[:, None] - points, axis=-1)


@pytest.mark.parametrize(("n", "n_types"), [(5, 1), (7, 2), (12, 2), (24, 3)])
def test_a_shuffled_matrix_is_put_back(n, n_types):
    types = np.arange(n) % n_types
    matrix = cluster(n, n)
    shuffle = np.random.default_rng(1).permutation(n)
    order = align(matrix, matrix[shuffle][:, shuffle], types, types[shuffle])
    assert types[shuffle][order].tolist() == types.tolist()
    assert matrix[shuffle][:, shuffle][order][:, order] == pytest.approx(matrix)


def test_elements_are_never_exchanged():
    matrix = cluster(4, 0)
    order = align(matrix, matrix[::-1, ::-1], np.array([1, 1, 2, 2]))
    assert set(order[:2]) == {0, 1}


def test_exchanges_find_what_all_orders_find():
    types = np.zeros(6, dtype=int)
    first, second = cluster(6, 3), cluster(6, 4)
    assert MAX_ORDERS >= 720

    def cost(order):
        return ((second[order][:, order] - first) ** 2).sum()

    exact = align(first, second, types)
    from screening.metrics import permutations

    groups = [(np.arange(6), np.arange(6))]
    found = permutations._search(first, second, groups, np.random.default_rng(0))
    assert cost(found) == pytest.approx(cost(exact))


def test_other_elements():
    with pytest.raises(InputError, match="different elements"):
        align(np.zeros((2, 2)), np.zeros((2, 2)), np.array([1, 1]), np.array([1, 2]))
