"""What came in, what was decided and why: append-only, hash-chained, replayable.

In reading order:

    columns     arrays as few bytes
    encoding    frozen dataclasses as deterministic CBOR, and back by their type hints
    records     what a record says: its header, and one payload a kind
    chain       frames of length, checksum and body, each naming the one before by its SHA-256
    files       one file a UTC day, and what a torn or damaged end means
    digest      a few bytes that two equal states share, cheap enough for each second
    recorder    which records a tick makes: itself, snapshots, gaps, the day's turn
    writer      the thread that writes and syncs, and says OK, SLOW or FULL
    reading     records of one file or of many days, verified as they pass
    replay      the same `decide` on the same inputs, and the first difference named

A day's file is read front to back without ever being in memory whole. Nothing in it is compressed
but columns, each by itself, so that a damaged record costs that record and no other.
"""
