"""
Alice brings version 2 of fraud-cards to Production, where a policy asks for checks, numbers, a description, a signature and two of group risk.
Version 1 stands there from before. The test that runs this has published the policy; see governed-stage.test.ts.
"""

import os
import subprocess
import sys
import time

import mlflow
import numpy as np
from databricks.sdk import errors
from databricks.sdk.service import ml
from governance import expect, holds, native, registry, said_no, signed_in, token_of
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

NAME = "fraud-cards"
STAGE = "Production"
X = np.arange(60.0).reshape(20, 3)
y = (X[:, 0] > 30).astype(int)
client = MlflowClient()
alice, bob, carol, eve = (registry(name) for name in ("alice", "bob", "carol", "eve"))


def train(accuracy, description):
    mlflow.set_experiment("fraud")
    model = LogisticRegression().fit(X, y)
    with mlflow.start_run() as run:
        mlflow.log_metric("accuracy", accuracy)
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(X, model.predict(X)),
            registered_model_name=NAME,
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
    version = str(info.registered_model_version)
    client.update_model_version(NAME, version, description=description)
    return version, run.info.run_id


def stages():
    with signed_in("alice"):
        return {str(v.version): v.current_stage for v in client.search_model_versions(f"name = '{NAME}'")}


def missing(version="2"):
    explained = native("alice", "GET", f"models/{NAME}/versions/{version}/explain?target=stage:{STAGE}")
    return sorted({item["requirement"] for decision in explained["decisions"] for item in decision["missing"]})


def before_the_policy():
    with signed_in("alice"):
        expect(train(0.94, "What serves today.")[0], "1")
        client.transition_model_version_stage(NAME, "1", STAGE)


def asking():
    with signed_in("alice"):
        expect(train(0.95, "Sees cards that are new in the town.")[0], "2")
        refusal = said_no(lambda: client.transition_model_version_stage(NAME, "2", STAGE, archive_existing_versions=True))
    holds(refusal, "fraud-production", "0 of 2 approvals of group 'risk'", "bob", "carol", "ci/tests", "ci/bias")
    holds(refusal, "Ask for it: countersign request create fraud-cards/2 --stage Production --archive-existing")
    assert "alice" not in refusal, refusal
    # The description came after the version was sealed: evidence of it is taken when the request opens.
    expect(missing(), ["approvals", "checks", "description"])
    made = alice.create_transition_request(NAME, "2", STAGE, comment="Please look at the towns.").request
    expect((made.to_stage, made.user_id, made.comment), (STAGE, "alice", "Please look at the towns."))
    expect([action.value for action in made.available_actions if "CANCEL" in action.value], ["CANCEL_TRANSITION_REQUEST"])
    expect(missing(), ["approvals", "checks"])
    try:
        alice.create_transition_request(NAME, "2", STAGE)
        raise AssertionError("a second request was made")
    except errors.ResourceAlreadyExists:
        pass
    (listed,) = bob.list_transition_requests(NAME, "2")
    expect((listed.activity_type.value, listed.to_stage, listed.user_id), ("REQUESTED_TRANSITION", STAGE, "alice"))


def whose_approval_does_not_count():
    for who, words in ((alice, "alice"), (eve, "eve")):
        try:
            who.approve_transition_request(NAME, "2", STAGE, True)
            raise AssertionError(f"{words} approved")
        except errors.PermissionDenied as error:
            holds(str(error), words)
    expect(stages(), {"1": STAGE, "2": "None"})


def checks_by_ci():
    """By its own token, which may report these two names and nothing else."""
    body = {"name": "ci/tests", "external_id": "job-1", "status": "completed", "conclusion": "success"}
    reported = native("ci", "POST", f"models/{NAME}/versions/2/checks", body)
    expect((reported["check"]["is_entitled"], reported["check"]["conclusion"]), (True, "success"))
    env = {"PATH": os.environ["PATH"], "COUNTERSIGN_SERVER": os.environ["MLFLOW_TRACKING_URI"], "COUNTERSIGN_TOKEN": token_of("ci")}
    command = [*os.environ["COUNTERSIGN"].split("\n"), "check", "run", "ci/bias", f"{NAME}/2", "--external-id", "job-2", "--", "true"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    expect(ran.returncode, 0)
    expect(missing(), ["approvals"])
    try:
        registry("ci").approve_transition_request(NAME, "2", STAGE, True)
        raise AssertionError("a robot approved")
    except errors.PermissionDenied:
        pass


def signing():
    approved = bob.approve_transition_request(NAME, "2", STAGE, True, comment="The towns are fine.").activity
    expect((approved.activity_type.value, approved.user_id, approved.comment), ("APPROVED_REQUEST", "bob", "The towns are fine."))
    expect(stages(), {"1": STAGE, "2": "None"})
    (waiting,) = [each for each in native("carol", "GET", "requests?state=open")["requests"] if each["name"] == NAME]
    evaluation = native("carol", "GET", f"requests/{waiting['id']}/evaluation")
    holds(str(evaluation["decisions"]), "1 of 2 approvals", "carol", "accuracy")
    carol.approve_transition_request(NAME, "2", STAGE, True, comment="And the numbers.")
    expect(stages(), {"1": "Archived", "2": STAGE})
    expect(list(bob.list_transition_requests(NAME, "2")), [])


def serving():
    with signed_in("eve"):
        loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/{STAGE}")
        expect(loaded.predict(X).tolist(), y.tolist())


def telling_why():
    activities = native("eve", "GET", f"models/{NAME}/versions/2/activities?order=oldest")["activities"]
    told = [(each["type"], each["by"]["name"]) for each in activities]
    expect(
        told,
        [
            ("REQUESTED_TRANSITION", "alice"),
            ("APPROVED_REQUEST", "bob"),
            ("APPROVED_REQUEST", "carol"),
            ("APPLIED_TRANSITION", "carol"),
        ],
    )
    (left,) = [each for each in native("eve", "GET", f"models/{NAME}/versions/1/activities")["activities"] if each["type"] == "SYSTEM_TRANSITION"]
    expect((left["from_stage"], left["to_stage"]), (STAGE, "Archived"))
    decision = native("eve", "GET", f"models/{NAME}/versions/2/decisions")["decisions"][0]
    expect((decision["admission"], decision["target"], len(decision["approvals"])), ("policy", f"stage:{STAGE}", 2))
    (policy,) = decision["policies"]
    expect((policy["name"], policy["mode"], policy["is_satisfied"]), ("fraud-production", "enforce", True))
    holds(str(decision["decision"]), "2 of 2 approvals of group 'risk'", "ci/tests", "ci/bias", "accuracy")
    published = native("eve", "GET", f"policies/{policy['hash']}")
    holds(published["text"], "name: fraud-production")
    expect(native("alice", "GET", f"models/{NAME}/versions/2/explain?target=stage:{STAGE}")["choices"][0]["policy"]["name"], "fraud-production")


def a_version_that_is_worse():
    """Below the floor, and more than 0.01 below what is there now."""
    with signed_in("alice"):
        version, _ = train(0.91, "A try.")
        alice.create_transition_request(NAME, version, STAGE)
    evaluation = str(native("bob", "GET", f"models/{NAME}/versions/{version}/explain?target=stage:{STAGE}"))
    holds(evaluation, "accuracy", "0.91", "0.92", "0.95")
    assert "metrics" in missing(version)


def without_a_policy():
    """Whoever may move it approves, as on Databricks; others ask, take back, and are refused."""
    free = "free-model"
    alice.create_model(free)
    alice.create_model_version(free, "s3://bucket/model")
    asked = bob.create_transition_request(free, "1", "Staging", comment="For the tests.").request
    expect((asked.to_stage, asked.user_id, asked.available_actions), ("Staging", "bob", [ml.ActivityAction.CANCEL_TRANSITION_REQUEST]))
    for answer in (lambda: bob.approve_transition_request(free, "1", "Staging", False), lambda: carol.reject_transition_request(free, "1", "Staging")):
        try:
            answer()
            raise AssertionError("whoever may not move it answered")
        except errors.PermissionDenied:
            pass
    alice.reject_transition_request(free, "1", "Staging", comment="Not yet.")
    expect(list(bob.list_transition_requests(free, "1")), [])
    bob.create_transition_request(free, "1", "Staging")
    # The SDK reads no activity from this answer.
    bob.delete_transition_request(free, "1", "Staging", "bob")
    try:
        alice.approve_transition_request(free, "1", "Staging", False)
        raise AssertionError("what was taken back was approved")
    except errors.ResourceDoesNotExist:
        pass
    bob.create_transition_request(free, "1", "Production")
    approved = alice.approve_transition_request(free, "1", "Production", True, comment="Fine.").activity
    expect((approved.activity_type, approved.to_stage), (ml.ActivityType.APPROVED_REQUEST, "Production"))
    expect(alice.transition_stage(free, "1", "Archived", False).model_version_databricks.current_stage, "Archived")


PARTS = {
    "before": [before_the_policy],
    "after": [asking, whose_approval_does_not_count, checks_by_ci, signing, serving, telling_why, a_version_that_is_worse, without_a_policy],
}
for part in PARTS[sys.argv[1]]:
    started = time.monotonic()
    part()
    print(f"ok {part.__name__} {time.monotonic() - started:.1f} s", flush=True)
print("done")
