"""The chain: targets, merkle trees, transactions, the coinbase, addresses, templates, blocks.

Pure functions over bytes and integers. Hashes are `bytes` in internal order (as SHA-256 gives
them); `_hex` means display order, reversed, as bitcoin-cli prints. Knows nothing of Stratum.
"""
