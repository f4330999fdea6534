"""The stages of a pipeline, one module each: what its module imports is what its key covers.

Import none of them here: the import closure of each would then hold all.
"""
