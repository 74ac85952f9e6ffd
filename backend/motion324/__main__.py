"""`python -m motion324` is the `motion324` command."""

import sys

from motion324.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
