"""A database that an earlier version of the project wrote, kept to be opened by later ones.

``database.json.gz`` holds the collections of one finished campaign (``campaign.yaml``) as MongoDB's
extended JSON. It was written by the code before the packages of `screening/` were rearranged. Do
not write it anew: that users' databases still open, resume and migrate can only be tested with what
an earlier version wrote. A change that needs another state of a database adds a file beside it.
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

import yaml
from bson import json_util

from flows.campaign import CampaignMaker
from makers.fields import build_maker
from stores.collections import COLLECTIONS

FOLDER = Path(__file__).parent
FILE = FOLDER / "database.json.gz"
EXTRA = ("optimade", "blobs.files", "blobs.chunks")
"""Collections without a document class; jobflow's own are left out."""


def stored_campaign() -> CampaignMaker:
    """Read the campaign that wrote the database."""
    return build_maker(CampaignMaker, yaml.safe_load((FOLDER / "campaign.yaml").read_text()))


def load(database, file: Path = FILE) -> None:
    """Fill an empty database with the stored one."""
    with gzip.open(file, "rt") as stream:
        collections = json_util.loads(stream.read())
    for name, rows in collections.items():
        if rows:
            database._database[name].insert_many(rows)


def dump(database, file: Path) -> None:
    """Write the collections of a database."""
    collections = {name: list(database._database[name].find()) for name in (*COLLECTIONS, *EXTRA)}
    file.write_bytes(gzip.compress(json_util.dumps(collections).encode(), mtime=0))


def main() -> None:
    """Run the campaign in a database of its own, and write the file named on the command line."""
    from db_config import reset_settings
    from flows.launch import run_campaign
    from stores import close_database, open_database

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SCREENING_DATA_DIR": folder, "SCREENING_PROCESSES": "1"}
        reset_settings()
        run_campaign(stored_campaign())
        dump(open_database(), Path(sys.argv[1]))
        close_database()


if __name__ == "__main__":
    main()
