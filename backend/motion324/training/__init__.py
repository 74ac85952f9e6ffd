"""Trains models, on releases or on synthetic clips. Needs PyTorch; nothing here is needed to animate.

Within it, shared <- synthesis <- clips <- transformer | node_model, and the two programs never import each other.
Imports core, video, mesh, view and reconstructors; `motion324 train` imports it when it runs, nothing else.
"""
