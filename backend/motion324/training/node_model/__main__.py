"""`python -m motion324.training.node_model`, also under torchrun."""

import sys

from motion324.training.node_model.run import main

if __name__ == "__main__":
    sys.exit(main())
