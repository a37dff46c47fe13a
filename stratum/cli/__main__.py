"""`python -m stratum.cli`: the same as the command `baseload`."""

from stratum.cli import main

main()
