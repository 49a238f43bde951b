"""
Dora's team has no stages: what is tried is a version of dev.churn, what serves is `champion` of prod.churn. Policies govern entry into prod.*,
`champion` and the tag validation_status there; see governed-environments.test.ts.
"""

import re
import time

import mlflow
import numpy as np
from mlflow import genai
from governance import expect, holds, native, said_no, signed_in
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from sklearn.linear_model import LogisticRegression

DEV, PROD = "dev.churn", "prod.churn"
X = np.arange(60.0).reshape(20, 3)
y = (X[:, 0] > 30).astype(int)
client = MlflowClient()


def train(strength):
    mlflow.set_experiment("churn")
    model = LogisticRegression(C=strength).fit(X, y)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name=DEV, serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )


def promote(version):
    """The script that the team has always had."""
    return client.copy_model_version(f"models:/{DEV}/{version}", PROD)


def request_in(refusal):
    found = re.search(r"Request (\d+) (was opened|is open) for it: GET /api/v1/requests/\1\.", refusal)
    assert found, refusal
    return int(found[1])


def versions_of(name):
    return [str(v.version) for v in client.search_model_versions(f"name = '{name}'", order_by=["version_number ASC"])]


def sign(request):
    half = native("bob", "POST", f"requests/{request}/approve", {"comment": "Seen."})
    expect((half["state"], [each["by"]["name"] for each in half["approvals"]]), ("open", ["bob"]))
    whole = native("carol", "POST", f"requests/{request}/approve", {})
    expect(whole["state"], "approved")
    return whole


def dev_is_free():
    with signed_in("dora"):
        train(1.0)
        client.set_model_version_tag(DEV, "1", "validation_status", "approved")
        client.set_model_version_tag(DEV, "1", "owner", "dora")
        client.set_registered_model_alias(DEV, "champion", "1")


def a_copy_into_prod_is_asked_for():
    with signed_in("dora"):
        refusal = said_no(lambda: promote(1))
        holds(refusal, "prod-entry", "0 of 2 approvals of group 'risk'", "bob", "carol")
        number = request_in(refusal)
        # Trying again asks for the same.
        expect(request_in(said_no(lambda: promote(1))), number)
        expect(versions_of(PROD), [])
    request = native("bob", "GET", f"requests/{number}")
    expect((request["name"], request["target"]["kind"], request["source"]), (PROD, "entry", f"models:/{DEV}/1"))
    expect((request["created_by"]["name"], request["version"]), ("dora", None))
    assert request["digest"], "approvals are of bytes"
    expect([each["id"] for each in native("bob", "GET", "inbox")["waiting_for_me"]["requests"]], [number])
    sign(number)


def it_enters_and_the_script_gets_it():
    with signed_in("dora"):
        expect(versions_of(PROD), ["1"])
        again = promote(1)
        expect((again.name, str(again.version)), (PROD, "1"))
        expect(versions_of(PROD), ["1"])
        expect(again.tags, {"owner": "dora"})
        expect(client.get_model_version(DEV, "1").tags["validation_status"], "approved")
    seal = [native("dora", "GET", f"models/{name}/versions/1")["seal"]["digest"] for name in (DEV, PROD)]
    expect(seal[0], seal[1])


def champion_is_asked_for():
    with signed_in("dora"):
        refusal = said_no(lambda: client.set_registered_model_alias(PROD, "champion", "1"))
        holds(refusal, "prod-champion")
        try:
            client.get_model_version_by_alias(PROD, "champion")
            raise AssertionError("champion is there")
        except RestException:
            pass
        sign(request_in(refusal))
        expect(str(client.get_model_version_by_alias(PROD, "champion").version), "1")
        # Where it is already, nobody is asked.
        client.set_registered_model_alias(PROD, "champion", "1")
        expect(mlflow.pyfunc.load_model(f"models:/{PROD}@champion").predict(X).tolist(), y.tolist())


def challenger_is_free():
    with signed_in("dora"):
        train(0.01)
        sign(request_in(said_no(lambda: promote(2))))
        expect(str(promote(2).version), "2")
        client.set_registered_model_alias(PROD, "challenger", "1")
        client.set_registered_model_alias(PROD, "challenger", "2")
        expect(str(client.get_model_version_by_alias(PROD, "challenger").version), "2")
        expect(str(client.get_model_version_by_alias(PROD, "champion").version), "1")


def validation_is_said_by_those_who_validate():
    with signed_in("dora"):
        refusal = said_no(lambda: client.set_model_version_tag(PROD, "2", "validation_status", "approved"))
        sign(request_in(refusal))
        expect(client.get_model_version(PROD, "2").tags["validation_status"], "approved")
        client.set_model_version_tag(PROD, "2", "validation_status", "approved")
        said_no(lambda: client.delete_model_version_tag(PROD, "2", "validation_status"))


def a_prompt_is_signed_too():
    with signed_in("dora"):
        genai.register_prompt(name="greeting", template="Hello {{name}}")
        genai.set_prompt_alias("greeting", alias="draft", version=1)
        refusal = said_no(lambda: genai.set_prompt_alias("greeting", alias="live", version=1))
        holds(refusal, "prompt-live")
        sign(request_in(refusal))
        genai.set_prompt_alias("greeting", alias="live", version=1)
        expect(genai.load_prompt("prompts:/greeting@live").template, "Hello {{name}}")
        genai.register_prompt(name="greeting", template="Hi {{name}}")
        said_no(lambda: genai.set_prompt_alias("greeting", alias="live", version=2))
        said_no(lambda: genai.delete_prompt_alias("greeting", alias="live"))


def no_other_way_in():
    with signed_in("dora"):
        said_no(lambda: client.rename_registered_model(DEV, "prod.other"))
        said_no(lambda: client.delete_model_version(PROD, "1"))
        said_no(lambda: client.delete_registered_model(PROD))
        said_no(lambda: client.delete_registered_model_alias(PROD, "champion"))
        run = client.search_model_versions(f"name = '{DEV}'")[0].run_id
        said_no(lambda: client.create_model_version(PROD, f"runs:/{run}/model", run))
        said_no(lambda: client.create_model_version(PROD, f"models:/{DEV}/1", tags={"validation_status": "approved"}))
        expect(versions_of(PROD), ["1", "2"])
        expect(str(client.get_model_version_by_alias(PROD, "champion").version), "1")


for part in (
    dev_is_free,
    a_copy_into_prod_is_asked_for,
    it_enters_and_the_script_gets_it,
    champion_is_asked_for,
    challenger_is_free,
    validation_is_said_by_those_who_validate,
    a_prompt_is_signed_too,
    no_other_way_in,
):
    started = time.monotonic()
    part()
    print(f"ok {part.__name__} {time.monotonic() - started:.1f} s", flush=True)
print("done")
