"""What notebooks do with runs, artifacts and experiments, through the real client."""

import inspect
import math
import os
import tempfile
import time

import mlflow
import numpy as np
import pandas as pd
from flows import PREFIX, RELEASE, NotInThisRelease, every_page, expect, expect_error, since
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from packaging.version import Version

client = MlflowClient()
FLOAT_MAX = 1.7976931348623157e308


def experiment(name):
    return mlflow.set_experiment(f"{PREFIX}/{name}").experiment_id


def runs_nested_and_failed():
    exp = experiment("runs")
    with mlflow.start_run(run_name="parent", description="of two") as parent:
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.set_tag("depth", 1)
    try:
        with mlflow.start_run(run_name="broken") as broken:
            raise ValueError("on purpose")
    except ValueError:
        pass
    expect(client.get_run(parent.info.run_id).info.status, "FINISHED")
    expect(client.get_run(broken.info.run_id).info.status, "FAILED")
    child = client.get_run(child.info.run_id)
    expect(child.data.tags["mlflow.parentRunId"], parent.info.run_id)
    expect(child.data.tags["depth"], "1")
    assert child.info.end_time >= child.info.start_time
    with mlflow.start_run(run_id=parent.info.run_id):
        mlflow.log_param("resumed", True)
    expect(client.get_run(parent.info.run_id).data.params["resumed"], "True")
    client.delete_run(broken.info.run_id)
    expect(len(client.search_runs([exp])), 2)
    expect(len(client.search_runs([exp], run_view_type=ViewType.ALL)), 3)
    client.restore_run(broken.info.run_id)
    expect(client.get_run(broken.info.run_id).info.lifecycle_stage, "active")
    children = client.search_runs([exp], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    expect([run.info.run_id for run in children], [child.info.run_id])


def params_metrics_and_tags():
    experiment("values")
    with mlflow.start_run() as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({f"p{i}": i for i in range(150)})
        mlflow.log_params({"empty": "", "words": "ünïcode 'quoted' \"twice\" 日本", "long": "x" * 5000})
        mlflow.log_metric("loss", 0.5, step=1)
        mlflow.log_metrics({"loss": 0.25, "accuracy": 0.75}, step=2)
        for name, value in {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "tiny": 5e-324, "third": 1 / 3}.items():
            mlflow.log_metric(name, value)
        mlflow.log_metric("far", 1.0, step=2**53 + 1)
        mlflow.log_metric("farthest", 1.0, step=2**63 - 1)
        mlflow.log_metric("before", 1.0, step=-5)
        mlflow.set_tag("team", "vision")
        mlflow.set_tags({"a": "1", "b": "2", "gone": "3"})
        mlflow.delete_tag("gone")
    run_id = run.info.run_id
    data = client.get_run(run_id).data
    expect(len(data.params), 154)
    expect(data.params["lr"], "0.1")
    expect(data.params["words"], "ünïcode 'quoted' \"twice\" 日本")
    expect(len(data.params["long"]), 5000)
    expect((data.metrics["loss"], data.metrics["accuracy"]), (0.25, 0.75))
    assert math.isnan(data.metrics["nan"])
    expect((data.metrics["inf"], data.metrics["-inf"]), (FLOAT_MAX, -FLOAT_MAX))
    expect((data.metrics["tiny"], data.metrics["third"]), (5e-324, 1 / 3))
    assert "gone" not in data.tags and data.tags["team"] == "vision"
    steps = {name: client.get_metric_history(run_id, name)[0].step for name in ("far", "farthest", "before")}
    expect(steps, {"far": 2**53 + 1, "farthest": 2**63 - 1, "before": -5})
    expect([(m.step, m.value) for m in client.get_metric_history(run_id, "loss")], [(1, 0.5), (2, 0.25)])
    expect_error("INVALID_PARAMETER_VALUE", "lr", lambda: client.log_param(run_id, "lr", 0.2))
    expect_error("RESOURCE_DOES_NOT_EXIST", "none", lambda: client.get_run("none"))


def a_long_metric_history():
    run = client.create_run(experiment("history"))
    now = int(time.time() * 1000)
    for start in range(0, 25_500, 1000):
        points = [Metric("long", float(i), now + i, i) for i in range(start, min(start + 1000, 25_500))]
        client.log_batch(run.info.run_id, metrics=points)
    history = client.get_metric_history(run.info.run_id, "long")
    expect(sorted(m.step for m in history), list(range(25_500)))
    expect(client.get_run(run.info.run_id).data.metrics["long"], 25_499.0)


def async_logging():
    if "synchronous" not in inspect.signature(mlflow.log_metric).parameters:
        raise NotInThisRelease("since 2.8")
    experiment("async")
    with mlflow.start_run() as run:
        waiting = [mlflow.log_metric("m", i, step=i, synchronous=False) for i in range(200)]
        waiting.append(mlflow.log_params({"p": 1}, synchronous=False))
        waiting.append(mlflow.log_metrics({"x": 1.0, "y": 2.0}, synchronous=False))
        for operation in waiting:
            operation.wait()
    run_id = run.info.run_id
    expect(sorted(m.step for m in client.get_metric_history(run_id, "m")), list(range(200)))
    data = client.get_run(run_id).data
    expect((data.metrics["m"], data.metrics["x"], data.params["p"]), (199.0, 1.0, "1"))


def artifacts():
    experiment("artifacts")
    folder = tempfile.mkdtemp()
    names = ["plain.txt", "with space.txt", "plus+and&.txt", "日本.txt", "semi;colon=.txt", os.path.join("sub", "deep", "x.bin")]
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name.encode() * 1000)
    open(os.path.join(folder, "empty"), "w").close()
    with mlflow.start_run() as run:
        mlflow.log_artifacts(folder, "all")
        mlflow.log_artifact(os.path.join(folder, "plain.txt"))
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"k": [1, 2]}, "conf.json")
        mlflow.log_dict({"k": [1, 2]}, "conf.yaml")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
        has_image_keys = "key" in inspect.signature(mlflow.log_image).parameters
        if has_image_keys:
            # Up to 3.4 at least the names are `seen%step%12%timestamp%…`: what looks percent-encoded there isn't.
            for step in (3, 12, 85):
                mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), key="seen", step=step)
            mlflow.flush_artifact_async_logging()
    run_id = run.info.run_id
    # Each picture and its small copy, uploaded in the background.
    expect(len(client.list_artifacts(run_id, "images")), 6 if has_image_keys else 0)
    top = {f.path: f.is_dir for f in client.list_artifacts(run_id)}
    top.pop("images", None)
    expect(top, {"all": True, "notes": True, "plain.txt": False, "conf.json": False, "conf.yaml": False, "black.png": False})
    listed = {f.path: f.file_size for f in client.list_artifacts(run_id, "all") if not f.is_dir}
    expect(listed["all/日本.txt"], len("日本.txt".encode()) * 1000)
    expect(len(listed), 6)
    expect([f.path for f in client.list_artifacts(run_id, "all/sub")], ["all/sub/deep"])
    fetched = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="all", dst_path=tempfile.mkdtemp())
    for name in names:
        with open(os.path.join(fetched, name), "rb") as file:
            assert file.read() == name.encode() * 1000, name
    expect(os.path.getsize(os.path.join(fetched, "empty")), 0)
    expect(mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt"), "hello")
    expect(mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/conf.json"), {"k": [1, 2]})
    expect(mlflow.artifacts.load_image(f"{run.info.artifact_uri}/black.png").size, (4, 4))
    expect(client.list_artifacts(run_id, "nowhere"), [])
    try:
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="nowhere.txt", dst_path=tempfile.mkdtemp())
    except Exception as error:
        assert "404" in str(error) or "nowhere" in str(error), error
    else:
        raise AssertionError("a missing artifact was downloaded")


@since("2.4")
def tables():
    exp = experiment("tables")
    with mlflow.start_run() as first:
        mlflow.log_table({"q": ["a"], "score": [1]}, "table.json")
        mlflow.log_table(pd.DataFrame({"q": ["b"], "score": [2]}), "table.json")
    with mlflow.start_run():
        mlflow.log_table({"q": ["c"], "score": [3]}, "table.json")
    expect(sorted(mlflow.load_table("table.json")["q"]), ["a", "b", "c"])
    one = mlflow.load_table("table.json", run_ids=[first.info.run_id], extra_columns=["run_id"])
    expect(list(one["run_id"]), [first.info.run_id] * 2)
    expect(len(client.search_runs([exp], 'tags.mlflow.loggedArtifacts LIKE \'%"path": "table.json"%\'')), 2)


def searching_runs():
    exp = experiment("search")
    for i in range(12):
        run = client.create_run(exp, tags={"parity": "even" if i % 2 == 0 else "odd"}, start_time=1_000 + i)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric("score", i / 10, 1, 0)] if i != 5 else [],
            params=[Param("depth", str(i))],
            tags=[RunTag("group one", "x")],
        )
        client.set_terminated(run.info.run_id, "FINISHED" if i < 10 else "KILLED")
    runs, pages = every_page(lambda token: client.search_runs([exp], max_results=5, order_by=["metrics.score DESC"], page_token=token))
    expect(pages, 3)
    expect([run.data.params["depth"] for run in runs], ["11", "10", "9", "8", "7", "6", "4", "3", "2", "1", "0", "5"])

    def depths(filter_string, **options):
        return [run.data.params["depth"] for run in client.search_runs([exp], filter_string, **options)]

    expect(depths("metrics.score >= 0.9 and tags.parity = 'odd'", order_by=["attributes.start_time ASC"]), ["9", "11"])
    expect(depths("params.depth LIKE '1%' and attributes.status = 'KILLED'", order_by=["params.depth"]), ["10", "11"])
    expect(depths("tags.`group one` = 'x' and params.depth = '3'"), ["3"])
    expect(depths("attributes.start_time > 1009 and metrics.score < 1.1"), ["10"])
    expect(depths("tags.parity ILIKE 'EVEN' and metrics.score = 0.2"), ["2"])
    expect_error("INVALID_PARAMETER_VALUE", "", lambda: client.search_runs([exp], "metrics.score !! 3"))
    frame = mlflow.search_runs([exp], "metrics.score > 0.75", order_by=["metrics.score ASC"])
    expect(list(frame["params.depth"]), ["8", "9", "10", "11"])
    expect(len(mlflow.search_runs(experiment_names=[f"{PREFIX}/search"], max_results=7, output_format="list")), 7)


def experiments():
    name = f"{PREFIX}/life"
    ids = [mlflow.create_experiment(f"{name}-{i}", tags={"area": "a" if i < 3 else "b", "from": PREFIX}) for i in range(5)]
    expect_error("RESOURCE_ALREADY_EXISTS", f"{name}-0", lambda: mlflow.create_experiment(f"{name}-0"))
    client.rename_experiment(ids[0], f"{name}-renamed")
    expect(mlflow.get_experiment(ids[0]).name, f"{name}-renamed")
    expect(mlflow.get_experiment_by_name(f"{name}-0"), None)
    client.set_experiment_tag(ids[1], "note", "mine")
    expect(mlflow.get_experiment(ids[1]).tags["note"], "mine")
    mine = f"tags.from = '{PREFIX}'"
    found, pages = every_page(
        lambda token: client.search_experiments(filter_string=mine, max_results=2, order_by=["name DESC"], page_token=token)
    )
    expect((len(found), pages, found[0].name), (5, 3, f"{name}-renamed"))
    expect(len(mlflow.search_experiments(filter_string=f"{mine} AND tags.area = 'b'")), 2)
    expect(len(mlflow.search_experiments(filter_string=f"name LIKE '{name}-%'")), 5)
    mlflow.delete_experiment(ids[4])
    expect(mlflow.get_experiment(ids[4]).lifecycle_stage, "deleted")
    expect([e.experiment_id for e in mlflow.search_experiments(ViewType.DELETED_ONLY, filter_string=mine)], [ids[4]])
    client.restore_experiment(ids[4])
    expect(mlflow.get_experiment(ids[4]).lifecycle_stage, "active")
    expect_error("RESOURCE_DOES_NOT_EXIST", "123456789", lambda: mlflow.get_experiment("123456789"))


@since("2.4")
def dataset_inputs():
    exp = experiment("datasets")
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    with mlflow.start_run() as run:
        dataset = mlflow.data.from_pandas(frame, source="https://data.example/iris.csv", name="iris", targets="y")
        mlflow.log_input(dataset, context="training", tags={"fold": "1"})
        mlflow.log_input(dataset, context="training")
    inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
    expect(len(inputs), 1)
    expect((inputs[0].dataset.name, inputs[0].dataset.digest), ("iris", dataset.digest))
    expect({tag.key: tag.value for tag in inputs[0].tags}["mlflow.data.context"], "training")
    expect(mlflow.data.get_source(inputs[0]).url, "https://data.example/iris.csv")
    found = client.search_runs([exp], f"datasets.name = 'iris' AND dataset.digest = '{dataset.digest}'")
    expect([each.info.run_id for each in found], [run.info.run_id])


def sklearn_autolog():
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    exp = experiment("autolog")
    X, y = load_iris(return_X_y=True, as_frame=True)
    mlflow.sklearn.autolog(silent=True)
    try:
        with mlflow.start_run() as run:
            model = LogisticRegression(max_iter=300).fit(X, y)
            model.score(X, y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = client.search_runs([exp])[0]
    expect(logged.info.run_id, run.info.run_id)
    expect(logged.data.params["max_iter"], "300")
    assert "training_accuracy_score" in logged.data.metrics, logged.data.metrics
    assert any("score" in key and "X" in key or "unknown" in key for key in logged.data.metrics), logged.data.metrics
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict(X) == model.predict(X)).all()
    if Version("2.4") <= RELEASE:
        expect(len(logged.inputs.dataset_inputs) > 0, True)


TRACKING = [
    runs_nested_and_failed,
    params_metrics_and_tags,
    a_long_metric_history,
    async_logging,
    artifacts,
    tables,
    searching_runs,
    experiments,
    dataset_inputs,
    sklearn_autolog,
]
