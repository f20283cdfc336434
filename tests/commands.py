"""Commands of `spendstream` run in this process: an interpreter of its own costs each a second of CPU."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from subprocess import CompletedProcess
from unittest import mock

from spendstream.cli import main


def run(*arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """As a shell would run it with its output in files: exit code, stdout and stderr. What argparse refuses too."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    with (
        mock.patch.object(sys, "stdin", given),
        _environment(environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(arguments)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    told = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return CompletedProcess(arguments, code, *told)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str] | None) -> Iterator[None]:
    if variables is None:
        yield
    else:
        with mock.patch.dict(os.environ, variables, clear=True):
            yield
