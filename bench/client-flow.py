"""The whole flow with the real client: log a model and register it, move it to Production, load it, predict.

Usage: client-flow.py TRACKING_URI ROUNDS; prints one JSON list of milliseconds per round, after one round to warm up.
"""

import json
import logging
import os
import sys
import time
import warnings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
from sklearn.datasets import make_regression  # noqa: E402
from sklearn.ensemble import RandomForestRegressor  # noqa: E402

logging.getLogger("mlflow").setLevel(logging.ERROR)


def one_round(client, model, features, name):
    """Return the milliseconds from the first call to the prediction."""
    started = time.perf_counter()
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="sample_model",
            registered_model_name=name,
            serialization_format="cloudpickle",
            # Named, so that the client doesn't spend seconds on finding them out.
            pip_requirements=["scikit-learn"],
        )
    version = str(logged.registered_model_version)
    client.transition_model_version_stage(name, version, "Production", archive_existing_versions=True)
    prediction = mlflow.pyfunc.load_model(f"models:/{name}/Production").predict(features)
    elapsed = (time.perf_counter() - started) * 1000
    if len(prediction) != len(features):
        raise RuntimeError("the loaded model predicted something else")
    return elapsed


def main():
    """Run the rounds and print what each took."""
    tracking_uri, rounds = sys.argv[1], int(sys.argv[2])
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("client-flow")
    client = mlflow.MlflowClient()
    features, target = make_regression(n_samples=100, n_features=4, random_state=1)
    model = RandomForestRegressor(n_estimators=10, random_state=1).fit(features, target)
    one_round(client, model, features, "FlowModel")
    print(json.dumps([one_round(client, model, features, "FlowModel") for _ in range(rounds)]))


main()
