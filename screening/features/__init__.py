"""Composition descriptors that all learned models of compositions share."""

from screening.features.composition import (
    MAGPIE_PROPERTIES,
    N_FEATURES,
    composition_features,
    feature_names,
)
from screening.features.inputs import descriptor_names, descriptors
from screening.features.roles import role_features, role_names

__all__ = [
    "MAGPIE_PROPERTIES",
    "N_FEATURES",
    "composition_features",
    "descriptor_names",
    "descriptors",
    "feature_names",
    "role_features",
    "role_names",
]
