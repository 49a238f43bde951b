"""Workspaces by MLflow's own client (3.10 and later): made, entered, worked in, left and deleted. The server is open: the caller administers it."""

import tempfile

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
from flows import PREFIX, expect, expect_error, run_all, since
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)
WORKSPACE = PREFIX.replace(".", "-").lower()
NAME = "SampleModel"


def names():
    return [workspace.name for workspace in mlflow.list_workspaces()]


@since("3.10")
def making_and_changing():
    made = mlflow.create_workspace(WORKSPACE, description="Images")
    expect((made.name, made.description, made.default_artifact_root), (WORKSPACE, "Images", None))
    expect_error("RESOURCE_ALREADY_EXISTS", WORKSPACE, lambda: mlflow.create_workspace(WORKSPACE))
    expect("default" in names() and WORKSPACE in names(), True)
    expect(mlflow.get_workspace(WORKSPACE).description, "Images")
    expect(mlflow.update_workspace(WORKSPACE, description="Pictures").description, "Pictures")
    expect(mlflow.update_workspace(WORKSPACE, default_artifact_root="s3://b/x").default_artifact_root, "s3://b/x")
    expect(mlflow.update_workspace(WORKSPACE, default_artifact_root="").default_artifact_root, None)
    expect_error("RESOURCE_DOES_NOT_EXIST", "Workspace 'absent' not found", lambda: mlflow.get_workspace("absent"))
    client = MlflowClient()
    expect(client.get_workspace(WORKSPACE).description, "Pictures")
    expect_error("INVALID_PARAMETER_VALUE", "reserved", lambda: client.create_workspace("default"))


@since("3.10")
def working_in_one():
    mlflow.set_workspace(WORKSPACE)
    try:
        mlflow.set_experiment("cats")
        with mlflow.start_run() as run:
            model = LogisticRegression(max_iter=300).fit(X, y)
            mlflow.log_metric("accuracy", model.score(X, y))
            mlflow.sklearn.log_model(
                model, name="model", registered_model_name=NAME, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
            )
            mlflow.log_text("hello", "notes/hello.txt")
        root = f"mlflow-artifacts:/workspaces/{WORKSPACE}/"
        assert run.info.artifact_uri.startswith(root), run.info.artifact_uri
        client = MlflowClient()
        client.transition_model_version_stage(NAME, "1", "Production")
        loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/Production")
        assert (loaded.predict(X) == model.predict(X)).all()
        assert client.get_model_version_download_uri(NAME, "1").startswith(root), "a sealed version is in its workspace"
        expect([file.path for file in client.list_artifacts(run.info.run_id, "notes")], ["notes/hello.txt"])
        fetched = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="notes/hello.txt", dst_path=tempfile.mkdtemp())
        with open(fetched, encoding="utf-8") as file:
            expect(file.read(), "hello")
        mlflow.artifacts.download_artifacts(f"models:/{NAME}/1", dst_path=tempfile.mkdtemp())
        copied = client.copy_model_version(f"models:/{NAME}/1", "Copied")
        expect((copied.name, copied.version), ("Copied", "1"))
        expect(sorted(model.name for model in client.search_registered_models()), ["Copied", NAME])
        expect(len(mlflow.search_runs(output_format="list")), 1)
    finally:
        mlflow.set_workspace(None)


@since("3.10")
def seeing_nothing_from_outside():
    client = MlflowClient()
    expect_error("RESOURCE_DOES_NOT_EXIST", NAME, lambda: client.get_registered_model(NAME))
    expect([model for model in client.search_registered_models() if model.name == NAME], [])
    expect(client.get_experiment_by_name("cats"), None)
    mlflow.set_workspace("absent")
    try:
        expect_error("RESOURCE_DOES_NOT_EXIST", "Workspace 'absent' not found", lambda: MlflowClient().search_experiments())
    finally:
        mlflow.set_workspace(None)


@since("3.10")
def deleting():
    expect_error("INVALID_STATE", "still contains", lambda: mlflow.delete_workspace(WORKSPACE))
    other = f"{WORKSPACE}-other"
    mlflow.create_workspace(other)
    mlflow.delete_workspace(other)
    mlflow.delete_workspace(WORKSPACE, mode="SET_DEFAULT")
    expect([name for name in names() if name.startswith(WORKSPACE)], [])
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/Production")
    expect(len(loaded.predict(X)), len(X))
    run = MlflowClient().get_model_version(NAME, "1").run_id
    expect([file.path for file in MlflowClient().list_artifacts(run, "notes")], ["notes/hello.txt"])
    mlflow.artifacts.download_artifacts(run_id=run, artifact_path="notes", dst_path=tempfile.mkdtemp())
    mlflow.create_workspace(WORKSPACE)
    mlflow.set_workspace(WORKSPACE)
    mlflow.set_experiment("again")
    mlflow.set_workspace(None)
    mlflow.delete_workspace(WORKSPACE, mode="CASCADE")
    expect([name for name in names() if name.startswith(WORKSPACE)], [])


run_all([making_and_changing, working_in_one, seeing_nothing_from_outside, deleting])
