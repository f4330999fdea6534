"""The record of one finished stage: what it was made from, by which code, and what came out.

A stage is a function of its inputs' digests, its parameters, the files of code that it imports and
the packages that can change it. Their digest is its key; a record found under that key says that
the work is done. It holds no time, host or path, so two runs of one stage write the same record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mlops_ray.manifest.canonical import digest_json
from mlops_ray.manifest.document import Document
from mlops_ray.manifest.envelope import ObjectFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["StageRecord", "key_of"]

_KEY_SCHEMA: Final = "mlops-ray/stage-key/v1"


class StageRecord(Document):
    """What one stage read, ran and wrote.

    Attributes:
        stage: Its name, such as ``split``.
        key: `key_of` the five members that follow.
        inputs: Digests of what it read, by name.
        params: Every declared value that it looks at.
        code: Digests of the files that its module imports, itself included, by POSIX path.
        packages: Versions of the packages that can change it.
        outputs: Digests of what it put out, by name.
        objects: Objects in the store that a reader of the outputs needs.
    """

    schema_: Literal["mlops-ray/stage/v1"] = "mlops-ray/stage/v1"
    stage: str
    key: str
    inputs: dict[str, str]
    params: Any = None
    code: dict[str, str]
    packages: dict[str, str]
    outputs: dict[str, str]
    objects: list[ObjectFacts]

    @property
    def is_under_its_key(self) -> bool:
        """Whether the key is the digest of what the record says it is."""
        return self.key == key_of(self.stage, self.inputs, self.params, self.code, self.packages)


def key_of(
    stage: str,
    inputs: Mapping[str, str],
    params: Any,  # noqa: ANN401 - any JSON value
    code: Mapping[str, str],
    packages: Mapping[str, str],
) -> str:
    """The digest under which a stage's record is found; another of anything gives another key.

    Raises:
        ManifestError: The parameters are not JSON.

    Example:
        >>> key = key_of("split", {"rows": "sha256:0"}, {"seed": 1}, {}, {})
        >>> key == key_of("split", {"rows": "sha256:0"}, {"seed": 2}, {}, {})
        False
    """
    content = {
        "schema": _KEY_SCHEMA,
        "stage": stage,
        "inputs": dict(inputs),
        "params": params,
        "code": dict(code),
        "packages": dict(packages),
    }
    return digest_json(content)
