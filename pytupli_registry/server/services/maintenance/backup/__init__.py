"""Copies of a whole Hub: taken while it runs, and made a Hub again, on whatever database and object store.

A backup is a directory::

    objects/                          all blobs of all snapshots, as a folder of objects
    snapshots/20261122T131500123Z/
        database.sqlite3              all tables, also of a Hub on PostgreSQL
        hub.toml, secret              the configuration, and the key of all signatures
        manifest.json                 what it is a copy of

The database is copied first, in one consistent state. Every blob it names was stored before, and only gc could
remove it: gc and backup exclude each other. Uploads that are under way are not part of it.
"""
