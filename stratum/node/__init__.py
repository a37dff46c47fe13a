"""Bitcoin nodes: where templates and tips come from, and where found blocks go.

Read `rpc.py` (one question to one node), `watch.py` (one node's tip and template), `nodes.py`
(several nodes in order of preference; `choice.py` is the rule), `blocks.py` (what a node says of
a block), then `spool.py`, `offers.py` and `submitter.py` (what becomes of a found block).
`devnet.py` is a node of our own for demos and tests.
"""
