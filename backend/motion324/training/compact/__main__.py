"""`python -m motion324.training.compact`, also under torchrun."""

import sys

from motion324.training.compact.run import main

if __name__ == "__main__":
    sys.exit(main())
