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
    # As the MLflow client moves it; the SDK's own transition stands below.
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


def activities(name, version):
    """The SDK lists none: the native API does."""
    answer = workspace.api_client.do("GET", f"/api/v1/models/{name}/versions/{version}/activities", query={"order": "oldest"})
    return [(a["type"], a["comment"], a["from_stage"], a["to_stage"]) for a in answer["activities"]]


def transition_requests():
    name = f"{PREFIX}.asked"
    registry.create_model(name)
    for _ in range(2):
        registry.create_model_version(name, "s3://elsewhere/x")
    Action, Kind = ml.ActivityAction, ml.ActivityType
    before = int(time.time() * 1000)
    asked = registry.create_transition_request(name, "1", "staging", comment="please").request
    expect((asked.to_stage, asked.comment, asked.user_id), ("Staging", "please", ME))
    assert before <= asked.creation_timestamp <= before + 60_000
    everything = {Action.APPROVE_TRANSITION_REQUEST, Action.REJECT_TRANSITION_REQUEST, Action.CANCEL_TRANSITION_REQUEST}
    expect(set(asked.available_actions), everything)
    expect(registry.get_model_version(name, "1").model_version.current_stage, "None")
    expect_error(errors.ResourceAlreadyExists, lambda: registry.create_transition_request(name, "1", "Staging"))
    expect_error(errors.InvalidParameterValue, lambda: registry.create_transition_request(name, "1", "None"))
    expect_error(errors.InvalidParameterValue, lambda: registry.create_transition_request(name, "1", "Nowhere"))
    expect_error(errors.InvalidParameterValue, lambda: registry.create_transition_request(name, "1", ""))
    expect_error(errors.ResourceDoesNotExist, lambda: registry.create_transition_request(name, "9", "Staging"))
    expect_error(errors.ResourceDoesNotExist, lambda: registry.create_transition_request(f"{name}-no", "1", "Staging"))
    expect_error(errors.ResourceDoesNotExist, lambda: list(registry.list_transition_requests(name, "9")))
    [open_one] = registry.list_transition_requests(name, "1")
    shown = (open_one.activity_type, open_one.comment, open_one.from_stage, open_one.to_stage, open_one.user_id, bool(open_one.id))
    expect(shown, (Kind.REQUESTED_TRANSITION, "please", "None", "Staging", ME, True))

    approved = registry.approve_transition_request(name, "1", "Staging", archive_existing_versions=True, comment="fine").activity
    expect((approved.activity_type, approved.comment, approved.from_stage, approved.to_stage), (Kind.APPROVED_REQUEST, "fine", "None", "Staging"))
    expect(registry.get_model_version(name, "1").model_version.current_stage, "Staging")
    expect(list(registry.list_transition_requests(name, "1")), [])
    answers = [
        lambda: registry.approve_transition_request(name, "1", "Staging", False),
        lambda: registry.reject_transition_request(name, "1", "Staging"),
        lambda: registry.delete_transition_request(name, "1", "Staging", ME),
    ]
    for answer in answers:
        expect_error(errors.ResourceDoesNotExist, answer)

    registry.create_transition_request(name, "1", "Production")
    rejected = registry.reject_transition_request(name, "1", "Production", comment="not yet").activity
    expect((rejected.activity_type, rejected.comment, rejected.to_stage), (Kind.REJECTED_REQUEST, "not yet", "Production"))
    registry.create_transition_request(name, "1", "Production")
    expect_error(errors.ResourceDoesNotExist, lambda: registry.delete_transition_request(name, "1", "Production", "somebody else"))
    cancelled = registry.delete_transition_request(name, "1", "Production", ME, comment="later").activity
    expect((cancelled.activity_type, cancelled.comment), (Kind.CANCELLED_REQUEST, "later"))
    # Public notebooks send strings, also here.
    body = {"name": name, "version": "2", "stage": "Staging", "archive_existing_versions": "true"}
    workspace.api_client.do("POST", "/api/2.0/mlflow/transition-requests/create", body=body)
    registry.create_transition_request(name, "2", "Archived")
    # Without the request: what asked for it is closed, the other isn't.
    moved = registry.transition_stage(name, "2", "Staging", archive_existing_versions=True, comment="at once").model_version_databricks
    expect([each.to_stage for each in moved.open_requests], ["Archived"])
    expect(
        activities(name, 1),
        [
            ("REQUESTED_TRANSITION", "please", "None", "Staging"),
            ("APPROVED_REQUEST", "fine", "None", "Staging"),
            ("APPLIED_TRANSITION", "fine", "None", "Staging"),
            ("REQUESTED_TRANSITION", None, "Staging", "Production"),
            ("REJECTED_REQUEST", "not yet", "Staging", "Production"),
            ("REQUESTED_TRANSITION", None, "Staging", "Production"),
            ("CANCELLED_REQUEST", "later", "Staging", "Production"),
            ("SYSTEM_TRANSITION", None, "Staging", "Archived"),
        ],
    )
    expect([kind for kind, *_ in activities(name, 2)], ["REQUESTED_TRANSITION", "REQUESTED_TRANSITION", "APPLIED_TRANSITION", "CANCELLED_REQUEST"])
    # What MLflow's client moves obeys the same.
    registry.create_transition_request(name, "2", "Production")
    plain = {"name": name, "version": "2", "stage": "Production", "archive_existing_versions": "false"}
    workspace.api_client.do("POST", "/api/2.0/mlflow/model-versions/transition-stage", body=plain)
    expect([each.to_stage for each in registry.list_transition_requests(name, "2")], ["Archived"])
    registry.rename_model(name, new_name=f"{name}-new")
    expect([each.to_stage for each in registry.list_transition_requests(f"{name}-new", "2")], ["Archived"])
    registry.delete_model_version(f"{name}-new", "2")
    expect_error(errors.ResourceDoesNotExist, lambda: list(registry.list_transition_requests(f"{name}-new", "2")))
    registry.delete_model(f"{name}-new")


def comments():
    name = f"{PREFIX}.said"
    registry.create_model(name)
    registry.create_model_version(name, "s3://elsewhere/x")
    said = registry.create_comment(name, "1", "**one**").comment
    expect((said.comment, said.user_id, bool(said.id)), ("**one**", ME, True))
    expect(set(said.available_actions), {ml.CommentActivityAction.EDIT_COMMENT, ml.CommentActivityAction.DELETE_COMMENT})
    other = registry.create_comment(name, "1", "two").comment
    edited = registry.update_comment(said.id, "three").comment
    expect((edited.id, edited.comment, edited.creation_timestamp), (said.id, "three", said.creation_timestamp))
    expect(activities(name, 1), [("NEW_COMMENT", "three", None, None), ("NEW_COMMENT", "two", None, None)])
    registry.delete_comment(other.id)
    expect(activities(name, 1), [("NEW_COMMENT", "three", None, None)])
    expect_error(errors.ResourceDoesNotExist, lambda: registry.delete_comment(other.id))
    expect_error(errors.ResourceDoesNotExist, lambda: registry.update_comment(other.id, "x"))
    expect_error(errors.InvalidParameterValue, lambda: registry.update_comment(said.id, ""))
    expect_error(errors.ResourceDoesNotExist, lambda: registry.create_comment(name, "9", "x"))
    registry.delete_model(name)
    expect_error(errors.ResourceDoesNotExist, lambda: registry.update_comment(said.id, "x"))


def current_user():
    me = workspace.current_user.me()
    expect((me.user_name, me.active, bool(me.id)), (ME, True, True))


GOVERNANCE = {
    "list_webhooks": lambda: registry.list_webhooks(),
}

exp, run = experiments_and_runs()
logged_models(exp, run)
registered_models(run)
databricks_forms()
transition_requests()
comments()
current_user()
for call in GOVERNANCE.values():
    not_served_yet(call)
print("ok")
