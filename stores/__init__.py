"""MongoDB through maggma: the only package that talks to the database.

>>> from stores import open_database
>>> database = open_database()
>>> rows = database.rows("materials", {"chemsys": "Li-Mn-S"}, ["formula_pretty"])
"""

from stores.database import Database, close_database, open_database

__all__ = ["Database", "close_database", "open_database"]
