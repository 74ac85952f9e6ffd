"""Reads videos and folders of images, writes videos, and finds the object in them (foreground/).

Imports core only; every room that sees frames imports it.
"""
