"""Layouts in the plane, for figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERPLEXITY = 30.0
"""Neighbours that a point has in mind; fewer where there are few points."""


def plane(vectors: NDArray[np.floating], seed: int) -> NDArray[np.int64]:
    """Lay vectors out in the plane by t-SNE, each column scaled to unit variance.

    van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.

    Parameters
    ----------
    vectors
        Shape ``(n, d)``.
    seed
        Seed of the layout.

    Returns
    -------
    Shape ``(n, 2)``, from -1000 to 1000.
    """
    from sklearn.manifold import TSNE

    scaled = (vectors - vectors.mean(axis=0)) / np.maximum(vectors.std(axis=0), 1e-6)
    perplexity = min(PERPLEXITY, (len(scaled) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=seed % 2**32, n_jobs=1)
    points = layout.fit_transform(scaled)
    places: NDArray[np.int64] = np.rint(1000 * points / max(np.abs(points).max(), 1e-6)).astype(int)
    return places
