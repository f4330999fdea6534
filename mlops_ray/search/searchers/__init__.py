"""What draws the trials: chance, a grid, a Sobol sequence, Optuna, or a class of the project.

Each follows `search.agenda.Searcher`. Nothing is imported here, so that Optuna is only where it is
asked for.
"""
