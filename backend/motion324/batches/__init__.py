"""Works many items off, in this process, in several, or on a Ray cluster: resumable, and nothing is lost.

Imports pipeline, from_video and what stands below them; cli imports it.
"""
