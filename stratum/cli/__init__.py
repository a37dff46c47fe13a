"""The command line: names, options and exit codes, nothing else.

    outcome    what ends a command: 0 done, 1 failed, 2 usage or config
    commands   one function per command, its options and its help
    power      the controller's commands, `baseload power …`

A command imports what it runs when it runs, so that `baseload --help` needs neither a node's
client nor the C library.
"""

from stratum.cli.commands import main

__all__ = ["main"]
