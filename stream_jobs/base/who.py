"""Who does it, for the record of what people do."""

import getpass
import os
import socket


def user() -> str:
    """The user's name; the number of one without a name, as in a container. Never raises, for it is asked for after
    something was done as well."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return name.encode("utf-8", "replace").decode()


def user_at_host() -> str:
    """user@host."""
    return f"{user()}@{socket.gethostname()}"
