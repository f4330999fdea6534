import numpy as np

from mlops_ray.features import CategoryInput, FeatureState, NumberInput
from mlops_ray.features.kernels import Kernel

PLAIN = Kernel.of(FeatureState((NumberInput("x", "float", None, None, None),)))


def test_a_number_without_steps_keeps_its_bits_and_its_missing_values():
    values = np.array([[0.1, np.nan, 5e-324, 3e38]])

    assert np.array_equal(PLAIN.scale_numbers(values), values.astype(np.float32), equal_nan=True)


def test_arithmetic_is_done_in_float64_and_rounded_once():
    kernel = Kernel.of(FeatureState((NumberInput("x", "float", None, 1e8, 3.0),)))

    scaled = kernel.scale_numbers(np.array([[1e8 + 1.0]]))

    assert scaled.tolist() == [[float(np.float32(1 / 3))]]


def test_columns_stand_in_the_order_of_the_inputs():
    kernel = Kernel.of(FeatureState((
        CategoryInput("s", "string", ("a", "b")),
        NumberInput("x", "float", None, None, None),
        CategoryInput("t", "string", ("c",)),
    )))  # fmt: skip

    matrix = kernel.assemble(
        np.array([[7, 8, 9]], np.float32), np.array([[1, -1, 0], [0, 0, -1]], np.int32)
    )

    assert matrix.tolist() == [[0, 1, 7, 1], [0, 0, 8, 1], [1, 0, 9, 0]]
