"""One registered model per environment, aliases, and a copy from dev to prod: what MLflow advises today.

Run with MLFLOW_TRACKING_URI set (default http://127.0.0.1:5000).
"""

import inspect
import os

import mlflow
import mlflow.sklearn
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

DEV = os.environ.get("DEV_MODEL_NAME", "dev.sample")
PROD = os.environ.get("PROD_MODEL_NAME", "prod.sample")

mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"))
mlflow.set_experiment(os.environ.get("EXPERIMENT_NAME", "iris"))
client = MlflowClient()
pickled = {"serialization_format": "cloudpickle"} if "skops" in inspect.getsource(mlflow.sklearn) else {}

X, y = load_iris(return_X_y=True)
models = []
for c in (0.01, 1.0):
    with mlflow.start_run():
        model = LogisticRegression(C=c, max_iter=500).fit(X, y)
        mlflow.sklearn.log_model(model, "sample_model", registered_model_name=DEV, **pickled)
        models.append(model)

# Try the challenger, then make it the champion of dev.
client.set_registered_model_alias(DEV, "challenger", "2")
assert (mlflow.pyfunc.load_model(f"models:/{DEV}@challenger").predict(X) == models[1].predict(X)).all()
client.set_registered_model_alias(DEV, "champion", "2")

# Into production: a copy of the very bytes, with its lineage.
copied = client.copy_model_version(f"models:/{DEV}@champion", PROD)
client.set_registered_model_alias(PROD, "champion", copied.version)
assert (mlflow.pyfunc.load_model(f"models:/{PROD}@champion").predict(X) == models[1].predict(X)).all()
assert copied.run_id == client.get_model_version(DEV, "2").run_id

# Roll back: copy the older version and move the alias.
older = client.copy_model_version(f"models:/{DEV}/1", PROD)
client.set_registered_model_alias(PROD, "champion", older.version)
assert (mlflow.pyfunc.load_model(f"models:/{PROD}@champion").predict(X) == models[0].predict(X)).all()
assert client.get_model_version_by_alias(PROD, "champion").version == older.version
print(f"{DEV} → {PROD}: copied, promoted by alias, rolled back")
