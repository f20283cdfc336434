"""The folder with the configuration, for commands that read it."""

import argparse
from pathlib import Path

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_folder, printable


def config_dir_of(args: argparse.Namespace) -> Path | None:
    """`--config-dir`, or else the settings' one. Raises ConfigError when it is no folder."""
    from stream_jobs.base.environment import from_environment
    from stream_jobs.settings import PipelineSettings

    config_dir: Path | None = args.config_dir
    if config_dir is None:
        settings = from_environment(PipelineSettings)
        assert isinstance(settings, PipelineSettings)
        config_dir = settings.config_dir
    if config_dir is not None and not is_folder(config_dir):
        raise ConfigError(f"{printable(str(config_dir))}: is not a folder")
    return config_dir
