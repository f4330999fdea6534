"""What a replica of an endpoint does before, while and after it answers.

The class knows nothing of Ray: `deployment` hands it to Ray Serve, which calls its methods by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.models.admitted import load_admitted
from mlops_ray.serve.app import EndpointApp

if TYPE_CHECKING:
    from mlops_ray.models.predictor import Predictor
    from mlops_ray.runtime.admission import Admission
    from mlops_ray.serve.app import Limits
    from mlops_ray.serve.identity import Endpoint
    from mlops_ray.storage import ObjectStore

__all__ = ["EndpointReplica", "load_checked"]


def load_checked(store: ObjectStore, bundle: str, admission: Admission) -> Predictor:
    """Read a bundle, digest before parse, and replay its golden examples on this machine.

    Args:
        store: Holds the bundle.
        bundle: Digest of the bundle.
        admission: What this process's environment has to be like.

    Raises:
        NotPermittedError: The environment is another one, and the policy is to refuse.
        DigestMismatchError: An object is missing or damaged.
        ManifestError: The bundle cannot be read by this version.
        UnstableModelError: Answers depend on the rows around them, so it may not be served.
        ModelError: This machine computes other answers than were recorded.
    """
    return load_admitted(store, bundle, admission)


class EndpointReplica:
    """One process that answers for a model version.

    Args:
        store: Holds the bundle; reachable from the replica's node.
        endpoint: Who answers, and where the proxies listen.
        limits: When a request is cut off.
        admission: What the environment has to be like; this node decides, not the one that deploys.
    """

    def __init__(
        self, store: ObjectStore, endpoint: Endpoint, limits: Limits, admission: Admission
    ) -> None:
        self._endpoint = endpoint
        predictor = load_checked(store, endpoint.identity.bundle, admission)
        self._app = EndpointApp(predictor, endpoint.identity, limits, sends_request_id=False)

    def __serve_build_asgi_app__(self) -> EndpointApp:
        """The application, after the model was checked."""
        return self._app

    async def check_health(self) -> None:
        """Ray Serve's probe: the model itself has to answer, and as it was recorded."""
        await self._app.check_model()

    async def identify(self) -> Endpoint:
        """Where this replica answers, and for whom."""
        return self._endpoint
