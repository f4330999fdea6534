import numpy as np
import pytest

from mlops_ray.data.packed import pack, unpack
from mlops_ray.errors import ManifestError


def test_arrays_of_every_type_come_back_in_their_order():
    given = [np.arange(3), np.array([0.5, -1.0]), np.zeros(0, np.uint8), np.array([-7], np.int32)]

    content, arrays = unpack(pack({"n": 2**60, "s": "é"}, given))

    assert content == {"n": str(2**60), "s": "é"}
    for array, expected in zip(arrays, given, strict=True):
        assert array.dtype == expected.dtype
        assert array.tolist() == expected.tolist()


def test_the_machine_and_the_layout_in_memory_do_not_show():
    values = np.arange(6, dtype=np.int64)

    assert pack(None, [values.astype(">i8")]) == pack(None, [values])
    assert pack(None, [np.repeat(values, 2)[::2]]) == pack(None, [values])


def test_other_bytes_are_refused():
    with pytest.raises(ManifestError, match="not packed"):
        unpack(b"PAR1 something")
