"""The Open Inference Protocol, version 2: JSON requests to columns, outputs to JSON.

Source: KServe, "Open Inference Protocol", rest/inference_rest.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.serve.strict_json import parse_json
from mlops_ray.serve.v2_tensor import DATATYPES, decode_column, refused

if TYPE_CHECKING:
    from mlops_ray.models.outputs import Outputs
    from mlops_ray.models.signature import InputField, Signature
    from mlops_ray.serve.identity import Identity

__all__ = ["InferRequest", "decode_infer", "encode_infer", "model_metadata"]

_MAX_ID_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A decoded request.

    Attributes:
        id: The client's id for it, sent back as it is; None where there is none.
        columns: Values by input name, all of one length, in the signature's order.
        outputs: Names of the outputs wanted, in the order wanted.
    """

    id: str | None
    columns: dict[str, list[Any]]
    outputs: tuple[str, ...]


def decode_infer(body: bytes, signature: Signature) -> InferRequest:
    """Read and check an inference request.

    Raises:
        RefusedError: Status 400, or 415 for binary tensors.
    """
    request = parse_json(body)
    if not isinstance(request, dict):
        raise refused("body must be an object", "")
    columns = _columns(request.get("inputs"), signature)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise refused(f"inputs have different lengths: {sorted(lengths)[:5]}", "inputs")
    return InferRequest(_id(request.get("id")), columns, _outputs(request, signature))


def encode_infer(
    outputs: Outputs, request: InferRequest, signature: Signature, identity: Identity
) -> bytes:
    """The answer to an inference request; every output as a flat JSON tensor."""
    lists = outputs.to_json()
    answer: dict[str, Any] = {
        "model_name": identity.model,
        "model_version": str(identity.version),
    }
    if request.id is not None:
        answer["id"] = request.id
    answer["outputs"] = [_tensor(name, lists[name], signature) for name in request.outputs]
    return json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()


def model_metadata(signature: Signature, identity: Identity) -> dict[str, Any]:
    """The model's metadata.

    ``parameters.classes`` gives the order of the probabilities, ``parameters.threshold`` from which
    of them on the second class is told.
    """
    inputs = [
        {"name": field.name, "datatype": DATATYPES[field.dtype], "shape": [-1]}
        for field in signature.inputs
    ]
    outputs: list[dict[str, Any]] = []
    for name in signature.output_names:
        shape = [-1, signature.n_classes] if name == "probability" else [-1]
        outputs.append({"name": name, "datatype": _datatype(name, signature), "shape": shape})
        if name == "probability":
            outputs[-1]["parameters"] = {"classes": list(signature.classes)}
        elif name == "label" and signature.threshold is not None:
            outputs[-1]["parameters"] = {"threshold": signature.threshold}
    return {
        "name": identity.model,
        "versions": [str(identity.version)],
        "platform": signature.platform,
        "inputs": inputs,
        "outputs": outputs,
    }


def _columns(inputs: Any, signature: Signature) -> dict[str, list[Any]]:  # noqa: ANN401 - any JSON value
    fields = {field.name: field for field in signature.inputs}
    if not isinstance(inputs, list) or not inputs:
        raise refused("'inputs' must be a list with one tensor an input", "inputs", _wanted(fields))
    found: dict[str, list[Any]] = {}
    for index, tensor in enumerate(inputs):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str) or name not in fields:
            raise refused("not an input of the model", f"inputs[{index}]", _wanted(fields))
        if name in found:
            raise refused("input is given twice", name)
        found[name] = decode_column(tensor, fields[name])
    missing = [name for name in fields if name not in found]
    if missing:
        raise refused(f"{len(missing)} of {len(fields)} inputs are missing", missing[0])
    return {name: found[name] for name in fields}


def _wanted(fields: dict[str, InputField]) -> str:
    shown = ", ".join(list(fields)[:20])
    return f"inputs are {shown}" + (f" and {len(fields) - 20} more" if len(fields) > 20 else "")


def _outputs(request: dict[str, Any], signature: Signature) -> tuple[str, ...]:
    wanted = request.get("outputs")
    if wanted is None or wanted == []:
        return signature.output_names
    hint = f"outputs are {', '.join(signature.output_names)}"
    if not isinstance(wanted, list):
        raise refused("'outputs' must be a list", "outputs", hint)
    names: list[str] = []
    for index, output in enumerate(wanted):
        name = output.get("name") if isinstance(output, dict) else None
        if name not in signature.output_names or name in names:
            raise refused("not an output of the model, or given twice", f"outputs[{index}]", hint)
        parameters = output.get("parameters")
        if isinstance(parameters, dict) and "classification" in parameters:
            raise refused("the classification extension is not supported", f"outputs[{index}]")
        names.append(name)
    return tuple(names)


def _id(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MAX_ID_LENGTH or not value.isprintable():
        raise refused(f"'id' must be a printable string of at most {_MAX_ID_LENGTH}", "id")
    return value


def _tensor(name: str, values: list[Any], signature: Signature) -> dict[str, Any]:
    shape = [len(values)]
    if name == "probability":
        shape.append(signature.n_classes)
        values = [share for row in values for share in row]
    datatype = _datatype(name, signature)
    return {"name": name, "datatype": datatype, "shape": shape, "data": values}


def _datatype(output: str, signature: Signature) -> str:
    if output != "label":
        return "FP64"
    first = signature.classes[0]
    if isinstance(first, bool):
        return "BOOL"
    return "INT64" if isinstance(first, int) else "BYTES"
