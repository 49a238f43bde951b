"""What `WorkspaceClient.experiments` and `.model_registry` of databricks-sdk ask of the routes that are there; the rest says 404 ENDPOINT_NOT_FOUND."""

import os
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk import errors
from databricks.sdk.service import ml

PREFIX = os.environ.get("FLOW_PREFIX", "sdk")
# Of a server without accounts.
ME = os.environ.get("SDK_USER", "local")
workspace = WorkspaceClient(host=os.environ["MLFLOW_TRACKING_URI"], token="x")
experiments, registry = workspace.experiments, workspace.model_registry


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r} instead of {wanted!r}"


def expect_error(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def not_served_yet(call):
    try:
        result = call()
        if hasattr(result, "__next__"):
            next(result, None)
    except errors.NotFound as error:
        expect(error.error_code, "ENDPOINT_NOT_FOUND")
        return
    raise AssertionError("it is served now: say so here")


def experiments_and_runs():
    name = f"{PREFIX}/sdk"
    exp = experiments.create_experiment(name, tags=[ml.ExperimentTag(key="from", value=PREFIX)]).experiment_id
    expect(experiments.get_experiment(exp).experiment.name, name)
    expect(experiments.get_by_name(name).experiment.experiment_id, exp)
    assert exp in [e.experiment_id for e in experiments.list_experiments()]
    assert exp in [e.experiment_id for e in experiments.list_experiments(max_results=1)]
    # No max_results.
    expect([e.experiment_id for e in experiments.search_experiments(filter=f"tags.`from` = '{PREFIX}'")], [exp])
    experiments.set_experiment_tag(exp, "note", "mine")
    experiments.update_experiment(exp, new_name=f"{name}-2")
    expect(experiments.get_experiment(exp).experiment.name, f"{name}-2")
    now = int(time.time() * 1000)
    run = experiments.create_run(experiment_id=exp, run_name="one", start_time=now).run.info.run_id
    experiments.log_param("lr", "0.1", run_id=run)
    experiments.log_metric("loss", 0.5, now, run_id=run, step=1)
    experiments.log_batch(run_id=run, metrics=[ml.Metric(key="loss", value=0.25, timestamp=now, step=2)], tags=[ml.RunTag(key="a", value="b")])
    experiments.set_tag("team", "vision", run_id=run)
    experiments.delete_tag(run, "a")
    source = ml.Dataset(name="iris", digest="d1", source_type="http", source="https://data.example")
    experiments.log_inputs(run, datasets=[ml.DatasetInput(dataset=source)])
    experiments.update_run(run_id=run, status=ml.UpdateRunStatus.FINISHED, end_time=now + 1)
    data = experiments.get_run(run).run
    expect(({p.key: p.value for p in data.data.params}, data.info.status.value), ({"lr": "0.1"}, "FINISHED"))
    expect([(m.step, m.value) for m in experiments.get_history("loss", run_id=run)], [(1, 0.5), (2, 0.25)])
    # No max_results, here and below.
    expect([r.info.run_id for r in experiments.search_runs(experiment_ids=[exp], filter="metrics.loss < 1")], [run])
    expect(list(experiments.list_artifacts(run_id=run)), [])
    experiments.delete_run(run)
    experiments.restore_run(run)
    experiments.delete_experiment(exp)
    experiments.restore_experiment(exp)
    expect_error(errors.ResourceDoesNotExist, lambda: experiments.get_experiment("987654321"))
    expect_error(errors.BadRequest, lambda: list(experiments.search_runs(experiment_ids=[exp], filter="!!")))
    return exp, run


def logged_models(exp, run):
    model = experiments.create_logged_model(
        exp, name="agent", source_run_id=run, params=[ml.LoggedModelParameter(key="t", value="0.1")]
    ).model
    model_id = model.info.model_id
    # The model is named in the path alone.
    experiments.log_logged_model_params(model_id, params=[ml.LoggedModelParameter(key="k", value="5")])
    experiments.set_logged_model_tags(model_id, tags=[ml.LoggedModelTag(key="stage", value="final"), ml.LoggedModelTag(key="gone", value="x")])
    experiments.delete_logged_model_tag(model_id, "gone")
    ready = experiments.finalize_logged_model(model_id, ml.LoggedModelStatus.LOGGED_MODEL_READY).model
    expect(ready.info.status.value, "LOGGED_MODEL_READY")
    got = experiments.get_logged_model(model_id).model
    expect({p.key: p.value for p in got.data.params}, {"t": "0.1", "k": "5"})
    expect([t.value for t in got.info.tags if t.key == "stage"], ["final"])
    found = experiments.search_logged_models(experiment_ids=[exp]).models
    expect([m.info.model_id for m in found], [model_id])
    experiments.log_outputs(run, models=[ml.ModelOutput(model_id=model_id, step=0)])
    experiments.delete_logged_model(model_id)


def registered_models(run):
    name = f"{PREFIX}.sdk"
    model = registry.create_model(name, description="one", tags=[ml.ModelTag(key="team", value="vision")]).registered_model
    expect((model.name, model.description), (name, "one"))
    expect_error(errors.ResourceConflict, lambda: registry.create_model(name))
    registry.create_model(f"{name}-other")
    registry.update_model(name, description="two")
    registry.set_model_tag(name, "tier", "1")
    registry.delete_model_tag(name, "team")
    assert {name, f"{name}-other"} <= {m.name for m in registry.list_models()}
    assert {name, f"{name}-other"} <= {m.name for m in registry.list_models(max_results=1)}
    expect([m.name for m in registry.search_models(filter=f"name LIKE '{name}%'", order_by=["name DESC"], max_results=1)], [f"{name}-other", name])
    source = experiments.get_run(run).run.info.artifact_uri
    for i in range(3):
        version = registry.create_model_version(name, f"{source}/m{i}", run_id=run, tags=[ml.ModelVersionTag(key="i", value=str(i))])
        expect((version.model_version.version, version.model_version.status.value), (str(i + 1), "READY"))
    registry.update_model_version(name, "1", description="first")
    registry.set_model_version_tag(name, "1", "checked", "yes")
    registry.delete_model_version_tag(name, "1", "i")
    got = registry.get_model_version(name, "1").model_version
    expect((got.description, [(t.key, t.value) for t in got.tags]), ("first", [("checked", "yes")]))
    assert registry.get_model_version_download_uri(name, "1").artifact_uri
    # As the MLflow client moves it; the SDK's own transition comes with governance.
    workspace.api_client.do(
        "POST",
        "/api/2.0/mlflow/model-versions/transition-stage",
        body={"name": name, "version": "2", "stage": "Production", "archive_existing_versions": "true"},
    )
    expect([(v.version, v.current_stage) for v in registry.get_latest_versions(name, stages=["Production"])], [("2", "Production")])
    expect(sorted(v.version for v in registry.get_latest_versions(name)), ["2", "3"])
    found = registry.search_model_versions(filter=f"name = '{name}'", order_by=["version_number ASC"], max_results=2)
    expect([v.version for v in found], ["1", "2", "3"])
    registry.delete_model_version(name, "3")
    expect_error(errors.ResourceDoesNotExist, lambda: registry.get_model_version(name, "3"))
    registry.rename_model(name, new_name=f"{name}-new")
    registry.delete_model(f"{name}-new")
    registry.delete_model(f"{name}-other")
    expect([m.name for m in registry.search_models(filter=f"name LIKE '{name}%'")], [])


def databricks_forms():
    """Of models and versions: what MLflow's calls answer, with ids, people and the caller's level."""
    name = f"{PREFIX}.forms"
    registry.create_model(name, description="words", tags=[ml.ModelTag(key="a", value="b")])
    registry.create_model_version(name, "s3://elsewhere/x")
    registry.create_model_version(name, "s3://elsewhere/x")
    model = registry.get_model(name).registered_model_databricks
    expect((model.name, model.description, model.user_id), (name, "words", ME))
    expect((model.permission_level, [v.version for v in model.latest_versions]), (ml.PermissionLevel.CAN_MANAGE, ["2"]))
    for version in ["1", "2"]:
        moved = registry.transition_stage(name, version, "production", archive_existing_versions=True, comment="go").model_version_databricks
        expect((moved.version, moved.current_stage, moved.user_id), (version, "Production", ME))
        expect(moved.permission_level, ml.PermissionLevel.CAN_MANAGE)
    expect(registry.get_model_version(name, "1").model_version.current_stage, "Archived")
    # Notebooks always say whether to archive, also where there is nothing to.
    expect(registry.transition_stage(name, "1", "None", archive_existing_versions=True).model_version_databricks.current_stage, "None")
    expect_error(errors.ResourceDoesNotExist, lambda: registry.get_model(f"{name}-no"))
    expect_error(errors.InvalidParameterValue, lambda: registry.transition_stage(name, "1", "Nowhere", False))


def current_user():
    me = workspace.current_user.me()
    expect((me.user_name, me.active, bool(me.id)), (ME, True, True))


GOVERNANCE = {
    "create_transition_request": lambda: registry.create_transition_request("m", "1", "Staging"),
    "list_transition_requests": lambda: registry.list_transition_requests("m", "1"),
    "create_comment": lambda: registry.create_comment("m", "1", "words"),
    "list_webhooks": lambda: registry.list_webhooks(),
}

exp, run = experiments_and_runs()
logged_models(exp, run)
registered_models(run)
databricks_forms()
current_user()
for call in GOVERNANCE.values():
    not_served_yet(call)
print("ok")
