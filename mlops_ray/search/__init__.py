"""Search: draws hyperparameters, runs the trials on Ray Tune and names the best.

Takes matrices of training and validation rows (never test rows) and a space; records the trial
table, whose digest goes into the result; hands on the best trial. Ray appears in `tuner` and
`trainable` only.

Nothing is imported here, so that reading a trial table loads no model library.
"""
