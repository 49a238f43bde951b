"""Permissions as databricks-sdk sets and shows them, and what they let its callers do. The server has one account, an administrator, whose token is given."""

import base64
import json
import os
import urllib.request

from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import iam, ml

HOST = os.environ["MLFLOW_TRACKING_URI"]
ADMIN = os.environ["AUTH_ADMIN"]
PASSWORD = "a password of its own"
admin = WorkspaceClient(host=HOST, token=os.environ["AUTH_TOKEN"])
Level = ml.RegisteredModelPermissionLevel


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r} instead of {wanted!r}"


def denied(call):
    try:
        call()
    except errors.PermissionDenied:
        return
    raise AssertionError("it is allowed")


def expect_error(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def api(path, body, token=os.environ["AUTH_TOKEN"]):
    request = urllib.request.Request(HOST + path, json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    return json.load(urllib.request.urlopen(request))


def user(name):
    """The SDK signs in by tokens alone: made with the password, as people do once."""
    api("/api/2.0/mlflow/users/create", {"username": name, "password": PASSWORD})
    body = json.dumps({"name": "sdk", "scopes": ["admin"], "expires_at": None}).encode()
    basic = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
    answer = json.load(urllib.request.urlopen(urllib.request.Request(HOST + "/api/v1/tokens", body, headers)))
    return WorkspaceClient(host=HOST, token=answer["secret"])


def acl(permissions):
    """Direct and inherited levels by who has them."""
    rows = {}
    for entry in permissions.access_control_list:
        for each in entry.all_permissions:
            who = entry.user_name or entry.group_name or entry.service_principal_name
            rows.setdefault(who, []).append((each.permission_level and each.permission_level.value, bool(each.inherited)))
    return rows


def give(who, level):
    return ml.RegisteredModelAccessControlRequest(user_name=who, permission_level=level)


INHERITED = {"users": [("CAN_READ", True)], "admins": [("CAN_MANAGE", True)]}


def of_models():
    ann, bob = user("ann"), user("bob")
    me = ann.current_user.me()
    expect(me.user_name, "ann")
    assert "admins" in [g.display for g in admin.current_user.me().groups]
    model = ann.model_registry.create_model("sdk-permissions").registered_model
    expect(ann.model_registry.get_model(model.name).registered_model_databricks.permission_level, ml.PermissionLevel.CAN_MANAGE)
    described = bob.model_registry.get_model(model.name).registered_model_databricks
    expect((described.user_id, described.permission_level), ("ann", ml.PermissionLevel.CAN_READ))
    id = described.id
    for _ in range(3):
        ann.model_registry.create_model_version(model.name, "s3://elsewhere/x")

    # Whoever manages sees and sets; whoever reads knows the levels that there are.
    got = ann.model_registry.get_permissions(id)
    expect((got.object_id, got.object_type), (f"/registered-models/{id}", "registered-model"))
    expect(acl(got), {"ann": [("CAN_MANAGE", False)], **INHERITED})
    denied(lambda: bob.model_registry.get_permissions(id))
    denied(lambda: bob.model_registry.update_permissions(id, access_control_list=[give("bob", Level.CAN_MANAGE)]))
    levels = [each.permission_level for each in bob.model_registry.get_permission_levels(id).permission_levels]
    expect(levels, [Level.CAN_READ, Level.CAN_EDIT, Level.CAN_MANAGE_STAGING_VERSIONS, Level.CAN_MANAGE_PRODUCTION_VERSIONS, Level.CAN_MANAGE])

    steps = {
        "edit": lambda: bob.model_registry.update_model(model.name, description="by bob"),
        "staging": lambda: bob.model_registry.transition_stage(model.name, "1", "Staging", False),
        "production": lambda: bob.model_registry.transition_stage(model.name, "1", "Production", False),
        "out of production": lambda: bob.model_registry.transition_stage(model.name, "2", "Archived", False),
        "manage": lambda: bob.model_registry.delete_model_version(model.name, "3"),
    }
    allowed = {
        None: [],
        Level.CAN_EDIT: ["edit"],
        Level.CAN_MANAGE_STAGING_VERSIONS: ["edit", "staging"],
        Level.CAN_MANAGE_PRODUCTION_VERSIONS: ["edit", "staging", "production", "out of production"],
        Level.CAN_MANAGE: list(steps),
    }
    for level, may in allowed.items():
        admin.model_registry.transition_stage(model.name, "2", "Production", False)
        if level:
            changed = ann.model_registry.update_permissions(id, access_control_list=[give("bob", level)])
            expect(acl(changed), {"ann": [("CAN_MANAGE", False)], "bob": [(level.value, False)], **INHERITED})
        for what, call in steps.items():
            if what in may:
                call()
            else:
                denied(call)

    # All of it anew; and what was read can be sent back.
    changed = admin.model_registry.set_permissions(id, access_control_list=[give("ann", Level.CAN_EDIT)])
    expect(acl(changed), {"ann": [("CAN_EDIT", False)], **INHERITED})
    denied(lambda: ann.model_registry.get_permissions(id))
    admins = ml.RegisteredModelAccessControlRequest(group_name="admins", permission_level=Level.CAN_MANAGE)
    expect(acl(admin.model_registry.set_permissions(id, access_control_list=[give("ann", Level.CAN_MANAGE), admins]))["ann"], [("CAN_MANAGE", False)])
    expect(acl(admin.model_registry.set_permissions(id)), INHERITED)

    expect_error(errors.InvalidParameterValue, lambda: admin.model_registry.set_permissions(id, access_control_list=[ml.RegisteredModelAccessControlRequest(group_name="admins", permission_level=Level.CAN_READ)]))
    expect_error(errors.ResourceDoesNotExist, lambda: admin.model_registry.set_permissions(id, access_control_list=[give("nobody", Level.CAN_READ)]))
    expect_error(errors.ResourceDoesNotExist, lambda: admin.model_registry.get_permissions("987654"))
    denied(lambda: bob.model_registry.get_permissions("987654"))
    return ann, bob, model.name, id


def of_all_models(ann, bob, name, id):
    """By the generic call, whose object is `root`."""
    got = admin.permissions.update(
        "registered-models", "root", access_control_list=[iam.AccessControlRequest(user_name="bob", permission_level=iam.PermissionLevel.CAN_EDIT)]
    )
    expect((got.object_id, acl(got)["bob"]), ("/registered-models/root", [("CAN_EDIT", False)]))
    inherited = admin.permissions.get("registered-models", id)
    row = next(entry for entry in inherited.access_control_list if entry.user_name == "bob").all_permissions[0]
    expect((row.permission_level.value, row.inherited, row.inherited_from_object), ("CAN_EDIT", True, ["/registered-models/root"]))
    bob.model_registry.update_model(name, description="by bob again")
    denied(lambda: bob.permissions.get("registered-models", "root"))
    admin.permissions.set("registered-models", "root", access_control_list=[])
    denied(lambda: bob.model_registry.update_model(name, description="by bob again"))


def of_groups(bob, name, id):
    role = api("/api/3.0/mlflow/roles/create", {"workspace": "default", "name": "approvers"})["role"]
    api("/api/3.0/mlflow/roles/assign", {"username": "bob", "role_id": role["id"]})
    entry = ml.RegisteredModelAccessControlRequest(group_name="approvers", permission_level=Level.CAN_EDIT)
    expect(acl(admin.model_registry.update_permissions(id, access_control_list=[entry]))["approvers"], [("CAN_EDIT", False)])
    bob.model_registry.update_model(name, description="by an approver")
    expect([g.display for g in bob.current_user.me().groups], ["approvers"])
    # MLflow's clients see the same grant.
    with urllib.request.urlopen(
        urllib.request.Request(f"{HOST}/api/3.0/mlflow/roles/get?role_id={role['id']}", headers={"Authorization": f"Bearer {os.environ['AUTH_TOKEN']}"})
    ) as answer:
        shown = json.load(answer)["role"]["permissions"]
    expect([(p["resource_type"], p["resource_pattern"], p["permission"]) for p in shown], [("registered_model", name, "EDIT")])


def of_experiments(ann, bob):
    experiment = ann.experiments.create_experiment("sdk-permissions").experiment_id
    level = ml.ExperimentPermissionLevel
    denied(lambda: bob.experiments.create_run(experiment_id=experiment))
    entry = ml.ExperimentAccessControlRequest(user_name="bob", permission_level=level.CAN_EDIT)
    got = ann.experiments.update_permissions(experiment, access_control_list=[entry])
    expect((got.object_id, got.object_type), (f"/experiments/{experiment}", "mlflowExperiment"))
    expect(acl(got), {"ann": [("CAN_MANAGE", False)], "bob": [("CAN_EDIT", False)], **INHERITED})
    bob.experiments.create_run(experiment_id=experiment)
    denied(lambda: bob.experiments.delete_experiment(experiment))
    expect([each.permission_level for each in ann.experiments.get_permission_levels(experiment).permission_levels], [level.CAN_READ, level.CAN_EDIT, level.CAN_MANAGE])
    ann.experiments.set_permissions(experiment, access_control_list=[ml.ExperimentAccessControlRequest(user_name="ann", permission_level=level.CAN_MANAGE)])
    denied(lambda: bob.experiments.create_run(experiment_id=experiment))
    expect(acl(ann.experiments.get_permissions(experiment)), {"ann": [("CAN_MANAGE", False)], **INHERITED})


def of_requests(ann, bob):
    """Readers ask, whoever may make the change answers, creators and managers take back."""
    name, cleo = "sdk-requests", user("cleo")
    Action, Kind = ml.ActivityAction, ml.ActivityType
    ann.model_registry.create_model(name)
    ann.model_registry.create_model_version(name, "s3://elsewhere/x")
    id = ann.model_registry.get_model(name).registered_model_databricks.id
    ann.model_registry.update_permissions(id, access_control_list=[give("cleo", Level.CAN_MANAGE_STAGING_VERSIONS)])
    read, staging, manage = bob.model_registry, cleo.model_registry, ann.model_registry

    expect(read.create_transition_request(name, "1", "Staging").request.available_actions, [Action.CANCEL_TRANSITION_REQUEST])
    asked = staging.create_transition_request(name, "1", "Staging").request
    expect(set(asked.available_actions), {Action.APPROVE_TRANSITION_REQUEST, Action.REJECT_TRANSITION_REQUEST, Action.CANCEL_TRANSITION_REQUEST})
    expect([each.user_id for each in read.list_transition_requests(name, "1")], ["bob", "cleo"])
    denied(lambda: read.approve_transition_request(name, "1", "Staging", False))
    denied(lambda: read.reject_transition_request(name, "1", "Staging"))
    denied(lambda: read.delete_transition_request(name, "1", "Staging", "cleo"))
    denied(lambda: staging.delete_transition_request(name, "1", "Staging", "bob"))
    # One answer to both.
    done = staging.approve_transition_request(name, "1", "Staging", False).activity
    expect((done.activity_type, done.user_id), (Kind.APPROVED_REQUEST, "cleo"))
    expect(list(read.list_transition_requests(name, "1")), [])

    read.create_transition_request(name, "1", "Production")
    denied(lambda: staging.approve_transition_request(name, "1", "Production", False))
    denied(lambda: staging.reject_transition_request(name, "1", "Production"))
    expect(manage.reject_transition_request(name, "1", "Production").activity.user_id, "ann")
    for creator in [read, manage]:
        read.create_transition_request(name, "1", "Production")
        expect(creator.delete_transition_request(name, "1", "Production", "bob").activity.activity_type, Kind.CANCELLED_REQUEST)

    said = read.create_comment(name, "1", "words").comment
    expect(said.user_id, "bob")
    for other in [staging, manage]:
        denied(lambda: other.update_comment(said.id, "mine"))
    denied(lambda: staging.delete_comment(said.id))
    expect(read.update_comment(said.id, "others").comment.comment, "others")
    manage.delete_comment(said.id)
    expect_error(errors.ResourceDoesNotExist, lambda: read.delete_comment(said.id))

    # Who is erased is no name here.
    read.create_transition_request(name, "1", "Production")
    api("/api/v1/users/bob/erase", {"confirm": "bob"})
    [open_one] = manage.list_transition_requests(name, "1")
    assert open_one.user_id.startswith("erased-"), open_one.user_id
    manage.delete_transition_request(name, "1", "Production", open_one.user_id)


expect_error(errors.Unauthenticated, lambda: WorkspaceClient(host=HOST, token="x").current_user.me())
ann, bob, name, id = of_models()
of_all_models(ann, bob, name, id)
of_groups(bob, name, id)
of_experiments(ann, bob)
of_requests(ann, bob)
print("ok")
