"""`python -m motion324.training.export WEIGHTS OUT.onnx` makes the compact model's file for onnxruntime."""

import sys

from motion324.training.node_model.export import main

if __name__ == "__main__":
    sys.exit(main())
