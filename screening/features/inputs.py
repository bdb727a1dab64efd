"""All descriptors of a composition side by side: what the networks read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.features.composition import composition_features, feature_names
from screening.features.roles import role_features, role_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray


def descriptors(compositions: CompositionArray) -> NDArray[np.float32]:
    """Compute the 228 statistics and the 191 descriptors by role.

    Returns
    -------
    Shape ``(n, 419)``, columns as in `descriptor_names`.

    Raises
    ------
    InputError
        If a row has no elements.
    """
    return np.concatenate([composition_features(compositions), role_features(compositions)], axis=1)


def descriptor_names() -> list[str]:
    """Name the 419 columns of `descriptors`."""
    return [*feature_names(), *role_names()]
