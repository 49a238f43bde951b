"""Runs flows one after another, says how long each took, and ends with 1 where one failed. A flow that the release lacks says so."""

import functools
import os
import sys
import time
import traceback

import mlflow
from packaging.version import Version

RELEASE = Version(mlflow.__version__)
PREFIX = os.environ.get("FLOW_PREFIX", f"mlflow-{RELEASE.major}.{RELEASE.minor}")


class NotInThisRelease(Exception):
    """Raised by a flow whose calls came to the client later."""


def since(release):
    """Marks a flow that older clients don't know."""

    def mark(flow):
        @functools.wraps(flow)
        def guarded():
            if Version(release) > RELEASE:
                raise NotInThisRelease(f"since {release}")
            flow()

        return guarded

    return mark


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r} instead of {wanted!r}"


def expect_error(code, words, call):
    """The call is refused with MLflow's code and a message that has these words."""
    try:
        call()
    except mlflow.exceptions.MlflowException as error:
        assert error.error_code == code, f"{error.error_code} instead of {code}: {error}"
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError(f"no error; {code} was expected")


def every_page(fetch):
    """All items of a paged search, and how many pages there were."""
    items, pages, token = [], 0, None
    while True:
        page = fetch(token)
        items += list(page)
        pages += 1
        token = page.token
        if not token:
            return items, pages


def run_all(flows):
    failed = 0
    for flow in flows:
        started = time.monotonic()
        try:
            flow()
            verdict = "ok"
        except NotInThisRelease as reason:
            verdict = f"skipped ({reason})"
        except Exception:
            traceback.print_exc()
            verdict = "FAILED"
            failed += 1
        finally:
            while mlflow.active_run():
                mlflow.end_run()
        print(f"{verdict:8} {flow.__name__} {time.monotonic() - started:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
