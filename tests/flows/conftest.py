import pytest
import yaml

from benchmarks.resume import CAMPAIGN
from flows.campaign import CampaignMaker
from makers.fields import build_maker

VOLATILE = {"_id", "last_updated", "hull_created"}


@pytest.fixture
def campaign():
    """A campaign with all stages on the EMT potential; it takes seconds."""
    return build_maker(CampaignMaker, yaml.safe_load(CAMPAIGN))


@pytest.fixture(scope="session")
def read_materials():
    """Materials of a database without their dates."""

    def read(database):
        rows = database.rows("materials", sort={"material_id": 1})
        return [{key: row[key] for key in row if key not in VOLATILE} for row in rows]

    return read
