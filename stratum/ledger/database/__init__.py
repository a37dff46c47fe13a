"""The books in SQLite: a cache of the log that people can query.

- schema      the tables
- migrations  how a file of an older version becomes one of this version
- engine      opening the file, so that a commit survives a power cut
- store       cursor and effects, in one transaction
- recall      what a start and a look need back
"""
