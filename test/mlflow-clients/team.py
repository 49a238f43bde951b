"""A data scientist's day inside a workspace, with nothing but the tracking URI and a token in the environment."""

import os
import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from sklearn.linear_model import LogisticRegression

workspace, marker = sys.argv[1:3]
mlflow.set_workspace(workspace)
client = MlflowClient()
features = np.arange(60).reshape(20, 3)
labels = (features[:, 0] > 30).astype(int)

mlflow.set_experiment("churn")
for number in range(2):
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 0.9 + number / 100)
        mlflow.log_text(marker, "notes.txt")
        mlflow.sklearn.log_model(
            LogisticRegression().fit(features, labels),
            name="model",
            registered_model_name="risk.churn",
            serialization_format="cloudpickle",
        )

client.transition_model_version_stage("risk.churn", "2", "Production", archive_existing_versions=True)
assert mlflow.pyfunc.load_model("models:/risk.churn/Production").predict(features).tolist() == labels.tolist()
client.set_registered_model_alias("risk.churn", "champion", "1")
assert mlflow.pyfunc.load_model("models:/risk.churn@champion").predict(features).shape == (20,)
assert [model.name for model in client.search_registered_models()] == ["risk.churn"]


def refusal(call):
    try:
        call()
    except RestException as error:
        return error.error_code, error.message
    raise AssertionError("it was not refused")


code, message = refusal(lambda: client.create_registered_model("churn"))
assert code == "INVALID_PARAMETER_VALUE" and "Call it risk.<name>" in message, (code, message)
code, message = refusal(lambda: client.create_model_version("risk.churn", "models:/risk.churn/1"))
assert "quota" in message.lower(), (code, message)

mlflow.set_workspace("people")
code, message = refusal(lambda: client.get_registered_model("people.salaries"))
assert code == "RESOURCE_DOES_NOT_EXIST" and "Workspace 'people' not found" in message, (code, message)
print("done", os.environ["MLFLOW_TRACKING_URI"])
