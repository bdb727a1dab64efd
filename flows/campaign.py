"""The campaign: from a chemical space to ranked, phonon-checked crystals.

The composition stages are known when a campaign is submitted. How many candidates, structures,
hulls and phonons follow is known only at run time, so each step decides the next one when it runs:
`after_candidates` -> `after_structures` -> `after_relax` -> `after_hulls` -> `finish`, or with DFT
`validate_best` -> `after_validations` -> `after_dft_hulls` -> `finish`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from jobflow import Flow, Maker
from pydantic import Field

from flows.steps import after_candidates
from makers.base import StageMaker
from makers.candidates import CandidatesMaker
from makers.energy import FormationEnergyMaker
from makers.fields import check_fields, identity_fields
from makers.generation import GenerationMaker
from makers.hull import HullMaker
from makers.phonon import PhononMaker
from makers.references import ReferencesMaker
from makers.relax import RelaxMaker
from makers.structure import StructureMaker
from makers.symmetry import SymmetryMaker
from makers.validation import ValidationMaker
from makers.validity import ValidityMaker
from screening.elements import oxidation_tables
from screening.errors import ConfigError
from screening.identity import derive_seed, make_id
from screening.structure import generator_names


@dataclass
class CampaignMaker(Maker):
    """A whole campaign; its fields are the sections of the campaign file.

    Attributes
    ----------
    name
        Name of the campaign.
    seed
        Seed; every stage derives its own unless it has one.
    until
        The last stage that runs; ``candidates`` ends with the ranked compositions.
    generation, validity, energy, candidates, symmetry, structure, references, relax, hull, phonon,
    validation
        The stages.
    """

    name: str = "campaign"
    seed: Annotated[int, Field(ge=0)] = 0
    until: Literal["candidates", "structure", "relax", "hull", "phonon", "validation"] = "phonon"
    generation: GenerationMaker = field(default_factory=GenerationMaker)
    validity: ValidityMaker = field(default_factory=ValidityMaker)
    energy: FormationEnergyMaker = field(default_factory=FormationEnergyMaker)
    candidates: CandidatesMaker = field(default_factory=CandidatesMaker)
    symmetry: SymmetryMaker = field(default_factory=SymmetryMaker)
    structure: StructureMaker = field(default_factory=StructureMaker)
    references: ReferencesMaker = field(default_factory=ReferencesMaker)
    relax: RelaxMaker = field(default_factory=RelaxMaker)
    hull: HullMaker = field(default_factory=HullMaker)
    phonon: PhononMaker = field(default_factory=PhononMaker)
    validation: ValidationMaker = field(default_factory=ValidationMaker)

    def __post_init__(self) -> None:
        """Check the fields and hand the seed down."""
        check_fields(self)
        for maker in self.stages().values():
            if getattr(maker, "seed", 0) is None:
                maker.seed = derive_seed(self.seed, maker.name)

    def stages(self) -> dict[str, StageMaker]:
        """Return the stages' Makers by section."""
        makers = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: maker for name, maker in makers.items() if isinstance(maker, StageMaker)}

    def config(self) -> dict[str, Any]:
        """Return the whole configuration, defaults included, as plain values."""
        sections = {name: maker_fields(maker) for name, maker in self.stages().items()}
        return {"name": self.name, "seed": self.seed, "until": self.until, **sections}

    @property
    def campaign_id(self) -> str:
        """Identity by content: the same configuration is the same campaign."""
        content: dict[str, Any] = {"name": self.name, "seed": self.seed, "until": self.until}
        content |= {name: identity_fields(maker) for name, maker in self.stages().items()}
        return make_id("camp", content)

    @property
    def one_system(self) -> bool:
        """Whether all compositions share one chemical system."""
        return self.generation.chemsys is not None

    def check(self) -> None:
        """Find out now what would otherwise fail in the middle of a campaign.

        Raises
        ------
        ScreeningError
            If the chemical space is empty, or a checkpoint, an engine, a table or a structure
            generator does not exist.
        """
        self.generation.generator()
        if self.validity.table not in oxidation_tables():
            raise ConfigError(
                f"validity.table = {self.validity.table!r}: use one of {sorted(oxidation_tables())}"
            )
        unknown = set(self.structure.methods) - set(generator_names())
        if unknown:
            raise ConfigError(
                f"structure.methods = {sorted(unknown)}: use some of {generator_names()}"
            )
        for maker in self.stages().values():
            maker.model()
            maker.source()
        engines = {self.relax.engine_name(), self.hull.source(), self.phonon.source()}
        if len(engines) > 1:
            raise ConfigError(f"relax, hull and phonon must have one engine, not {sorted(engines)}")
        if self.relax.pressure and self.until == "validation":
            raise ConfigError(
                f"relax.pressure = {self.relax.pressure:g}: DFT relaxes at pressure 0; use "
                "until: phonon"
            )
        if self.relax.pressure < 0 and self.until in {"hull", "phonon"}:
            raise ConfigError(
                f"relax.pressure = {self.relax.pressure:g}: under tension every crystal is "
                "metastable, so that there is no hull; use 0 GPa or more, or until: relax"
            )

    def make(self) -> Flow:
        """Compose the flow: one chain of jobs per batch, the choice of candidates, then the rest.

        Raises
        ------
        InputError
            If the chemical space is empty.
        """
        campaign_id = self.campaign_id
        jobs, energies = [], []
        for number in range(self.generation.generator().n_batches()):
            batch = self.generation.make(number, campaign_id)
            verdicts = self.validity.make(batch.output, campaign_id)
            energy = self.energy.make(verdicts.output, campaign_id)
            jobs += [batch, verdicts, energy]
            energies.append(energy.output)
        chosen = self.candidates.make(energies, campaign_id, one_system=self.one_system)
        rest = after_candidates(self, campaign_id, chosen.output)
        return Flow([*jobs, chosen, rest], name=self.name)


def maker_fields(maker: Maker) -> dict[str, Any]:
    """Return the fields of a Maker as plain values."""
    return {f.name: getattr(maker, f.name) for f in dataclasses.fields(maker) if f.name != "name"}
