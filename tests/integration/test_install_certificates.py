"""`make install` where a company's own certificate authority, which only the system's store knows, signs what comes.

The store is the real one, /etc/ssl/certs, with another in its place in a mount namespace of the command's own.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.intercepting_proxy import intercepting_proxy
from tests.tls import Authority

ROOT = Path(__file__).resolve().parents[2]
STORE = Path("/etc/ssl/certs")
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "small"
version = "1"
requires-python = ">=3.11"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["small"]
"""
CERTIFICATES = "-----BEGIN CERTIFICATE-----\nsome\n-----END CERTIFICATE-----\n"
LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "small"
version = "1"
source = { editable = "." }
"""


def own_namespace(store: Path) -> list[str]:
    """Put before a command: it sees `store` at STORE. Skips the test where that is not permitted."""
    if not shutil.which("unshare") or not STORE.is_dir():
        pytest.skip(f"needs Linux with unshare (util-linux) and {STORE}")
    command = ["unshare", "--mount", "bash", "-c", f'mount --bind "{store}" {STORE} && exec "$@"', "bash"]
    if (tried := subprocess.run([*command, "true"], capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"needs the right to mount: {tried.stderr.strip()}")
    return command


def store_of(folder: Path, authority: Authority) -> Path:
    """As update-ca-certificates leaves it: one file with all, and one by the name's hash."""
    folder.mkdir()
    shutil.copy(authority.file, folder / "ca-certificates.crt")
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(authority.file)], capture_output=True, text=True, check=True
    )
    shutil.copy(authority.file, folder / f"{hashed.stdout.strip()}.0")
    return folder


@pytest.mark.slow
def test_with_path_and_home_alone_an_installation_trusts_the_systems_store(tmp_path: Path) -> None:
    """pip (for uv) and uv (for the rest) accept the authority of the system's store, which no list of theirs has."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    for folder in (checkout / "infra", checkout / "small", home):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", checkout)
    shutil.copy(ROOT / "infra/certificates.sh", checkout / "infra")
    (checkout / "small/__init__.py").touch()
    (checkout / "pyproject.toml").write_text(PROJECT)
    (checkout / "uv.lock").write_text(LOCK)
    # A uv on PATH would leave pip out of it.
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not (Path(part) / "uv").exists())
    authority = Authority(tmp_path / "authority", "a company's own")
    with intercepting_proxy(authority) as proxy:
        environment = ["env", "-i", f"PATH={path}", f"HOME={home}", f"HTTPS_PROXY=http://127.0.0.1:{proxy.port}"]
        environment += ["PIP_CONFIG_FILE=/dev/null"]  # the machine's may name a file with certificates
        namespace = own_namespace(store_of(tmp_path / "store", authority))
        installed = subprocess.run(
            [*namespace, *environment, "make", "-C", str(checkout), "install"],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if proxy.unreachable:
            pytest.skip(f"no network: {', '.join(proxy.unreachable)} cannot be reached")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (checkout / ".venv/bin/uv").exists(), "pip has installed it"
    assert (checkout / ".venv/.installed").exists(), "and it the rest"
    assert proxy.hosts, "through the proxy"


def test_without_a_store_the_tools_keep_their_own_lists(tmp_path: Path) -> None:
    """In an image without ca-certificates uv would trust nobody if it were told to trust the system."""
    (tmp_path / "store").mkdir()
    script = 'SSL_CERT_FILE= ; . infra/certificates.sh; echo "${UV_SYSTEM_CERTS-unset}"'
    asked = subprocess.run(
        [*own_namespace(tmp_path / "store"), "env", "-i", f"PATH={os.environ['PATH']}", "bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert asked.stdout == "unset\n", "where there is no other store beside the one taken away"


def test_what_holds_no_certificate_is_no_store(tmp_path: Path) -> None:
    """A folder, a file of something else, an empty one: the next that is one counts, as if they had not been named."""
    (tmp_path / "empty.pem").touch()
    (tmp_path / "other.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "store.pem").write_text(f"# ours\n{CERTIFICATES}")

    def store(named: str) -> str:
        command = ["bash", "-c", ". infra/certificates.sh; system_store"]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | {"SSL_CERT_FILE": named}, capture_output=True, text=True, check=True
        ).stdout.strip()

    unnamed = store("")
    for name in (
        "/etc/hostname",
        "/",
        "/dev/null",
        "/no/such",
        *(str(tmp_path / f"{n}.pem") for n in ("empty", "other")),
    ):
        assert store(name) == unnamed, name
    assert store(str(tmp_path / "store.pem")) == str(tmp_path / "store.pem")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "uv 1 pip STORE"),
        ({"UV_SYSTEM_CERTS": "false"}, "uv false pip STORE"),
        ({"PIP_CERT": "/own.pem"}, "uv 1 pip /own.pem"),
        ({"REQUESTS_CA_BUNDLE": "/own.pem"}, "uv 1 pip unset"),
        ({"PIP_CONFIG_FILE": "CONFIGURED"}, "uv 1 pip unset"),
        ({"PIP_VERSION": "24.2"}, "uv 1 pip unset"),
        ({"PIP_VERSION": "26.0.1"}, "uv 1 pip unset"),
        ({"PIP_VERSION": "23.3.2"}, "uv 1 pip STORE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_is_configured_stays(given: dict[str, str], said: str, tmp_path: Path) -> None:
    """Only an old pip without a word about certificates is told the system's store, and uv unless it is told else."""
    store, configured = tmp_path / "store.pem", tmp_path / "pip.conf"
    store.write_text(CERTIFICATES)
    configured.write_text("[global]\ncert = /own.pem\n")
    version = given.get("PIP_VERSION", "23.0.1")
    # Stands for the pip of another version: it tells its version, and what it finds configured, as the real one does.
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__init__.py").write_text(f'__version__ = "{version}"\n')
    (tmp_path / "pip/__main__.py").write_text(
        "import os, pathlib\nprint(pathlib.Path(os.environ['PIP_CONFIG_FILE']).read_text().replace('[global]\\ncert =',"
        " 'global.cert='))\n"
    )
    environment = {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(store), "PYTHONPATH": str(tmp_path)}
    environment |= {"PIP_CONFIG_FILE": "/dev/null"} | given
    if given.get("PIP_CONFIG_FILE"):
        environment["PIP_CONFIG_FILE"] = str(configured)
    script = ". infra/certificates.sh; pip_trusts_system python3"
    told = subprocess.run(
        ["bash", "-c", f'{script}; echo "uv $UV_SYSTEM_CERTS pip ${{PIP_CERT-unset}}"'],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == said.replace("STORE", str(store))
