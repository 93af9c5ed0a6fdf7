"""New databases as copies of one that was migrated, which takes half the time of a new one."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache

from spy32.schema import MIGRATIONS, Migration, migrate, schema_version


@cache
def _migrated() -> bytes:
    """An empty database of the newest layout, as its own migrations make it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        migrate(db)
        return db.serialize()


def migrate_by_copy(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """What `migrate` does; a new database becomes a copy, every other one is migrated."""
    if schema_version(db) or migrations is not MIGRATIONS:
        return migrate(db, migrations)
    with closing(sqlite3.connect(":memory:")) as made:
        made.deserialize(_migrated())
        made.backup(db)
    return 0
