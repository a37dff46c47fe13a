"""The rules of the game, without IO: jobs, sessions, vardiff, verdicts, pool.

Everything here is driven by (bytes, now) and answers with bytes and facts, so that the
simulator, the replay and the tests run the same code as production.
"""
