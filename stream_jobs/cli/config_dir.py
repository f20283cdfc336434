"""The folder with the configuration, for commands that read it."""

import argparse
from pathlib import Path

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_folder, printable


def config_dir_of(args: argparse.Namespace) -> Path | None:
    """Whose files a command reads: `--config-dir`; with `--data-dir`, of that instance; as the environment says; of
    the current folder, where it has an instance that does not run; of the instance that runs; of the settings' data
    folder. Raises ConfigError when it is no folder."""
    found = find_config_dir(args)
    if found is not None and not is_folder(found):
        raise ConfigError(f"{printable(str(found))}: is not a folder")
    return found


def config_dir_said() -> Path | None:
    """What the environment says, without which an instance reads config/ in its data folder. Raises ConfigError."""
    from stream_jobs.base.environment import from_environment
    from stream_jobs.settings import PipelineSettings

    settings = from_environment(PipelineSettings)
    return settings.config_dir if "config_dir" in settings.model_fields_set else None


def find_config_dir(args: argparse.Namespace) -> Path | None:
    """The same, whatever lies there. Raises ConfigError when the settings are wrong, or nothing says whose of several
    instances."""
    from stream_jobs.base.environment import from_environment
    from stream_jobs.embedded.instance import find_instance, here_and_stopped
    from stream_jobs.settings import PipelineSettings

    if args.config_dir is not None:
        return Path(args.config_dir)
    settings = from_environment(PipelineSettings)
    data_dir: Path | None = getattr(args, "data_dir", None)
    said = "config_dir" in settings.model_fields_set or getattr(args, "url", None) is not None
    if data_dir is None and said:
        return settings.config_dir
    if data_dir is None and here_and_stopped():
        return settings.config_dir  # this folder's own, which needs nothing that runs
    instance = find_instance(data_dir, named_by="--data-dir" if hasattr(args, "data_dir") else "--config-dir")
    return Path(instance.config_dir) if instance is not None else settings.config_dir
