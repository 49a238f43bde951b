"""A script that moves versions as it did for years, and knows nothing of policies. It asks by trying; see governed-unaware.test.ts."""

import json
import os
import re
import urllib.error
import urllib.request

import mlflow
import mlflow.sklearn
from flows import PREFIX, RELEASE
from governance import HOST, expect, holds, native, said_no, signed_in, token_of
from mlflow import MlflowClient
from packaging.version import Version
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)
NAME = f"unaware.{PREFIX}"
SAVED = {"pip_requirements": ["scikit-learn"], **({"serialization_format": "cloudpickle"} if Version("3.13") <= RELEASE else {})}
client = MlflowClient()


def release(version):
    """All that the script does."""
    client.transition_model_version_stage(NAME, version, "Production", archive_existing_versions=True)


def train():
    mlflow.set_experiment(f"unaware {PREFIX}")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(LogisticRegression(max_iter=300).fit(X, y), "model", **SAVED)
    return str(mlflow.register_model(f"runs:/{run.info.run_id}/model", NAME).version)


def stage_of(version):
    return client.get_model_version(NAME, version).current_stage


def opened(refusal, words):
    found = re.search(rf"Request (\d+) {words} for it: GET /api/v1/requests/\1\.", refusal)
    assert found, refusal
    return int(found[1])


def through_preview(version):
    """Where clients of the first releases call."""
    body = json.dumps({"name": NAME, "version": version, "stage": "Production", "archive_existing_versions": True}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token_of('dan')}"}
    request = urllib.request.Request(f"{HOST}/api/2.0/preview/mlflow/model-versions/transition-stage", body, headers)
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    raise AssertionError("it was not refused")


with signed_in("dan"):
    expect((train(), train()), ("1", "2"))
    refusal = said_no(lambda: release("1"))
    holds(refusal, "Policy 'unaware-production' doesn't allow it.", "0 of 1 approvals of group 'risk'", "bob")
    number = opened(refusal, "was opened")
    expect(opened(said_no(lambda: release("1")), "is open"), number)
    status, answer = through_preview("1")
    expect((status, answer["error_code"], opened(answer["message"], "is open")), (403, "PERMISSION_DENIED", number))
    expect(stage_of("1"), "None")

request = native("dan", "GET", f"requests/{number}")
expect((request["name"], request["version"], request["subject"]), (NAME, 1, "stage:Production"))
native("bob", "POST", f"requests/{number}/approve", {})

with signed_in("dan"):
    expect(stage_of("1"), "Production")
    # Scheduled again, it finds all as it wants it.
    release("1")
    expect(stage_of("1"), "Production")
    second = opened(said_no(lambda: release("2")), "was opened")
    native("bob", "POST", f"requests/{second}/approve", {})
    # What the script said of archiving is in the request.
    expect((stage_of("1"), stage_of("2")), ("Archived", "Production"))
    release("2")
    # Out of it, too.
    said_no(lambda: client.transition_model_version_stage(NAME, "2", "None"))
    said_no(lambda: client.delete_model_version(NAME, "2"))
    expect(stage_of("2"), "Production")
    # What is not governed goes as ever.
    client.transition_model_version_stage(NAME, "1", "Staging")
    expect(stage_of("1"), "Staging")
print("done", os.getpid())
