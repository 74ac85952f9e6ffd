"""The program that trains the motion transformer: `motion324 train`.

Imports training's other rooms but compact.
"""
