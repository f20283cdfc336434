"""Runs the program that fits Prophet's model, and reads what it found.

In place of cmdstanpy, which is what Prophet itself does it with: that one takes longer to load and with each fit, which
it logs twice, and keeps its files until the process ends.
"""

import json
import subprocess
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream_jobs.forecasting.members.model import Floats

SEED: Final = 1
_ITERATIONS: Final = 10_000
_FEW: Final = 100
"""Below so many cells Newton's steps find the optimum, as with Prophet's own backend."""


class StanProgram:
    """As Prophet's `IStanBackend`: `fit` is all that it asks of it for an optimum."""

    stan_fit = None

    def fit(self, stan_init: dict[str, Any], stan_data: dict[str, Any], **_: Any) -> dict[str, Floats]:
        """Each parameter as (1, size). Raises RuntimeError with the program's last words where it finds none."""
        from prophet.models import CmdStanPyBackend

        start, data = CmdStanPyBackend.prepare_data(stan_init, stan_data)
        algorithm = "newton" if stan_data["T"] < _FEW else "lbfgs"
        try:
            names, found = _optimum(start, data, algorithm)
        except RuntimeError:
            if algorithm == "newton":
                raise
            names, found = _optimum(start, data, "newton")
        parameters = CmdStanPyBackend.stan_to_dict_numpy(names, found)
        return {name: values.reshape(1, -1) for name, values in parameters.items()}


def _optimum(start: object, data: object, algorithm: str) -> tuple[list[str], Floats]:
    with tempfile.TemporaryDirectory(prefix="stan-") as name:
        folder = Path(name)
        given, begun, found = folder / "data.json", folder / "start.json", folder / "found.csv"
        given.write_text(json.dumps(data), encoding="ascii")
        begun.write_text(json.dumps(start), encoding="ascii")
        done = subprocess.run(
            [
                _program(),
                *("method=optimize", f"algorithm={algorithm}", f"iter={_ITERATIONS}"),
                *("data", f"file={given}", f"init={begun}", "random", f"seed={SEED}", "output", f"file={found}"),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        text = found.read_text(encoding="ascii") if found.exists() else ""
    lines = [line for line in text.splitlines() if line[:1] not in ("", "#")]
    if done.returncode or len(lines) < 2:
        words = " ".join((done.stdout + done.stderr).split()[-30:])
        raise RuntimeError(f"Stan's program ended with code {done.returncode}: {words}")
    return lines[0].split(","), np.array([float(number) for number in lines[1].split(",")])


@cache
def _program() -> str:
    return str(files("prophet") / "stan_model" / "prophet_model.bin")
