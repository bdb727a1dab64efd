"""The first stage: sample compositions, one batch per job."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from makers.base import Inherited, StageMaker, StageSummary, TaskOutcome, stage_job
from screening.generation import CompositionGenerator
from screening.generation.registry import get_method, make_composition_generator
from screening.identity import MAX_SEED, content_hash, make_id
from screening.schemas import BatchDoc, CheckpointRef, Stage
from stores import open_database
from stores.queries.formula_lists import load_formulas, save_formulas

LONG_LIST = 1000
"""Number of formulas from which on a list is stored, and jobs hold its identifier."""


@dataclass
class GenerationMaker(StageMaker):
    """Generate compositions.

    Attributes
    ----------
    method
        ``enumeration`` (all charge-balanced compositions of `chemsys`), ``site-likelihood`` (the
        compositions of `chemsys` that suit known prototypes, best first), ``autoregressive`` and
        ``matgan`` (sampled by a trained network), or ``formulas`` (the given ones).
    chemsys
        Elements that may occur, such as ``Li-Mn-S``; needed for the first two, a restriction for
        the others.
    required
        Elements that must occur.
    excluded
        Elements that must not occur.
    formulas
        Formulas of the method ``formulas``, or the identifier of a stored list: long lists are
        stored once, so that jobs stay small.
    min_elements, max_elements, max_atoms
        Limits of the reduced formula unit; empty: 2 to 4 elements and 20 atoms for the enumeration,
        no limit for a network.
    table, alloys, mixed_valence
        Rules of the enumeration.
    n_samples
        Samples of a network, or compositions of another method, in all batches together; empty for
        the others: all.
    batch_size
        Samples, or compositions that are tried, per batch.
    checkpoint
        Trained generator; empty: the bundled one of the method.
    temperature, amount_temperature
        Sampling temperatures of a network (the second: of the amounts, ``autoregressive`` only):
        higher gives more new, lower more valid compositions; empty: those of the checkpoint.
    seed
        Seed; each batch derives its own. None: derived from the campaign's.
    """

    name: str = "generation"
    stage: ClassVar[Stage] = Stage.GENERATION
    inherited: ClassVar[dict[str, Inherited]] = {"seed": Inherited("seed", None)}
    method: Literal["enumeration", "site-likelihood", "autoregressive", "matgan", "formulas"] = (
        "enumeration"
    )
    chemsys: Annotated[str | None, Field(pattern=r"^[A-Za-z]+(-[A-Za-z]+)*$")] = None
    required: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    formulas: list[str] | Annotated[str, Field(pattern=r"^flist-[a-z0-9]+$")] | None = None
    min_elements: Annotated[int | None, Field(ge=1, le=8)] = None
    max_elements: Annotated[int | None, Field(ge=1, le=8)] = None
    max_atoms: Annotated[int | None, Field(ge=1, le=200)] = None
    table: str = "icsd24_filtered"
    alloys: bool = False
    mixed_valence: bool = True
    n_samples: Annotated[int | None, Field(ge=1)] = None
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    checkpoint: str | None = None
    temperature: Annotated[float | None, Field(gt=0)] = None
    amount_temperature: Annotated[float | None, Field(gt=0)] = None
    seed: Annotated[int | None, Field(ge=0, le=MAX_SEED)] = None

    def parameters(self) -> dict[str, Any]:
        """Leave the checkpoint's name out: its SHA-256 counts, where the method has one."""
        values = super().parameters()
        values.pop("checkpoint")
        for name in ("temperature", "amount_temperature"):
            if values[name] is None:  # that of the checkpoint
                values.pop(name)
        others = get_method(self.method).others
        return values | {name: self._reference(other).sha256 for name, other in others.items()}

    def formula_list(self) -> list[str] | None:
        """Return the formulas themselves, read from the database where they are a stored list."""
        if isinstance(self.formulas, str):
            return list(load_formulas(open_database(), self.formulas))
        return self.formulas

    def described_parameters(self) -> dict[str, Any]:
        """Name a stored list by its identifier."""
        return {**self.parameters(), "formulas": self.formulas}

    def identity(self) -> dict[str, Any]:
        """Identity of a stored list is that of its formulas: a campaign keeps its identifier."""
        return {**super().identity(), "formulas": self.formula_list()}

    def with_stored_formulas(self) -> Self:
        """Return a Maker whose long list of formulas is stored in the database."""
        if isinstance(self.formulas, list) and len(self.formulas) > LONG_LIST:
            return replace(self, formulas=save_formulas(open_database(), self.formulas))
        return self

    def model(self) -> CheckpointRef | None:
        """Return the trained generator's checkpoint, if the method has one."""
        bundled = get_method(self.method).checkpoint
        return self._reference(self.checkpoint or bundled) if bundled else None

    def generator(self) -> CompositionGenerator:
        """Make the generator.

        Raises
        ------
        InputError
            If the chemical space is empty or an element is unknown.
        """
        return make_composition_generator(
            self.method,
            seed=self.seed or 0,
            batch_size=self.batch_size,
            n_samples=self.n_samples,
            formulas=self.formula_list(),
            chemsys=self.chemsys.split("-") if self.chemsys else None,
            required=self.required,
            excluded=self.excluded,
            min_elements=self.min_elements,
            max_elements=self.max_elements,
            max_atoms=self.max_atoms,
            table=self.table,
            alloys=self.alloys,
            mixed_valence=self.mixed_valence,
            checkpoint=self.checkpoint,
            temperature=self.temperature,
            amount_temperature=self.amount_temperature,
        )

    @stage_job
    def make(self, number: int, campaign_id: str | None = None) -> StageSummary:
        """Generate batch `number` and keep it in `batches`."""
        inputs = {"number": number}
        return self.run(
            lambda _: self._generate(number), inputs=inputs, n_in=0, campaign_id=campaign_id
        )

    def _generate(self, number: int) -> TaskOutcome:
        generator = self.generator()
        compositions, n_samples = generator.batch(number), generator.n_samples(number)
        content = content_hash(compositions.numbers, compositions.counts)
        batch_id = make_id("bat", self.method, content, number)
        outcome = TaskOutcome(n_out=len(compositions), ids=[batch_id])
        reason = "not balanced" if self.method == "enumeration" else "duplicate or outside"
        if n_samples > len(compositions):
            outcome.reasons[reason] = n_samples - len(compositions)
        outcome.add(
            BatchDoc(
                batch_id=batch_id,
                method=self.method,
                number=number,
                seed=self.seed or 0,
                model=generator.model,
                n_samples=n_samples,
                n=len(compositions),
                numbers=compositions.numbers,
                counts=compositions.counts,
            )
        )
        return outcome
