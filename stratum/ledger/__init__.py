"""The books: the append-only log that everything else can be rebuilt from.

In the order to read it:

- records    the 80-byte leaf of a share, and of everything else
- reading    walk a log's files; needs no lock, only the files
- log        the one writer: append, recover, group sync
- syncing    the thread that turns page cache into disk
- accounts   the numbers that stand for names in a share
- templates  transactions of live jobs, so that a block outlives a crash
"""
