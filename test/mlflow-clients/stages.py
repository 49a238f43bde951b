"""Stages that the workspace defines, by MLflow's own client. The server has UAT and Canary beside MLflow's four, and edges; see stages.test.ts."""

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
from flows import PREFIX, RELEASE, expect, expect_error, run_all
from mlflow import MlflowClient
from packaging.version import Version
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)
NAME = f"{PREFIX}.staged"
SAVED = {"pip_requirements": ["scikit-learn"], **({"serialization_format": "cloudpickle"} if Version("3.13") <= RELEASE else {})}
client = MlflowClient()


def move(version, stage, archive=False):
    moved = client.transition_model_version_stage(NAME, version, stage, archive_existing_versions=archive)
    return moved.current_stage


def stage_of(version):
    return client.get_model_version(NAME, version).current_stage


def latest(stages=None):
    return {v.current_stage: str(v.version) for v in client.get_latest_versions(NAME, stages)}


def moving_and_loading():
    models = []
    for i in range(3):
        with mlflow.start_run() as run:
            models.append(LogisticRegression(C=10.0 ** (i - 3), max_iter=300).fit(X, y))
            mlflow.sklearn.log_model(models[-1], "model", **SAVED)
        mlflow.register_model(f"runs:/{run.info.run_id}/model", NAME)
    expect(move("1", "UAT"), "UAT")
    expect(move("2", "uat"), "UAT")
    for stage in ("UAT", "uat"):
        loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/{stage}")
        assert (loaded.predict(X) == models[1].predict(X)).all()
    expect(latest(["UAT"]), {"UAT": "2"})
    expect(latest(["uat", "None"]), {"UAT": "2", "None": "3"})
    expect(latest(), {"UAT": "2", "None": "3"})
    expect(latest(["Canary"]), {})
    expect({str(v.version): v.current_stage for v in client.search_model_versions(f"name = '{NAME}'")}, {"1": "UAT", "2": "UAT", "3": "None"})
    expect({v.current_stage: str(v.version) for v in client.get_registered_model(NAME).latest_versions}, {"UAT": "2", "None": "3"})
    found = [model for model in client.search_registered_models(f"name = '{NAME}'")][0]
    expect({v.current_stage: str(v.version) for v in found.latest_versions}, {"UAT": "2", "None": "3"})


def archiving_what_stood_there():
    expect(move("3", "UAT", archive=True), "UAT")
    expect([stage_of(number) for number in ("1", "2", "3")], ["Archived", "Archived", "UAT"])
    # Canary is defined as not active.
    expect_error(
        "INVALID_PARAMETER_VALUE",
        "'Canary' is not an Active stage. Valid stages are Staging, UAT, Production",
        lambda: move("3", "Canary", archive=True),
    )


def going_along_edges_alone():
    expect_error("INVALID_STATE", "From UAT a version goes to Canary, Archived", lambda: move("3", "Production"))
    expect(stage_of("3"), "UAT")
    expect(move("3", "UAT"), "UAT")
    expect(move("3", "Canary"), "Canary")
    expect(move("3", "Production"), "Production")
    mlflow.pyfunc.load_model(f"models:/{NAME}/Production")
    expect_error("INVALID_STATE", "From Production a version goes to Archived", lambda: move("3", "None"))


def a_stage_that_is_not_there():
    words = "Invalid Model Version stage: QA. Value must be one of None, Staging, UAT, Canary, Production, Archived."
    expect_error("INVALID_PARAMETER_VALUE", words, lambda: move("3", "QA"))
    expect_error("INVALID_PARAMETER_VALUE", words, lambda: client.get_latest_versions(NAME, ["QA"]))
    expect_error("INVALID_PARAMETER_VALUE", words, lambda: mlflow.pyfunc.load_model(f"models:/{NAME}/QA"))


def what_the_client_knows_by_itself():
    # It answers this from a list of its own and asks no server.
    expect(client.get_model_version_stages(NAME, "1"), ["None", "Staging", "Production", "Archived"])


run_all(
    [
        moving_and_loading,
        archiving_what_stood_there,
        going_along_edges_alone,
        a_stage_that_is_not_there,
        what_the_client_knows_by_itself,
    ]
)
