"""The census example beside HistGradientBoosting, on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OrdinalEncoder

import mlops_ray

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(3600)]

CONFIG = Path(__file__).parents[2] / "configs" / "employment.yaml"


class Rival(NamedTuple):
    """A HistGradientBoosting as it was tuned by hand: fitted to train, chosen on valid.

    Attributes:
        as_sets: Whether it parts the census' codes as sets; else it sees them as numbers, as the
            example does.
        params: What is not scikit-learn's default.
    """

    as_sets: bool
    params: dict[str, Any]


# ROC AUC on the validation rows: 0.9058; 0.9063 and 0.9068, each the best of six settings. The
# space of the example was chosen on these rows, too, and its winner has 0.9068 there.
FIRST = Rival(True, {"max_iter": 300, "min_samples_leaf": 50, "l2_regularization": 1.0})
_SLOWER = {"learning_rate": 0.05, "l2_regularization": 1.0, "max_features": 0.5}
SETS = Rival(True, {**_SLOWER, "max_iter": 600, "min_samples_leaf": 50})
NUMBERS = Rival(False, {**_SLOWER, "max_iter": 400, "max_leaf_nodes": 63})
WHOLE = pytest.param(1, ["search.trials=20"], [FIRST, SETS, NUMBERS], marks=pytest.mark.campaign)
# A quarter of the people is learnt by heart sooner: half the rounds, by its own validation rows.
QUARTER = (4, ["search.trials=3", "model.params.n_estimators=200"], [FIRST])


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(("one_person_of", "overrides", "rivals"), [QUARTER, WHOLE])
def test_the_winner_has_at_least_the_auc_of_a_tuned_hist_gradient_boosting(
    one_person_of, overrides, rivals, census, tmp_path
):
    table = pq.read_table(census)
    table = table.filter(pa.array(table["id"].to_numpy() % one_person_of == 0))
    pipeline = mlops_ray.Pipeline(
        CONFIG,
        overrides=overrides,
        data=table,
        store=tmp_path / "store",
        registry=tmp_path / "registry.db",
    )

    done = pipeline.run()

    is_test = pc.greater_equal(table["year"], 2018)
    fitted_to, test = table.filter(pc.invert(is_test)), table.filter(is_test)
    answers = pipeline.project.predictor(done.model_reference).predict_table(test)
    truth = test["employed"].to_numpy()
    found = roc_auc_score(truth, answers.probability[:, 1])
    best = [roc_auc_score(truth, _answers(rival, fitted_to, test)) for rival in rivals]
    shown = ", ".join(f"{auc:.5f}" for auc in best)
    print(f"winner {found:.5f}, HistGradientBoosting {shown}")  # noqa: T201 - pytest -s
    (recorded,) = (
        each.value for each in done.result.metrics if (each.name, each.split) == ("roc_auc", "test")
    )
    assert recorded == pytest.approx(found, abs=1e-12)
    assert found >= max(best)


def _answers(rival, fitted_to, rows):
    """Probabilities of a rival that was fitted to what the winner's last fit was."""
    names = [name for name in fitted_to.column_names if name not in {"id", "year", "employed"}]
    codes = [name for name in names if name != "AGEP"]
    encoder = OrdinalEncoder(
        categories=[sorted(fitted_to[name].unique().to_pylist(), key=int) for name in codes],
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )
    model = HistGradientBoostingClassifier(
        categorical_features=[name in codes for name in names] if rival.as_sets else None,
        early_stopping=False,
        random_state=0,
        **rival.params,
    )
    encoder.fit(_words(fitted_to, codes))

    def matrix(table):
        return np.column_stack([table["AGEP"], encoder.transform(_words(table, codes))])

    assert names[0] == "AGEP"
    model.fit(matrix(fitted_to), fitted_to["employed"].to_numpy())
    return model.predict_proba(matrix(rows))[:, 1]


def _words(table, names):
    return np.column_stack([table[name].to_numpy() for name in names])
