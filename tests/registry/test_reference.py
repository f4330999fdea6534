from __future__ import annotations

import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.registry import ModelReference, parse_reference


def test_name_alone_means_the_champion():
    assert parse_reference("churn") == ModelReference("churn", None, "champion")


def test_number_is_a_version_and_a_word_an_alias():
    assert parse_reference("m@12") == ModelReference("m", 12, None)
    assert parse_reference("m@blue.2") == ModelReference("m", None, "blue.2")


@pytest.mark.parametrize(
    "text",
    ["", "@1", "m@", "m@0", "m@-1", "m@01", "m@1.5", "M", "../m", "a%2fb", "a/b", "m" * 64,
     "m@latest ", "m@1\n", "m\n", "m@a@b", "m\u043edel", "m@9999999999", "m\x00"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_pattern(text):
    with pytest.raises(ConfigError, match="match"):
        parse_reference(text)
