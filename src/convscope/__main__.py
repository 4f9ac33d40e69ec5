"""The `convscope` command, also as `python -m convscope`: Ctrl-C ends it in one line from the first moment on."""

import os
import signal
from typing import Any

EXIT_STOPPED = 128 + signal.SIGINT


def _stopped(*_: Any) -> None:
    """While libraries are loaded nothing has been begun that would have to be kept, or cleared away."""
    os.write(2, b"stopped\n")
    os._exit(EXIT_STOPPED)


def run() -> None:
    """The `convscope` command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stopped)  # until work begins; see cli/telling.py
    from convscope.cli.main import run as run_commands

    run_commands()


if __name__ == "__main__":
    run()
