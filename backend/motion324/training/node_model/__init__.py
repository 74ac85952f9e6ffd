"""The program that trains the compact model: `python -m motion324.training.node_model`.

Imports training's other rooms but transformer.
"""
