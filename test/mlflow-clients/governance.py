"""Who acts in the stories of governed models: each person by the token in `TOKEN_<NAME>`, with MLflow's client, databricks-sdk, or plain HTTP."""

import contextlib
import json
import os
import urllib.error
import urllib.request

HOST = os.environ["MLFLOW_TRACKING_URI"]


def token_of(name):
    return os.environ[f"TOKEN_{name.upper().replace('-', '_')}"]


@contextlib.contextmanager
def signed_in(name):
    """MLflow's client reads the token with every call."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = token_of(name)
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_TOKEN"]


def registry(name):
    """`WorkspaceClient.model_registry`, where the environment has databricks-sdk."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(host=HOST, token=token_of(name)).model_registry


def native(name, method, path, body=None):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token_of(name)}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{HOST}/api/v1/{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{name}: {method} {path}: {error.code} {error.read().decode()}") from None


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r} instead of {wanted!r}"


def said_no(call):
    """The message of MLflow's refusal, which is PERMISSION_DENIED and 403. `copy_model_version` wraps it in one of its own."""
    from mlflow.exceptions import MlflowException, RestException

    try:
        call()
    except MlflowException as error:
        refusal = error if isinstance(error, RestException) else error.__cause__
        assert isinstance(refusal, RestException), error
        assert refusal.message in str(error), error
        assert refusal.error_code == "PERMISSION_DENIED", refusal
        assert refusal.get_http_status_code() == 403, refusal
        return refusal.message
    raise AssertionError("it was not refused")


def holds(text, *words):
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"
