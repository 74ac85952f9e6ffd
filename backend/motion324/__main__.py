"""`python -m motion324` is the `motion324` command."""

import sys

from motion324.core.errors import EXIT_CANCELLED
from motion324.core.processes.interruption import Interruption


def main() -> int:
    """Heeds Ctrl-C from the first import on, and to the end of the process."""
    interruption = Interruption()
    interruption.__enter__()
    try:
        from motion324.cli.main import run_command

        return run_command(interruption)
    except KeyboardInterrupt:
        print("error: The job was cancelled.", file=sys.stderr)
        return EXIT_CANCELLED
    finally:
        interruption.ignore_from_now()


if __name__ == "__main__":
    sys.exit(main())
