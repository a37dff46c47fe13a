"""The books: the append-only log that everything else can be rebuilt from.

In the order to read it:

- records    the 80-byte leaf of a share, and of everything else
- segment    the two files that hold a run of records; what lies where
- bodies     what the records that are no share say
- log        the one writer: append, turn to the next segment
- syncing    the thread that turns page cache into disk
- recovery   what a start keeps of a log that ended badly
- tail       read beside the writer, with a cursor of one's own
- archive    full segments in a sixth of the room; sources opens them either way
- checkpoint the log's size and root, signed; notary signs one for each full segment
- reading    a whole log, once
- accounts   the numbers that stand for names in a share
- following  the log as the books read it: sums of shares, effects of records
- statistics what each worker, account, tier and the site did; rates, the rings behind it
- rollups    what a run of the log adds to the database
- database   SQLite: cursor and effects in one transaction; recollection goes on from there
- templates  transactions of live jobs, so that a block outlives a crash
"""
