"""Edit distance of the graphs of the two cells, as coded.

Atoms are nodes; an edge joins two atoms of the cell whose shortest periodic distance is at most
2.5 Angstrom, the 12 nearest of each atom. Images and lengths are not in the graph: an atom has no
edge to its own image, and the large cells of most crystals without short bonds have no edge at
all, so that any two of one composition are at 0.

Own code; the approximate distance of Riesen and Bunke (2009, doi:10.1016/j.imavis.2008.04.004)
with the costs of `graph-matching-core`, on which the authors build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

CUTOFF = 2.5
"""Longest edge in Angstrom."""
N_NEIGHBOURS = 12


def edit_graph_distance(reference: Structure, predicted: Structure) -> float:
    """Edits, each of cost 1, that turn one graph into the other; not symmetric, an upper bound.

    Replacing an atom costs the difference of the atomic numbers, at most 2. Atoms are assigned by
    number and degree only; ties are broken by order.
    """
    first, second = _edges(reference), _edges(predicted)
    n, m = len(first), len(second)
    numbers = [np.array(s.atomic_numbers, dtype=np.float64) for s in (reference, predicted)]
    degrees = [edges.sum(axis=1) for edges in (first, second)]
    nodes = np.zeros((n + m, n + m))
    nodes[:n, :m] = np.minimum(np.abs(numbers[0][:, None] - numbers[1]), 2)
    nodes[:n, m:] = np.where(np.eye(n), 1, np.inf)
    nodes[n:, :m] = np.where(np.eye(m), 1, np.inf)
    costs = nodes.copy()
    costs[:n, :m] += np.abs(degrees[0][:, None] - degrees[1])
    costs[range(n), range(m, n + m)] += degrees[0]
    costs[range(n, n + m), range(m)] += degrees[1]
    rows, partners = linear_sum_assignment(costs)
    source = np.zeros((n + m, n + m), dtype=bool)
    target = source.copy()
    source[:n, :n], target[:m, :m] = first, second
    wrong = source != target[np.ix_(partners, partners)]
    return float(nodes[rows, partners].sum() + np.triu(wrong, 1).sum())


def _edges(structure: Structure) -> NDArray[np.bool_]:
    distances = np.asarray(structure.distance_matrix)
    near = rankdata(distances, method="ordinal", axis=1) <= N_NEIGHBOURS + 1
    edges = near & (distances <= CUTOFF) & (distances > 0)
    return np.asarray(edges | edges.T)
