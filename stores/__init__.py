"""MongoDB through maggma: the only package that talks to the database.

>>> from stores import dataframe, open_database
>>> database = open_database()
>>> rows = database.rows("materials", {"chemsys": "Li-Mn-S"}, ["formula_pretty"])
>>> stable = dataframe(database, "materials", 'chemsys="Li-Mn-S" AND is_stable=TRUE')
"""

from stores.database import Database, close_database, open_database
from stores.queries.frames import dataframe

__all__ = ["Database", "close_database", "dataframe", "open_database"]
