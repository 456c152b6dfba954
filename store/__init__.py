"""The SQLite file: schema, migrations, views, writes; the record types and text normalisation."""

from store.db import Store
from store.errors import SchemaTooNew, StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreReadOnly

__all__ = ["SchemaTooNew", "Store", "StoreBusy", "StoreCorrupt", "StoreError", "StoreFull", "StoreReadOnly"]
