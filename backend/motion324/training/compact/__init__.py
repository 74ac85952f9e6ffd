"""The program that trains the compact model: `python -m motion324.training.compact`.

Imports training's other rooms but transformer.
"""
