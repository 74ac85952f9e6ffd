"""`python -m motion324.training.compact`, the older name of `python -m motion324.training.node_model`."""

import sys

from motion324.training.node_model.run import main

if __name__ == "__main__":
    sys.exit(main())
