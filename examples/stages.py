"""Register three versions, promote, load, roll back: with stages, as any MLflow client does it.

Run with MLFLOW_TRACKING_URI set (default http://127.0.0.1:5000).
"""

import inspect
import os

import mlflow
import mlflow.sklearn
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

NAME = os.environ.get("MODEL_NAME", "SampleModel")

mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"))
mlflow.set_experiment(os.environ.get("EXPERIMENT_NAME", "iris"))
client = MlflowClient()

# The newest clients save scikit-learn models as skops unless told otherwise, and refuse a random forest in it.
pickled = {"serialization_format": "cloudpickle"} if "skops" in inspect.getsource(mlflow.sklearn) else {}

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=7)

expected = {}
for version, trees in enumerate([1, 5, 20], start=1):
    with mlflow.start_run():
        model = RandomForestClassifier(n_estimators=trees, max_depth=2, random_state=version).fit(X_train, y_train)
        mlflow.log_param("n_estimators", trees)
        mlflow.log_metric("accuracy", model.score(X_test, y_test))
        mlflow.sklearn.log_model(model, "sample_model", registered_model_name=NAME, **pickled)
        expected[version] = model.predict(X_test)

versions = sorted(int(v.version) for v in client.search_model_versions(f"name = '{NAME}'"))
assert versions == [1, 2, 3], versions

# Promote version 2.
client.transition_model_version_stage(NAME, "2", "Production", archive_existing_versions=True)
loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/Production")
assert (loaded.predict(X_test) == expected[2]).all()

# Roll back to version 1; version 2 is archived by the same call.
client.transition_model_version_stage(NAME, "1", "Production", archive_existing_versions=True)
loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/Production")
assert (loaded.predict(X_test) == expected[1]).all()
assert client.get_model_version(NAME, "2").current_stage == "Archived"

# The bytes of a version are sealed: the run's files can go, and the version still loads.
run = client.get_run(client.get_model_version(NAME, "3").run_id)
client.delete_run(run.info.run_id)
loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/3")
assert (loaded.predict(X_test) == expected[3]).all()
print(f"{NAME}: promoted 2, rolled back to 1, loaded by stage and by number")
