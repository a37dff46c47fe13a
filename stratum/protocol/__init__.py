"""Stratum V1 on the wire: lines, JSON messages, and both ends' conversations.

Bytes and `now` go in; messages and bytes come out. No socket, no clock, no chain: a target is a
number here, a header is somebody else's business. The rules and who breaks without them are
those of the reference "Stratum V1 on the wire"; the numbers in comments are its 24 rules.
"""
