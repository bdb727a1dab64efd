"""Composition generators by name. A new method is a line here, and a name in `GenerationMaker`."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from screening.errors import InputError
from screening.generation.networks import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.generation.generators import CompositionGenerator


@dataclass(frozen=True)
class Method:
    """A composition generator.

    Attributes
    ----------
    maker
        'module:function' that makes it of the method's name and the fields of a campaign's section.
    checkpoint
        Bundled checkpoint of its trained model, if it has one.
    others
        Further checkpoints that decide its results, by the name of the parameter.
    """

    maker: str = "screening.generation.generators:make_generator"
    checkpoint: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)


GENERATORS = {
    "enumeration": Method(),
    "formulas": Method(),
    "autoregressive": Method(checkpoint=CHECKPOINTS["autoregressive"]),
    "matgan": Method(checkpoint=CHECKPOINTS["matgan"]),
    "site-likelihood": Method(
        "screening.site_likelihood.generator:make_site_likelihood",
        checkpoint="site-likelihood",
        others={"bank": "prototypes"},
    ),
}
"""Name -> how it is made; its module is imported when it is asked for."""


def get_method(name: str) -> Method:
    """Find a composition generator.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in GENERATORS:
        raise InputError(f"unknown generation method={name!r}: use one of {sorted(GENERATORS)}")
    return GENERATORS[name]


def make_composition_generator(name: str, **options: Any) -> CompositionGenerator:
    """Make a composition generator of the fields of a campaign's section.

    Raises
    ------
    InputError, CheckpointError
        If an option makes no sense, does not belong to the method, or leaves nothing.
    """
    module, function = get_method(name).maker.split(":")
    generator: CompositionGenerator = getattr(import_module(module), function)(name, **options)
    return generator
