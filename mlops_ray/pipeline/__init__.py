"""The pipeline: freezes a config into a spec, executes the spec's stages, seals the manifest.

It also holds what users ask of a project afterwards: runs, models, predictions, endpoints, drift.
"""
