"""Real peers to test against: full nodes that other people wrote, run as processes of their own."""
