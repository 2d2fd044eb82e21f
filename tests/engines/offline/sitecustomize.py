"""Loaded by any Python process with this folder in PYTHONPATH: no connection leaves the machine, each try is noted.

Notes one line "loaded PID" for each process, so that a test knows that it was watched.
"""

import ipaddress
import os
import socket
from typing import Any


def note(text: str) -> None:
    with open(os.environ["CONNECTIONS_FILE"], "a", encoding="utf-8") as file:  # noqa: PTH123  # before site is complete
        file.write(text + "\n")


def is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return str(address[0]) == "localhost"


class LocalSocket(socket.socket):
    def connect(self, address: Any) -> None:
        self.check(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        self.check(address)
        return super().connect_ex(address)

    def sendto(self, *arguments: Any) -> int:
        self.check(arguments[-1])
        return super().sendto(*arguments)

    def check(self, address: Any) -> None:
        if not is_local(address):
            note(f"{os.getpid()} {address}")
            raise OSError(f"no network in this test: {address}")


def refuse_foreign_names(*arguments: Any, **options: Any) -> Any:
    if arguments[0] not in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname()):
        note(f"{os.getpid()} lookup {arguments[0]}")
        raise OSError(f"no network in this test: {arguments[0]}")
    return resolve(*arguments, **options)


resolve = socket.getaddrinfo
socket.socket = LocalSocket  # type: ignore[misc]
socket.getaddrinfo = refuse_foreign_names
note(f"loaded {os.getpid()}")
