"""One interface for everything that proposes compositions.

A generator is a list of batches. Each batch depends on nothing but the generator's arguments and
its number, so that a campaign can make any of them anywhere, again, or in any order, and millions
of samples are never in memory together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from screening.balance import DEFAULT_TABLE
from screening.checkpoints import checkpoint_ref, read_card
from screening.composition import CompositionArray
from screening.elements import symbols
from screening.errors import InputError
from screening.generation.enumeration import Enumeration
from screening.generation.networks import CHECKPOINTS, NETWORKS
from screening.generation.representation import element_numbers
from screening.generation.space import ChemicalSpace
from screening.identity import derive_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import CheckpointRef

METHODS = ("autoregressive", "enumeration", "formulas", "matgan")
"""Names of the generators."""


LIMITS = {
    "enumeration": {"min_elements": 2, "max_elements": 4, "max_atoms": 20},
    "autoregressive": {"min_elements": 2, "max_elements": 8, "max_atoms": 64},
    "matgan": {"min_elements": 2, "max_elements": 8, "max_atoms": 64},
}
"""Limits of the reduced formula unit where the user sets none: a network's exclude nothing."""


@runtime_checkable
class CompositionGenerator(Protocol):
    """What a campaign needs of a generator.

    Attributes
    ----------
    name
        One of `METHODS`.
    model
        The trained model behind it, None if there is none.
    """

    @property
    def name(self) -> str:
        """One of `METHODS`."""
        ...

    @property
    def model(self) -> CheckpointRef | None:
        """The trained model behind it, None if there is none."""
        ...

    def n_batches(self) -> int:
        """Count the batches; their numbers start at 0."""
        ...

    def n_samples(self, number: int) -> int:
        """Count what batch `number` samples, before anything is dropped."""
        ...

    def batch(self, number: int) -> CompositionArray:
        """Make batch `number`: reduced compositions, each once, in the order of sampling."""
        ...


@dataclass(frozen=True)
class _Batches:
    """What the generators share: `total` samples in batches of `batch_size`."""

    batch_size: int
    total: int

    def n_batches(self) -> int:
        """Count the batches; their numbers start at 0."""
        return ceil(self.total / self.batch_size)

    def n_samples(self, number: int) -> int:
        """Count what batch `number` samples, before anything is dropped."""
        start, stop = self._range(number)
        return stop - start

    def _range(self, number: int) -> tuple[int, int]:
        if not 0 <= number < self.n_batches():
            raise InputError(
                f"batch {number=} does not exist: there are {self.n_batches()}, from 0"
            )
        return number * self.batch_size, min((number + 1) * self.batch_size, self.total)


@dataclass(frozen=True)
class EnumerationGenerator(_Batches):
    """All balanced compositions of a chemical space; a sample is a composition that is tried."""

    enumeration: Enumeration
    name: str = "enumeration"
    model: None = None

    def batch(self, number: int) -> CompositionArray:
        """Make batch `number`: reduced compositions, each once, smaller formula units first."""
        return self.enumeration.balanced(*self._range(number))


@dataclass(frozen=True)
class FormulaGenerator(_Batches):
    """The formulas that a user gave, whether balanced or not."""

    formulas: tuple[str, ...]
    name: str = "formulas"
    model: None = None

    @cached_property
    def _compositions(self) -> CompositionArray:
        return CompositionArray.from_formulas(self.formulas).reduced()

    def batch(self, number: int) -> CompositionArray:
        """Make batch `number`: reduced compositions, each once, in the order of the user."""
        return self._compositions[slice(*self._range(number))].unique()

    def given(self, number: int) -> list[str]:
        """Return the texts of the user for the rows of batch `number` (the first of each)."""
        start, stop = self._range(number)
        first: dict[bytes, str] = {}
        keys = self._compositions[start:stop].keys()
        for key, formula in zip(keys, self.formulas[start:stop], strict=True):
            first.setdefault(bytes(key), formula)
        return list(first.values())


@dataclass(frozen=True)
class NetworkGenerator(_Batches):
    """Samples of a trained network, either ``autoregressive`` or ``matgan``.

    See `screening.generation.autoregressive.sample` and `screening.generation.matgan.sample` for
    how a chemical space is kept.
    """

    name: str
    seed: int
    checkpoint: str
    space: ChemicalSpace
    temperature: float | None = None
    amount_temperature: float | None = None

    @cached_property
    def model(self) -> CheckpointRef:
        """The trained model."""
        return checkpoint_ref(self.checkpoint)

    def batch(self, number: int) -> CompositionArray:
        """Make batch `number`: reduced compositions, each once, in the order of sampling."""
        from screening.generation.samplers import load_sampler

        seed = derive_seed(self.seed, self.name, number)
        sampler = load_sampler(self.checkpoint, self.temperature, self.amount_temperature)
        return sampler.sample(self.n_samples(number), seed=seed, space=self.space).unique()


def make_generator(
    method: str,
    *,
    seed: int = 0,
    batch_size: int = 10_000,
    n_samples: int | None = None,
    formulas: Sequence[str] | None = None,
    chemsys: Sequence[str] | None = None,
    required: Sequence[str] = (),
    excluded: Sequence[str] = (),
    min_elements: int | None = None,
    max_elements: int | None = None,
    max_atoms: int | None = None,
    table: str = DEFAULT_TABLE,
    pauling: bool = True,
    alloys: bool = False,
    mixed_valence: bool = False,
    checkpoint: str | None = None,
    temperature: float | None = None,
    amount_temperature: float | None = None,
) -> CompositionGenerator:
    """Make a generator.

    Parameters
    ----------
    method
        ``enumeration`` lists the balanced compositions of a chemical system, ``autoregressive``
        and ``matgan`` sample a trained network, ``formulas`` takes what it is given.
    seed
        Seed of the campaign; only networks draw random numbers.
    batch_size, n_samples
        Samples in a batch and altogether. A sample is a composition that enumeration tries, a draw
        of a network (which needs `n_samples`), or a formula; None means all.
    formulas
        Formulas with integer amounts, for ``formulas`` only.
    chemsys, required, excluded, min_elements, max_elements, max_atoms
        See `ChemicalSpace.create`. Limits that are None are those of `LIMITS`.
    table, pauling, alloys, mixed_valence
        Rules of ``enumeration``, see `screening.balance.balance_codes`; the other methods propose
        without rules.
    checkpoint
        Name or path of the network's checkpoint; None for the bundled one (`CHECKPOINTS`).
    temperature, amount_temperature
        Sampling temperatures, the second of ``autoregressive`` only; None for those of the
        checkpoint.

    Raises
    ------
    InputError, CheckpointError
        If an argument makes no sense, does not belong to the method, or leaves nothing.
    """
    _check_arguments(method, batch_size, n_samples, formulas, chemsys)
    if formulas is not None:
        return _formula_generator(formulas, batch_size, n_samples, [*required, *excluded])
    given = {"min_elements": min_elements, "max_elements": max_elements, "max_atoms": max_atoms}
    limits = LIMITS[method] | {name: value for name, value in given.items() if value is not None}
    if method in CHECKPOINTS:
        chemsys = _known_to_networks(method, chemsys, required)
    space = ChemicalSpace.create(chemsys=chemsys, required=required, excluded=excluded, **limits)
    if method == "enumeration":
        enumeration = Enumeration(space, table, pauling, alloys, mixed_valence)
        return _enumeration_generator(enumeration, batch_size, n_samples)
    name = checkpoint or CHECKPOINTS[method]
    _check_network(method, name, temperature, amount_temperature)
    temperatures = (temperature, amount_temperature)
    return NetworkGenerator(batch_size, n_samples or 0, method, seed, name, space, *temperatures)


def _check_network(method: str, checkpoint: str, *temperatures: float | None) -> None:
    """Check the checkpoint, so that it is an error here and not in the first batch."""
    model = read_card(checkpoint).model
    if NETWORKS.get(model) != method:
        bundled = CHECKPOINTS[method]
        raise InputError(
            f"{checkpoint=} is a {model}, which is not for {method=}: use {bundled!r} or one made "
            f"with `screening train {bundled}`"
        )
    given = [value for value in temperatures if value is not None]
    if method == "matgan" and temperatures[1] is not None:
        raise InputError(f"{method=} has no amount_temperature: leave {temperatures[1]} out")
    if given and model.endswith(":ConvGenerator"):
        raise InputError(f"{checkpoint=} has no sampling temperature: leave {given} out")
    if not all(value > 0 for value in given):
        raise InputError(f"sampling temperatures {given} must be above 0")


def _check_arguments(
    method: str,
    batch_size: int,
    n_samples: int | None,
    formulas: Sequence[str] | None,
    chemsys: Sequence[str] | None,
) -> None:
    """Check what belongs to which method."""
    if method not in METHODS:
        raise InputError(f"unknown generation {method=}: use one of {list(METHODS)}")
    if batch_size < 1 or (n_samples is not None and n_samples < 1):
        raise InputError(f"{batch_size=} and {n_samples=} must be at least 1")
    if (method == "formulas") != (formulas is not None):
        raise InputError(f"{method=}: formulas are for method='formulas', which needs them")
    if method == "formulas" and chemsys is not None:
        raise InputError("method='formulas' takes no chemsys: it keeps what it is given")
    if method == "enumeration" and not chemsys:
        raise InputError("method='enumeration' needs chemsys, the elements that may occur")
    if method in CHECKPOINTS and n_samples is None:
        raise InputError(f"{method=} needs n_samples, the number of draws")


def _formula_generator(
    formulas: Sequence[str], batch_size: int, n_samples: int | None, conditions: list[str]
) -> FormulaGenerator:
    if conditions:
        raise InputError(f"method='formulas' takes no required or excluded elements {conditions}")
    if not formulas:
        raise InputError("formulas is empty: give at least one, such as LiFePO4")
    total = min(len(formulas), n_samples or len(formulas))
    generator = FormulaGenerator(batch_size, total, tuple(formulas))
    _ = generator._compositions  # noqa: SLF001 - a bad formula is an error here, not in a batch
    return generator


def _enumeration_generator(
    enumeration: Enumeration, batch_size: int, n_samples: int | None
) -> EnumerationGenerator:
    if enumeration.is_empty():
        space = enumeration.space
        metals = "" if enumeration.alloys else ", or set alloys=True for compositions of metals"
        raise InputError(
            f"no charge-balanced composition in {space.describe()} with {space.min_elements} to "
            f"{space.max_elements} elements and at most {space.max_atoms} atoms by the table "
            f"{enumeration.table!r}: add elements or raise max_atoms{metals}"
        )
    total = min(enumeration.n_raw, n_samples or enumeration.n_raw)
    return EnumerationGenerator(batch_size, total, enumeration)


def _known_to_networks(
    method: str, chemsys: Sequence[str] | None, required: Sequence[str]
) -> list[str]:
    """Check the elements, or name all that the representation holds."""
    known = [symbols()[z] for z in element_numbers()]
    unknown = [symbol for symbol in [*(chemsys or ()), *required] if symbol not in known]
    if unknown:
        raise InputError(
            f"{method=} does not know {unknown}: it knows {len(known)} elements, H to Pu "
            "without the noble gases other than Xe and without Po to Ra; leave them out, or use "
            "method='enumeration'"
        )
    return list(chemsys) if chemsys else known
