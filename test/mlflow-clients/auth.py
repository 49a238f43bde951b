"""Accounts as `AuthServiceClient` of 2.x and 3.x manages them, and what each level lets `MlflowClient` do: the unmodified clients' own words.

The server has one account, an administrator. A line `ok <name>` for each part."""

import os
import tempfile
from contextlib import contextmanager

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.server import get_app_client

URI = os.environ["MLFLOW_TRACKING_URI"]
PREFIX = os.environ.get("FLOW_PREFIX", "auth")
ADMIN = (os.environ["AUTH_ADMIN"], os.environ["AUTH_PASSWORD"])
PASSWORD = "a password of its own"
CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")

auth = get_app_client("basic-auth", URI)
client = MlflowClient(URI)
is_old = hasattr(auth, "create_experiment_permission")


@contextmanager
def signed_in(**env):
    before = {name: os.environ.pop(name, None) for name in CREDENTIALS}
    os.environ.update(env)
    try:
        yield
    finally:
        for name in CREDENTIALS:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def as_user(name, password=PASSWORD):
    return signed_in(MLFLOW_TRACKING_USERNAME=name, MLFLOW_TRACKING_PASSWORD=password)


def as_admin():
    return as_user(*ADMIN)


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r} instead of {wanted!r}"


def code_of(call):
    """The refusal's code, or None where it works."""
    try:
        call()
    except MlflowException as error:
        return error.error_code
    except requests.HTTPError as error:
        # Of artifacts; the client shows the answer as it came.
        return error.response.json()["error_code"]
    return None


def refused(call, code="PERMISSION_DENIED", text="Permission denied"):
    try:
        call()
    except RestException as error:
        expect(error.error_code, code)
        assert text in str(error), error
        return
    raise AssertionError(f"no {code}")


def new_user(name):
    name = f"{PREFIX}-{name}"
    with as_admin():
        user = auth.create_user(name, PASSWORD)
    expect((user.username, user.is_admin), (name, False))
    return name


def users():
    with signed_in():
        refused(lambda: auth.get_user("x"), "UNAUTHENTICATED", "You are not authenticated.")
    one, other = new_user("one"), new_user("other")
    for user, password in [(one, "wrong password"), ("nobody", PASSWORD)]:
        with as_user(user, password):
            refused(lambda: auth.get_user(one), "UNAUTHENTICATED", "You are not authenticated.")
    with as_admin():
        refused(lambda: auth.create_user(one, PASSWORD), "RESOURCE_ALREADY_EXISTS", "already exists")
        refused(lambda: auth.create_user(f"{PREFIX}-short", "short"), "INVALID_PARAMETER_VALUE", "Password must be at least 12 characters.")
        refused(lambda: auth.get_user("nobody"), "RESOURCE_DOES_NOT_EXIST", "User with username=nobody not found")
        refused(lambda: auth.delete_user(ADMIN[0]), "BAD_REQUEST", "cannot delete their own account")
    with as_user(one):
        expect(auth.get_user(one).username, one)
        refused(lambda: auth.get_user(other))
        refused(lambda: auth.create_user(f"{PREFIX}-third", PASSWORD))
        refused(lambda: auth.update_user_password(other, PASSWORD + "!"))
        refused(lambda: auth.update_user_admin(one, True))
        refused(lambda: auth.delete_user(other))
        refused(lambda: auth.update_user_password(one, PASSWORD + "!"), "INVALID_PARAMETER_VALUE", "Current password is required")
        if not is_old:
            wrong = lambda: auth.update_user_password(one, PASSWORD + "!", current_password="no")
            refused(wrong, "INVALID_PARAMETER_VALUE", "Current password does not match")
            same = lambda: auth.update_user_password(one, PASSWORD, current_password=PASSWORD)
            refused(same, "INVALID_PARAMETER_VALUE", "differ from the current password")
            auth.update_user_password(one, PASSWORD + "!", current_password=PASSWORD)
    with as_admin():
        auth.update_user_password(one, PASSWORD + "?")
        auth.update_user_admin(one, True)
        expect(auth.get_user(one).is_admin, True)
    with as_user(one):
        refused(lambda: auth.get_user(one), "UNAUTHENTICATED", "You are not authenticated.")
    with as_user(one, PASSWORD + "?"):
        auth.delete_user(other)
    with as_admin():
        auth.update_user_admin(one, False)
        auth.delete_user(one)
        refused(lambda: auth.get_user(one), "RESOURCE_DOES_NOT_EXIST", "not found")
    with as_user(one, PASSWORD + "?"):
        refused(lambda: auth.get_user(one), "UNAUTHENTICATED", "You are not authenticated.")


def grant(user, level, experiment, model):
    if is_old:
        auth.create_experiment_permission(experiment, user, level)
        auth.create_registered_model_permission(model, user, level)
    else:
        auth.grant_user_permission(user, "experiment", experiment, level)
        auth.grant_user_permission(user, "registered_model", model, level)


# The least level of MLflow that may do it.
READ, EDIT, MANAGE = 1, 2, 3
RANKS = {"NO_PERMISSIONS": 0, "DENY": 0, "READ": READ, "USE": READ, "EDIT": EDIT, "MANAGE": MANAGE}


def attempts(experiment, run, model, folder):
    file = os.path.join(folder, "upload.txt")
    with open(file, "w") as out:
        out.write("text")
    source = client_uri(run)

    def renamed():
        client.rename_registered_model(model, model + "-2")
        client.rename_registered_model(model + "-2", model)

    return [
        ("get_experiment", READ, lambda: client.get_experiment(experiment)),
        ("get_run", READ, lambda: client.get_run(run)),
        ("list_artifacts", READ, lambda: client.list_artifacts(run)),
        ("download_artifacts", READ, lambda: mlflow.artifacts.download_artifacts(run_id=run, artifact_path="one.txt", dst_path=folder)),
        ("rename_experiment", EDIT, lambda: client.rename_experiment(experiment, f"{PREFIX}-renamed-{experiment}")),
        ("set_experiment_tag", EDIT, lambda: client.set_experiment_tag(experiment, "a", "b")),
        ("create_run", EDIT, lambda: client.create_run(experiment)),
        ("log_metric", EDIT, lambda: client.log_metric(run, "m", 1.0)),
        ("set_tag", EDIT, lambda: client.set_tag(run, "a", "b")),
        ("log_artifact", EDIT, lambda: client.log_artifact(run, file)),
        ("get_registered_model", READ, lambda: client.get_registered_model(model)),
        ("get_model_version", READ, lambda: client.get_model_version(model, "1")),
        ("get_download_uri", READ, lambda: client.get_model_version_download_uri(model, "1")),
        ("get_by_alias", READ, lambda: client.get_model_version_by_alias(model, "first")),
        ("update_model", EDIT, lambda: client.update_registered_model(model, "words")),
        ("rename_model", EDIT, renamed),
        ("set_model_tag", EDIT, lambda: client.set_registered_model_tag(model, "a", "b")),
        ("create_version", EDIT, lambda: client.create_model_version(model, source + "/m", run_id=run)),
        ("update_version", EDIT, lambda: client.update_model_version(model, "1", "words")),
        ("to_staging", EDIT, lambda: client.transition_model_version_stage(model, "1", "Staging")),
        ("to_production", EDIT, lambda: client.transition_model_version_stage(model, "1", "Production")),
        ("set_version_tag", EDIT, lambda: client.set_model_version_tag(model, "1", "a", "b")),
        ("set_alias", EDIT, lambda: client.set_registered_model_alias(model, "champion", "1")),
        ("delete_version_tag", MANAGE, lambda: client.delete_model_version_tag(model, "1", "a")),
        ("delete_alias", MANAGE, lambda: client.delete_registered_model_alias(model, "champion")),
        ("delete_version", MANAGE, lambda: client.delete_model_version(model, "2")),
        ("delete_model", MANAGE, lambda: client.delete_registered_model(model)),
        ("delete_run", MANAGE, lambda: client.delete_run(run)),
        ("delete_experiment", MANAGE, lambda: client.delete_experiment(experiment)),
    ]


def client_uri(run):
    with as_admin():
        return client.get_run(run).info.artifact_uri


def objects(name):
    """An experiment with a run and a file, and a model with two versions and an alias, by the administrator."""
    with as_admin(), tempfile.TemporaryDirectory() as folder:
        experiment = client.create_experiment(f"{PREFIX}-{name}")
        run = client.create_run(experiment).info.run_id
        path = os.path.join(folder, "one.txt")
        with open(path, "w") as out:
            out.write("one")
        client.log_artifact(run, path)
        model = f"{PREFIX}-{name}"
        client.create_registered_model(model)
        source = client.get_run(run).info.artifact_uri
        for _ in range(2):
            client.create_model_version(model, source + "/m", run_id=run)
        client.set_registered_model_alias(model, "first", "1")
    return experiment, run, model


def levels():
    for level in [None, "NO_PERMISSIONS" if is_old else "DENY", "READ", "EDIT", "MANAGE"] + ([] if is_old else ["USE"]):
        name = f"level-{level}"
        user = new_user(name)
        experiment, run, model = objects(name)
        if level:
            with as_admin():
                grant(user, level, experiment, model)
        rank = RANKS[level or "READ"]
        with as_user(user), tempfile.TemporaryDirectory() as folder:
            for what, least, call in attempts(experiment, run, model, folder):
                code = code_of(call)
                expect((level, what, code), (level, what, None if rank >= least else "PERMISSION_DENIED"))
                # Deleted by whoever may; what follows is about what is left.
            with as_admin():
                if rank < MANAGE:
                    client.get_registered_model(model)
        with as_user(user):
            found = {e.name for e in client.search_experiments(max_results=1000)}
            expect(any(n.startswith(f"{PREFIX}-renamed-{experiment}") or n == f"{PREFIX}-{name}" for n in found), rank in (READ, EDIT))
            models = {m.name for m in client.search_registered_models(f"name = '{model}'")}
            expect(models, {model} if rank in (READ, EDIT) else set())
            expect(len(client.search_model_versions(f"name = '{model}'")) > 0, rank in (READ, EDIT))
            expect(len(client.search_runs([experiment])) > 0, rank in (READ, EDIT))


def ownership():
    """Whoever creates manages, and gives on."""
    owner, guest = new_user("owner"), new_user("guest")
    with as_user(owner):
        experiment = client.create_experiment(f"{PREFIX}-own")
        client.create_registered_model(f"{PREFIX}-own")
        if is_old:
            expect([(p.experiment_id, p.permission) for p in auth.get_user(owner).experiment_permissions], [(experiment, "MANAGE")])
            expect([(p.name, p.permission) for p in auth.get_user(owner).registered_model_permissions], [(f"{PREFIX}-own", "MANAGE")])
        client.rename_registered_model(f"{PREFIX}-own", f"{PREFIX}-own-2")
        grant(guest, "EDIT", experiment, f"{PREFIX}-own-2")
    with as_user(guest):
        client.set_experiment_tag(experiment, "guest", "was here")
        client.set_registered_model_tag(f"{PREFIX}-own-2", "guest", "was here")
        refused(lambda: grant(guest, "MANAGE", experiment, f"{PREFIX}-own-2"))
        refused(lambda: client.delete_experiment(experiment))
    with as_user(owner):
        client.delete_registered_model(f"{PREFIX}-own-2")
        client.create_registered_model(f"{PREFIX}-own-2")
    with as_user(guest):
        # A model of the same name is another one.
        refused(lambda: client.set_registered_model_tag(f"{PREFIX}-own-2", "guest", "again"))


def old_grants():
    user = new_user("granted")
    experiment, _, model = objects("granted")
    with as_admin():
        expect(auth.create_experiment_permission(experiment, user, "READ").permission, "READ")
        taken = lambda: auth.create_experiment_permission(experiment, user, "EDIT")
        refused(taken, "RESOURCE_ALREADY_EXISTS", "already exists")
        auth.update_experiment_permission(experiment, user, "EDIT")
        expect(auth.get_experiment_permission(experiment, user).permission, "EDIT")
        auth.delete_experiment_permission(experiment, user)
        refused(lambda: auth.get_experiment_permission(experiment, user), "RESOURCE_DOES_NOT_EXIST", "not found")
        expect(auth.create_registered_model_permission(model, user, "NO_PERMISSIONS").permission, "NO_PERMISSIONS")
        got = auth.get_registered_model_permission(model, user)
        expect((got.name, got.user_id, got.permission), (model, auth.get_user(user).id, "NO_PERMISSIONS"))
        auth.update_registered_model_permission(model, user, "MANAGE")
        refused(lambda: auth.update_registered_model_permission(model, user, "BOGUS"), "INVALID_PARAMETER_VALUE", "Invalid permission 'BOGUS'")
        auth.delete_registered_model_permission(model, user)
        refused(lambda: auth.delete_registered_model_permission(model, user), "RESOURCE_DOES_NOT_EXIST", "not found")


def permissions_of(user):
    roles = auth.list_user_roles(user)
    return sorted((r.name.startswith("__user_"), p.resource_type, p.resource_pattern, p.permission) for r in roles for p in r.permissions)


def new_grants():
    user = new_user("granted")
    experiment, _, model = objects("granted")
    with as_admin():
        client.create_prompt(f"{PREFIX}-prompt")
        auth.grant_user_permission(user, "experiment", experiment, "READ")
        auth.grant_user_permission(user, "registered_model", model, "EDIT")
        auth.grant_user_permission(user, "prompt", f"{PREFIX}-prompt", "EDIT")
        auth.grant_user_permission(user, "gateway_secret", "s-1", "USE")
        wanted = [
            (True, "experiment", experiment, "READ"),
            (True, "gateway_secret", "s-1", "USE"),
            (True, "prompt", f"{PREFIX}-prompt", "EDIT"),
            (True, "registered_model", model, "EDIT"),
        ]
        expect(permissions_of(user), wanted)
        refused(lambda: auth.grant_user_permission(user, "experiment", experiment, "EDIT"), "RESOURCE_ALREADY_EXISTS", "already exists")
        bad = "INVALID_PARAMETER_VALUE"
        refused(lambda: auth.grant_user_permission(user, "experiment", experiment, "BOGUS"), bad, "Invalid permission 'BOGUS'")
        refused(lambda: auth.grant_user_permission(user, "experiment", experiment, "NO_PERMISSIONS"), bad, "Resource-level grants accept only")
        refused(lambda: auth.grant_user_permission(user, "bogus", "x", "READ"), bad, "Invalid resource type 'bogus'")
        refused(lambda: auth.grant_user_permission(user, "run", "abc", "READ"), bad, "supports only wildcard")
        refused(lambda: auth.grant_user_permission(user, "workspace", "*", "USE"), bad, "not supported by the per-user")
        got = auth.get_user_permission(user, "registered_model", model)
        expect((got.allowed, got.permission), (True, "EDIT"))
    with as_user(user):
        got = auth.get_user_permission(user, "experiment", experiment)
        expect((got.allowed, got.permission), (False, "READ"))
        client.set_prompt_tag(f"{PREFIX}-prompt", "a", "b")
        refused(lambda: auth.get_user_permission(ADMIN[0], "experiment", experiment))
    with as_admin():
        auth.revoke_user_permission(user, "registered_model", model)
        refused(lambda: auth.revoke_user_permission(user, "registered_model", model), "RESOURCE_DOES_NOT_EXIST", "not found")
    with as_user(user):
        refused(lambda: client.set_registered_model_tag(model, "a", "b"))


def roles():
    user, other = new_user("member"), new_user("outsider")
    experiment, _, model = objects("roles")
    with as_admin():
        role = auth.create_role("default", f"{PREFIX}-editors", "who edits")
        expect((role.name, role.workspace, role.description), (f"{PREFIX}-editors", "default", "who edits"))
        refused(lambda: auth.create_role("default", f"{PREFIX}-editors"), "RESOURCE_ALREADY_EXISTS", "already exists")
        refused(lambda: auth.get_role(99999), "RESOURCE_DOES_NOT_EXIST", "Role with id=99999 not found")
        granted = auth.add_role_permission(role.id, "registered_model", model, "EDIT")
        everything = auth.add_role_permission(role.id, "experiment", "*", "EDIT")
        expect((granted.role_id, granted.resource_pattern, granted.permission), (role.id, model, "EDIT"))
        expect(auth.assign_role(user, role.id).role_id, role.id)
        refused(lambda: auth.assign_role(user, role.id), "RESOURCE_ALREADY_EXISTS", "already exists")
        expect([r.id for r in auth.list_user_roles(user)], [role.id])
        expect([a.user_id for a in auth.list_role_users(role.id)], [auth.get_user(user).id])
        assert role.id in [r.id for r in auth.list_roles("default")]
        assert role.id in [r.id for r in auth.list_all_roles()]
    with as_user(user):
        client.set_experiment_tag(experiment, "a", "b")
        client.transition_model_version_stage(model, "1", "Production")
        expect([r.id for r in auth.list_user_roles(user)], [role.id])
        refused(lambda: auth.list_all_roles())
        refused(lambda: auth.add_role_permission(role.id, "registered_model", "*", "MANAGE"))
    with as_user(other):
        refused(lambda: client.set_experiment_tag(experiment, "a", "b"))
        refused(lambda: auth.get_role(role.id))
        refused(lambda: auth.list_user_roles(user))
    with as_admin():
        expect(auth.update_role_permission(granted.id, "READ").permission, "READ")
        auth.remove_role_permission(everything.id)
        expect([p.permission for p in auth.list_role_permissions(role.id)], ["READ"])
        expect(auth.update_role(role.id, name=f"{PREFIX}-readers").name, f"{PREFIX}-readers")
    with as_user(user):
        refused(lambda: client.set_registered_model_tag(model, "a", "b"))
    with as_admin():
        auth.unassign_role(user, role.id)
        expect(auth.list_user_roles(user), [])
        auth.delete_role(role.id)
        refused(lambda: auth.get_role(role.id), "RESOURCE_DOES_NOT_EXIST", "not found")
        manager = auth.create_role("default", f"{PREFIX}-managers")
        auth.add_role_permission(manager.id, "workspace", "*", "MANAGE")
        auth.assign_role(user, manager.id)
    with as_user(user):
        # Manages the workspace, and not the server.
        client.set_registered_model_tag(model, "a", "b")
        auth.assign_role(other, auth.create_role("default", f"{PREFIX}-made").id)
        auth.create_user(f"{PREFIX}-newcomer", PASSWORD)
        refused(lambda: auth.delete_user(other))
        refused(lambda: auth.update_user_admin(user, True))


def tokens():
    """As bearer, and in place of the password."""
    token, name = os.environ["AUTH_TOKEN"], os.environ["AUTH_TOKEN_USER"]
    for env in [
        {"MLFLOW_TRACKING_TOKEN": token},
        {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": token},
        {"MLFLOW_TRACKING_USERNAME": "token", "MLFLOW_TRACKING_PASSWORD": token},
    ]:
        with signed_in(**env):
            expect(auth.get_user(name).username, name)
            experiment = client.create_experiment(f"{PREFIX}-token-{len(env)}-{env.get('MLFLOW_TRACKING_USERNAME')}")
            client.log_metric(client.create_run(experiment).info.run_id, "m", 1.0)
    with signed_in(MLFLOW_TRACKING_TOKEN=token + "x"):
        refused(lambda: client.search_experiments(), "UNAUTHENTICATED", "You are not authenticated.")


PARTS = [users, levels, ownership] + ([old_grants] if is_old else [new_grants, roles]) + ([tokens] if "AUTH_TOKEN" in os.environ else [])
for part in PARTS:
    part()
    print("ok", part.__name__, flush=True)
