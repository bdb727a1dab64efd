"""The materials of a campaign as its own hulls have them: the content of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.schemas import CampaignDoc, HullDoc, MaterialDoc, Stage
from stores.builders import MaterialsBuilder
from stores.membership import produced_by
from stores.queries.documents import CURRENT, subsystems
from stores.queries.record import campaign_window, own_hulls

if TYPE_CHECKING:
    from stores.database import Database


def recorded_materials(database: Database, campaign: CampaignDoc) -> list[MaterialDoc]:
    """Describe the crystals of a campaign as they were found; nothing is written.

    Distances refer to the campaign's own hulls, phonons those of its own tasks, and known are
    the references that it had. What other campaigns do later changes none of them.

    Parameters
    ----------
    database
        The database; only read.
    campaign
        The campaign.

    Returns
    -------
    list of MaterialDoc
        The lowest above the hull first.
    """
    campaign_id = campaign.campaign_id
    limit = campaign_window(database, campaign.campaign_id)
    hulls = own_hulls(database, campaign_id)
    if not hulls:  # none was drawn, or they are gone
        order = {"energy_above_hull": 1, "material_id": 1}
        query = {"campaign_ids": campaign_id, **CURRENT}
        found = database.find(MaterialDoc, query, sort=order)
        return [material for material in found if not material.task_ids]
    builder = MaterialsBuilder(database, [], limit)
    own = _Own(database, campaign_id)
    materials: dict[str, MaterialDoc] = {}
    for hull in database.get_many(HullDoc, hulls):
        for item in builder.items_of(hull, set(subsystems(hull.chemsys))):
            if item["entry"].energy_above_hull > limit:
                continue
            made = builder.process_item(own.restrict(item))
            if made is not None:
                materials[made["structure_id"]] = MaterialDoc.model_validate(made)
    return sorted(materials.values(), key=lambda one: (one.energy_above_hull, one.material_id))


class _Own:
    """What the tasks of one campaign have produced."""

    def __init__(self, database: Database, campaign_id: str) -> None:
        self.campaign_id = campaign_id
        self.relaxed = set(produced_by(database, campaign_id, Stage.RELAX))
        self.phonons = set(produced_by(database, campaign_id, Stage.PHONON))
        stage = produced_by(database, campaign_id, Stage.HULL, counted=False)
        self.references = {name for name in stage if name.startswith("str-")}

    def restrict(self, item: dict[str, Any]) -> dict[str, Any]:
        """Leave out of what is known of a crystal what other campaigns have added."""
        phonon, rows = item["phonon"], item["members"]
        known = [row["structure_id"] for row in rows if row["parent_id"] in self.references]
        return {
            **item,
            "own": self.relaxed,
            "campaigns": {
                row["structure_id"]: {self.campaign_id} & item["campaigns"][row["structure_id"]]
                for row in rows
            },
            "known_as": known,
            "phonon": phonon if phonon and phonon["structure_id"] in self.phonons else None,
        }
