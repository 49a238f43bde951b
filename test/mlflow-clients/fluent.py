"""The fluent flows of MLflow's client against MLFLOW_TRACKING_URI; names of flows as arguments run only these."""

import sys

from flows import run_all
from fluent_registry import REGISTRY
from fluent_tracking import TRACKING

chosen = sys.argv[1:]
run_all([flow for flow in TRACKING + REGISTRY if not chosen or flow.__name__ in chosen])
