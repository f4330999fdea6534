"""`mlops_ray.cli.arguments`: no argument is a secret, whatever the command."""

import pytest

from mlops_ray.cli.arguments import check_arguments
from mlops_ray.errors import ConfigError

TOKEN = "sk-" + "Kq83ZmVxPq92LmNbTz47"


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["run", "p.yaml", "--address", f"ray://me:{TOKEN}@head:10001"], "--address: an"),
        (["run", "p.yaml", f"--store=s3://me:{TOKEN}@bucket"], "--store: an"),
        (["models", "ls", "--registry", f"postgresql://me:{TOKEN}@db/x"], "--registry: an"),
        (["predict", "m@1", f"https://host/x.csv?sig={TOKEN}"], "an argument"),
        (["runs", "show", TOKEN], "an argument"),
        (["run", f"--{TOKEN}=1"], "an argument"),
        (["run", f"--{TOKEN}"], "an argument"),
    ],
)
def test_an_argument_with_a_secret_is_refused_by_its_option_and_kind(arguments, place):
    with pytest.raises(ConfigError, match="seems to hold a secret") as caught:
        check_arguments(arguments)

    assert str(caught.value).startswith(place)
    assert TOKEN not in str(caught.value)


def test_other_arguments_pass_and_those_of_set_are_left_to_the_loader():
    check_arguments(["run", "p.yaml", "--set", f"owner={TOKEN}", "--address", "10.0.0.1:6379"])
    check_arguments(["runs", "sign", "latest", "--key", "key.pem", "--passphrase-env", "PHRASE"])
    check_arguments(["run", "p.yaml", "--store", "s3://bucket/x?sse=aws:kms&kms_key_id=K"])
