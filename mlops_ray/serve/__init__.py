"""One model version behind HTTP, on Ray Serve.

It takes a registered version and the digest of its bundle, checks and replays the bundle in every
replica, and answers records and the Open Inference Protocol. What it hands on are answers that name
their model, version, run and bundle. The protocols and the application know nothing of Ray;
`deployment` does, and is imported by its own name so that the rest stays light.
"""

from mlops_ray.serve.identity import Endpoint, Identity, PredictionId
from mlops_ray.serve.port import check_port, free_port

__all__ = ["Endpoint", "Identity", "PredictionId", "check_port", "free_port"]
