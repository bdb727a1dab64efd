"""The predicted formation energy of a composition."""

from pydantic import Field

from screening.schemas.base import CheckpointRef, Document


class FormationEnergyDoc(Document):
    """Formation energy of the most stable structure of a composition, predicted."""

    formation_energy_per_atom: float = Field(description="Mean prediction (eV/atom)")
    uncertainty: float = Field(description="Calibrated standard deviation (eV/atom)")
    lower90: float = Field(description="Lower end of the calibrated 90 % interval (eV/atom)")
    upper90: float = Field(description="Upper end of the calibrated 90 % interval (eV/atom)")
    reference: str | None = Field(
        None, description="Set of energies whose corrections the value follows, such as 'mp2020'"
    )
    model: CheckpointRef = Field(description="The model")
