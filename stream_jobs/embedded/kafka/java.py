"""Finding the programs that Kafka needs: Java to run it, Maven to fetch it once."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError

MIN_JAVA: Final = 17  # what Kafka 4 brokers need
ANSWER_TIMEOUT_S: Final = 30.0
JAVA_HELP: Final = (
    f"Kafka needs Java {MIN_JAVA} or newer: install it (Debian, Ubuntu: apt install default-jre-headless) "
    "or set JAVA_HOME to one"
)
MAVEN_HELP: Final = "Maven is needed once, to fetch Kafka: install it (Debian, Ubuntu: apt install maven)"


def find_java() -> Path:
    """The `java` of JAVA_HOME, else of PATH. Raises ConfigError, with what to install, for none and for an old one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if found is None:
        raise ConfigError(f"no java {f'in JAVA_HOME ({home})' if home else 'on PATH'}. {JAVA_HELP}")
    java = Path(found)
    version = _version(java)
    if version < MIN_JAVA:
        raise ConfigError(f"{java} is Java {version}. {JAVA_HELP}")
    return java


@cache
def _version(java: Path) -> int:
    """The feature release: 17 for "17.0.15", 8 for "1.8.0_292". Raises ConfigError when it does not say."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S, check=False)
        said = done.stderr + done.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    if match is None:
        raise ConfigError(f"{java} does not tell its version ({said.strip()[:200]}). {JAVA_HELP}")
    return int(match[1])


def find_maven() -> Path:
    """Raises ConfigError, with what to install."""
    found = shutil.which("mvn")
    if found is None:
        raise ConfigError(f"no mvn on PATH. {MAVEN_HELP}")
    return Path(found)
