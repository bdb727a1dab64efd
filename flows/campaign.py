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

from flows.sections import HullSection, PhononSection, RelaxSection, StructureSection
from flows.steps import after_candidates
from makers.base import BANK, StageMaker
from makers.candidates import CandidatesMaker
from makers.energy import FormationEnergyMaker
from makers.fields import check_fields
from makers.generation import GenerationMaker
from makers.hull import HullMaker
from makers.phonon import PhononMaker
from makers.references import ReferencesMaker
from makers.relax import RelaxMaker
from makers.stability import StabilityMaker
from makers.structure import StructureMaker
from makers.symmetry import SymmetryMaker
from makers.validation import ValidationMaker
from makers.validity import ValidityMaker
from screening.elements import oxidation_tables
from screening.engines.descent.options import PRESSURES
from screening.errors import ConfigError
from screening.identity import MAX_SEED, derive_seed, make_id
from screening.schemas import Stage
from screening.structure import generator_names
from screening.structure.sizes import check_sizes

CAMPAIGN_FIELDS = ("engine", "engine_options", "pressure", "bank")
"""Fields that sections take from the campaign where their own are None."""


@dataclass
class CampaignMaker(Maker):
    """A whole campaign; its fields are the sections of the campaign file.

    The fields before the sections are the campaign's: a section takes them where its own are None.

    >>> campaign = CampaignMaker(engine="emt", pressure=10.0)
    >>> campaign.relax.engine, campaign.hull.engine, campaign.relax.pressure
    ('emt', 'emt', 10.0)

    Attributes
    ----------
    name
        Name of the campaign.
    seed
        Seed; every stage derives its own unless it has one.
    until
        The last stage that runs; ``candidates`` ends with the ranked compositions.
    engine, engine_options
        Energy engine of relaxations, hulls and phonons, and keyword arguments of its calculator.
    pressure
        Pressure of the relaxations, the hulls and the phonons (GPa).
    bank
        Prototype bank, by the name of its checkpoint: prototypes and known phases come from it.
    generation, validity, energy, candidates, symmetry, structure, references, relax, hull,
    stability, phonon, validation
        The stages.
    """

    name: str = "campaign"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    until: Literal["candidates", "structure", "relax", "hull", "phonon", "validation"] = "phonon"
    engine: str = "chgnet"
    engine_options: dict[str, Any] = field(default_factory=dict)
    pressure: Annotated[float, Field(ge=PRESSURES[0], le=PRESSURES[1])] = 0.0
    bank: str = BANK
    generation: GenerationMaker = field(default_factory=GenerationMaker)
    validity: ValidityMaker = field(default_factory=ValidityMaker)
    energy: FormationEnergyMaker = field(default_factory=FormationEnergyMaker)
    candidates: CandidatesMaker = field(default_factory=CandidatesMaker)
    symmetry: SymmetryMaker = field(default_factory=SymmetryMaker)
    structure: StructureMaker = field(default_factory=StructureMaker)
    references: ReferencesMaker = field(default_factory=ReferencesMaker)
    relax: RelaxMaker = field(default_factory=RelaxMaker)
    hull: HullMaker = field(default_factory=HullMaker)
    stability: StabilityMaker = field(default_factory=StabilityMaker, metadata={"added": True})
    phonon: PhononMaker = field(default_factory=PhononMaker)
    validation: ValidationMaker = field(default_factory=ValidationMaker)

    def __post_init__(self) -> None:
        """Check the fields and hand the campaign's down to the sections."""
        check_fields(self)
        values = {name: getattr(self, name) for name in CAMPAIGN_FIELDS}
        for section, maker in self.stages().items():
            maker.inherit({**values, "seed": derive_seed(self.seed, section)})

    def stages(self) -> dict[str, StageMaker]:
        """Return the stages' Makers by section."""
        makers = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: maker for name, maker in makers.items() if isinstance(maker, StageMaker)}

    def config(self) -> dict[str, Any]:
        """Return the whole configuration, defaults included, as plain values."""
        sections = {name: maker_fields(maker) for name, maker in self.stages().items()}
        return {**self._head(), **sections}

    def file_content(self) -> dict[str, Any]:
        """Return the configuration as a campaign file says it: without what sections inherit."""
        sections = {
            name: {k: v for k, v in maker_fields(maker).items() if k not in maker.empty}
            for name, maker in self.stages().items()
        }
        return {**self._head(), **sections}

    def _head(self) -> dict[str, Any]:
        fields = ("name", "seed", "until", *CAMPAIGN_FIELDS)
        return {name: getattr(self, name) for name in fields}

    @property
    def campaign_id(self) -> str:
        """Identity by content: the same configuration is the same campaign."""
        content: dict[str, Any] = {"name": self.name, "seed": self.seed, "until": self.until}
        added = {f.name for f in dataclasses.fields(self) if "added" in f.metadata}
        content |= {
            name: identity
            for name, maker in self.stages().items()
            if (identity := maker.identity()) != type(maker)().identity() or name not in added
        }
        return make_id("camp", content)

    @property
    def last_stage(self) -> Stage:
        """The last stage that runs."""
        return Stage.last_of(self.until)

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
        used = [method for method, n in self.structure.methods.items() if n]
        check_sizes(used, self.structure.max_atoms, self.structure.checkpoint or BANK)
        self._check_physics()

    def _check_physics(self) -> None:
        """Refuse energies that may not meet on a hull, and pressures without one."""
        engines = {self.relax.engine_name(), self.hull.source(), self.phonon.source()}
        if len(engines) > 1:
            raise ConfigError(
                f"relax, hull and phonon must have one engine, not {sorted(engines)}: write "
                "`engine: NAME` once, at the top of the file and in no section"
            )
        pressure = self.relax.target_pressure
        if pressure and self.last_stage.reaches(Stage.VALIDATION):
            raise ConfigError(
                f"pressure = {pressure:g}: DFT relaxes at pressure 0; use until: phonon"
            )
        if pressure < 0 and self.last_stage.reaches(Stage.HULL):
            raise ConfigError(
                f"pressure = {pressure:g}: under tension every crystal is "
                "metastable, so that there is no hull; use 0 GPa or more, or until: relax"
            )

    def following(self) -> StructureSection | None:
        """Return what follows the choice of candidates, up to the last stage; None for nothing."""
        last, pressure = self.last_stage, self.relax.target_pressure
        phonon = hull = relax = None
        if last.reaches(Stage.PHONON):
            validation = self.validation if last.reaches(Stage.VALIDATION) else None
            phonon = PhononSection(self.phonon, validation)
        if last.reaches(Stage.HULL):
            # the known compounds are those of no pressure
            stability = None if pressure else self.stability
            hull = HullSection(self.hull, pressure, phonon, stability)
        if last.reaches(Stage.RELAX):
            relax = RelaxSection(self.relax, hull)
        if not last.reaches(Stage.STRUCTURE):
            return None
        references = self.references if hull else None
        return StructureSection(self.symmetry, self.structure, references, pressure, relax)

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
        candidates = self.candidates.make(energies, campaign_id, one_system=self.one_system)
        following = after_candidates(self.following(), campaign_id, candidates.output)
        return Flow([*jobs, candidates, following], name=self.name)


def maker_fields(maker: Maker) -> dict[str, Any]:
    """Return the fields of a Maker as plain values."""
    return {f.name: getattr(maker, f.name) for f in dataclasses.fields(maker) if f.name != "name"}
