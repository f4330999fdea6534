"""What a replica of an endpoint does before, while and after it answers.

The class knows nothing of Ray: `deployment` hands it to Ray Serve, which calls its methods by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.models.bundle import load_bundle
from mlops_ray.models.predictor import Predictor
from mlops_ray.serve.app import EndpointApp
from mlops_ray.storage import ObjectStore

if TYPE_CHECKING:
    from mlops_ray.serve.app import Limits
    from mlops_ray.serve.identity import Endpoint

__all__ = ["EndpointReplica", "load_checked"]


def load_checked(store: str, bundle: str) -> Predictor:
    """Read a bundle, digest before parse, and replay its golden examples on this machine.

    Args:
        store: Folder of the object store.
        bundle: Digest of the bundle.

    Raises:
        DigestMismatchError: An object is missing or damaged.
        ManifestError: The bundle cannot be read by this version.
        UnstableModelError: Answers depend on the rows around them, so it may not be served.
        ModelError: This machine computes other answers than were recorded.
    """
    predictor = Predictor(load_bundle(ObjectStore(Path(store)), bundle))
    predictor.replay_golden()
    return predictor


class EndpointReplica:
    """One process that answers for a model version.

    Args:
        store: Folder of the object store, reachable from the replica's node.
        endpoint: Who answers, and where the proxies listen.
        limits: When a request is cut off.
    """

    def __init__(self, store: str, endpoint: Endpoint, limits: Limits) -> None:
        self._endpoint = endpoint
        predictor = load_checked(store, endpoint.identity.bundle)
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
