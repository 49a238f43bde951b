"""What notebooks do with models, versions and prompts, through the real client."""

import inspect
import tempfile

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
from flows import PREFIX, RELEASE, NotInThisRelease, every_page, expect, expect_error, since
from mlflow import MlflowClient
from packaging.version import Version
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

client = MlflowClient()
# Named, so that the client doesn't spend seconds on finding out.
SAVED = {"pip_requirements": ["scikit-learn"]}
if "skops" in inspect.getsource(mlflow.sklearn):
    SAVED["serialization_format"] = "cloudpickle"
X, y = load_iris(return_X_y=True)
HAS_ALIASES = hasattr(MlflowClient, "set_registered_model_alias")


def log_models(experiment, count):
    """Runs with a model each, and the models."""
    mlflow.set_experiment(f"{PREFIX}/{experiment}")
    logged = []
    for i in range(count):
        with mlflow.start_run() as run:
            model = LogisticRegression(C=10.0 ** (i - 3), max_iter=300).fit(X, y)
            mlflow.log_metric("accuracy", model.score(X, y))
            mlflow.sklearn.log_model(model, "model", **SAVED)
            logged.append((run.info.run_id, model))
    return logged


def predicts_like(uri, model):
    loaded = mlflow.pyfunc.load_model(uri)
    assert (loaded.predict(X) == model.predict(X)).all(), uri


def registering_and_loading():
    name = f"{PREFIX}.loaded"
    logged = log_models("registered", 3)
    for run_id, _ in logged:
        version = mlflow.register_model(f"runs:/{run_id}/model", name, tags={"run": run_id})
        expect((version.run_id, version.status), (run_id, "READY"))
    (first, _), (_, second_model), (_, third_model) = logged
    predicts_like(f"runs:/{first}/model", logged[0][1])
    predicts_like(f"models:/{name}/2", second_model)
    predicts_like(f"models:/{name}/latest", third_model)
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "Staging")
    predicts_like(f"models:/{name}/Production", logged[0][1])
    predicts_like(f"models:/{name}/staging", second_model)
    latest = {v.current_stage: v.version for v in client.get_latest_versions(name)}
    expect({stage: str(number) for stage, number in latest.items()}, {"Production": "1", "Staging": "2", "None": "3"})
    expect([str(v.version) for v in client.get_latest_versions(name, ["Staging"])], ["2"])
    expect(client.get_latest_versions(name, ["Archived"]), [])
    client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)
    expect(client.get_model_version(name, "1").current_stage, "Archived")
    expect(client.get_model_version(name, "1").tags, {"run": first})
    uri = client.get_model_version_download_uri(name, "2")
    assert uri, "a version has a place"
    fetched = mlflow.artifacts.download_artifacts(f"models:/{name}/2", dst_path=tempfile.mkdtemp())
    assert (mlflow.sklearn.load_model(fetched).predict(X) == second_model.predict(X)).all()
    if HAS_ALIASES:
        client.set_registered_model_alias(name, "champion", "2")
        predicts_like(f"models:/{name}@champion", second_model)
        expect(client.get_model_version_by_alias(name, "champion").version, "2")
        expect(client.get_registered_model(name).aliases, {"champion": "2"})
        client.set_registered_model_alias(name, "champion", "3")
        predicts_like(f"models:/{name}@champion", third_model)
        client.delete_registered_model_alias(name, "champion")
        expect_error("INVALID_PARAMETER_VALUE", "champion", lambda: client.get_model_version_by_alias(name, "champion"))


def what_is_not_there():
    missing = "RESOURCE_DOES_NOT_EXIST"
    name = f"{PREFIX}.absent"
    expect_error(missing, name, lambda: mlflow.pyfunc.load_model(f"models:/{name}/1"))
    expect_error(missing, name, lambda: mlflow.pyfunc.load_model(f"models:/{name}/Production"))
    expect_error(missing, name, lambda: client.get_registered_model(name))
    client.create_registered_model(name)
    expect_error("RESOURCE_ALREADY_EXISTS", name, lambda: client.create_registered_model(name))
    expect_error(missing, "9", lambda: client.get_model_version(name, "9"))
    expect_error(missing, "9", lambda: mlflow.pyfunc.load_model(f"models:/{name}/9"))
    expect_error("INVALID_PARAMETER_VALUE", "", lambda: client.create_registered_model(""))
    # Where the client refuses by itself, the code is its own.
    try:
        mlflow.pyfunc.load_model(f"models:/{name}/Production")
    except mlflow.exceptions.MlflowException as error:
        assert "No versions of model" in str(error), error
    run = client.create_run(mlflow.set_experiment(f"{PREFIX}/absent").experiment_id)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/nothing-here", run.info.run_id)
    expect(version.status, "READY")
    try:
        mlflow.pyfunc.load_model(f"models:/{name}/{version.version}")
    except Exception as error:
        # The words of the sentence vary by release; a local path of the server is in none.
        assert any(words in str(error) for words in ("404", "MLmodel", "No such", "sealed", "not found")), error
        return
    raise AssertionError("a version without files was loaded")


def editing_models_and_versions():
    name, renamed = f"{PREFIX}.edited", f"{PREFIX}.edited too"
    client.create_registered_model(name, tags={"team": "vision"}, description="one")
    client.update_registered_model(name, "two")
    client.set_registered_model_tag(name, "tier", 1)
    client.delete_registered_model_tag(name, "team")
    model = client.get_registered_model(name)
    expect((model.description, model.tags), ("two", {"tier": "1"}))
    run = client.create_run(mlflow.set_experiment(f"{PREFIX}/edited").experiment_id)
    for i in range(3):
        client.create_model_version(name, f"{run.info.artifact_uri}/m{i}", run.info.run_id, tags={"i": str(i)}, description=f"v{i + 1}")
    client.update_model_version(name, "1", "first")
    client.set_model_version_tag(name, "1", "checked", "yes")
    client.set_model_version_tag(name, "2", "checked", "no")
    client.delete_model_version_tag(name, "2", "checked")
    version = client.get_model_version(name, "1")
    expect((version.description, version.tags), ("first", {"i": "0", "checked": "yes"}))
    expect(client.get_model_version(name, "2").tags, {"i": "1"})
    client.rename_registered_model(name, renamed)
    expect_error("RESOURCE_DOES_NOT_EXIST", name, lambda: client.get_registered_model(name))
    expect(client.get_model_version(renamed, "3").description, "v3")
    client.delete_model_version(renamed, "3")
    expect_error("RESOURCE_DOES_NOT_EXIST", "3", lambda: client.get_model_version(renamed, "3"))
    added = client.create_model_version(renamed, f"{run.info.artifact_uri}/m3", run.info.run_id)
    assert int(added.version) in (3, 4), added.version
    client.delete_registered_model(renamed)
    expect_error("RESOURCE_DOES_NOT_EXIST", renamed, lambda: client.get_registered_model(renamed))
    expect(len(client.search_model_versions(f"name = '{renamed}'")), 0)


@since("2.8")
def copying_versions():
    dev, prod = f"{PREFIX}.dev", f"{PREFIX}.prod"
    [(run_id, model)] = log_models("copied", 1)
    mlflow.register_model(f"runs:/{run_id}/model", dev, tags={"from": "dev"})
    copy = client.copy_model_version(f"models:/{dev}/1", prod)
    expect((copy.name, copy.version, copy.run_id, copy.tags), (prod, "1", run_id, {"from": "dev"}))
    predicts_like(f"models:/{prod}/1", model)
    client.delete_registered_model(dev)
    predicts_like(f"models:/{prod}/1", model)
    # Its own code, around the server's words.
    expect_error("INTERNAL_ERROR", f"(name={dev}, version=1) not found", lambda: client.copy_model_version(f"models:/{dev}/1", prod))


def searching_the_registry():
    for i in range(7):
        client.create_registered_model(f"{PREFIX}.found-{i}", tags={"of": PREFIX, "even": str(i % 2 == 0)})
    models, pages = every_page(
        lambda token: client.search_registered_models(
            f"name LIKE '{PREFIX}.found-%'", max_results=3, order_by=["name DESC"], page_token=token
        )
    )
    expect(pages, 3)
    expect([m.name[-1] for m in models], ["6", "5", "4", "3", "2", "1", "0"])
    if Version("2.0") <= RELEASE:
        tagged = client.search_registered_models(f"tags.of = '{PREFIX}' AND tags.even = 'True'")
        expect(sorted(m.name[-1] for m in tagged), ["0", "2", "4", "6"])
    name = f"{PREFIX}.found-0"
    run = client.create_run(mlflow.set_experiment(f"{PREFIX}/found").experiment_id)
    for i in range(7):
        client.create_model_version(name, f"{run.info.artifact_uri}/m{i}", run.info.run_id, tags={"i": str(i)})
    found = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    expect(sorted(int(v.version) for v in found), [1, 2, 3, 4, 5, 6, 7])
    expect(len(client.search_model_versions(f"name = '{name}'")), 7)
    if "page_token" in inspect.signature(MlflowClient.search_model_versions).parameters:
        versions, pages = every_page(
            lambda token: client.search_model_versions(
                f"name = '{name}'", max_results=3, order_by=["version_number ASC"], page_token=token
            )
        )
        expect((pages, [int(v.version) for v in versions]), (3, [1, 2, 3, 4, 5, 6, 7]))
        expect([str(v.version) for v in client.search_model_versions(f"name = '{name}' AND tags.i = '4'")], ["5"])
    if hasattr(client, "list_registered_models"):
        listed, _ = every_page(lambda token: client.list_registered_models(max_results=5, page_token=token))
        assert {m.name for m in models} <= {m.name for m in listed}
    expect_error("INVALID_PARAMETER_VALUE", "", lambda: client.search_registered_models("nonsense = 3"))


@since("3.0")
def logged_models():
    exp = mlflow.set_experiment(f"{PREFIX}/logged").experiment_id
    model = mlflow.create_external_model("agent", params={"temperature": "0.1"}, tags={"stage": "draft"}, model_type="agent")
    expect((model.name, model.params, str(model.status.value)), ("agent", {"temperature": "0.1"}, "READY"))
    mlflow.set_logged_model_tags(model.model_id, {"stage": "final", "more": "x"})
    mlflow.delete_logged_model_tag(model.model_id, "more")
    if hasattr(mlflow, "log_model_params"):
        mlflow.log_model_params({"top_k": "5"}, model.model_id)
        expect(mlflow.get_logged_model(model.model_id).params, {"temperature": "0.1", "top_k": "5"})
    pending = client.create_logged_model(exp, name="slow")
    expect(pending.status.value, "PENDING")
    expect(client.finalize_logged_model(pending.model_id, "FAILED").status.value, "FAILED")
    with mlflow.start_run():
        mlflow.log_metric("quality", 0.9, model_id=model.model_id)
    final = mlflow.search_logged_models([exp], "tags.stage = 'final'", output_format="list")
    expect([m.model_id for m in final], [model.model_id])
    ordered = mlflow.search_logged_models([exp], order_by=[{"field_name": "name", "ascending": False}], output_format="list")
    expect([m.name for m in ordered], ["slow", "agent"])
    good = mlflow.search_logged_models([exp], "metrics.quality > 0.5", output_format="list")
    expect([m.model_id for m in good], [model.model_id])
    client.delete_logged_model(pending.model_id)
    expect([m.name for m in mlflow.search_logged_models([exp], output_format="list")], ["agent"])

    log_models("logged-files", 1)
    logged = mlflow.last_logged_model()
    predicts_like(f"models:/{logged.model_id}", LogisticRegression(C=10.0**-3, max_iter=300).fit(X, y))
    name = f"{PREFIX}.from-logged"
    version = mlflow.register_model(f"models:/{logged.model_id}", name)
    expect(version.run_id, logged.source_run_id)
    predicts_like(f"models:/{name}/1", LogisticRegression(C=10.0**-3, max_iter=300).fit(X, y))
    assert name in str(mlflow.get_logged_model(logged.model_id).tags["mlflow.modelVersions"])


def prompts():
    try:
        from mlflow import genai

        owner = genai if hasattr(genai, "register_prompt") else mlflow
    except ImportError:
        owner = mlflow
    if not hasattr(owner, "register_prompt"):
        raise NotInThisRelease("since 2.21")
    name = f"{PREFIX}-greeting"
    mlflow.set_experiment(f"{PREFIX}/prompts")
    owner.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"tone": "warm"})
    owner.register_prompt(name, "Dear {{who}}", commit_message="second")
    expect(owner.load_prompt(f"prompts:/{name}/1").format(who="Ann"), "Hello Ann")
    expect(owner.load_prompt(name, version=2).format(who="Ann"), "Dear Ann")
    owner.set_prompt_alias(name, "live", 1)
    expect(int(owner.load_prompt(f"prompts:/{name}@live").version), 1)
    owner.set_prompt_alias(name, "other", 2)
    owner.delete_prompt_alias(name, "other")
    expect([m.name for m in client.search_registered_models(f"name = '{name}'")], [])
    expect(len(client.search_model_versions(f"name = '{name}'")), 0)
    if hasattr(owner, "search_prompts"):
        expect([p.name for p in owner.search_prompts(f"name = '{name}'")], [name])
    with mlflow.start_run():
        owner.load_prompt(f"prompts:/{name}/2")
    if hasattr(owner, "set_prompt_tag"):
        owner.set_prompt_tag(name, "owner", "us")
        expect(client.get_prompt(name).tags["owner"], "us")
    if hasattr(client, "delete_prompt_version"):
        client.delete_prompt_version(name, "2")
        client.delete_prompt(name)
        expect(client.get_prompt(name), None)
    else:
        client.delete_prompt(name, 2)


REGISTRY = [
    registering_and_loading,
    what_is_not_there,
    editing_models_and_versions,
    copying_versions,
    searching_the_registry,
    logged_models,
    prompts,
]
