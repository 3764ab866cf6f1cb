"""How far a connection to the API gets: its name, its port, its certificate. Sends no request and no token."""

import socket
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.request import getproxies, proxy_bypass

import httpx

__all__ = ["Reach", "reach"]


@dataclass(frozen=True)
class Reach:
    """How far a connection got.

    Attributes:
        host: of the base URL, with its port.
        failed_at: the step that failed: finding the address of the name, connecting, or agreeing on encryption; None
            when none did.
        detail: what the system said about that, or how the connection is.
    """

    host: str
    failed_at: Literal["DNS", "TCP", "TLS"] | None
    detail: str


def reach(base_url: str, *, timeout_seconds: float = 10) -> Reach:
    """Tries a connection step by step. Behind a proxy nothing is tried, since the proxy takes these steps.

    Args:
        base_url: the API's root, as the client takes it.
        timeout_seconds: how long each step may take.
    """
    address = httpx.URL(base_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    host = f"{address.host}:{port}"
    proxy = getproxies().get(address.scheme) or getproxies().get("all")
    if proxy and not proxy_bypass(address.host):
        return Reach(host, None, f"through the proxy {httpx.URL(proxy).host}")
    try:
        found = socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Reach(host, "DNS", str(error))
    try:
        connection = socket.create_connection((address.host, port), timeout=timeout_seconds)
    except OSError as error:
        return Reach(host, "TCP", f"{error}, at {found[0][4][0]}")
    with connection:
        if address.scheme != "https":
            return Reach(host, None, "without encryption")
        try:
            # The trust of the client, which may not be the system's.
            with httpx.create_ssl_context().wrap_socket(connection, server_hostname=address.host) as encrypted:
                return Reach(host, None, encrypted.version() or "encrypted")
        except (ssl.SSLError, OSError) as error:
            return Reach(host, "TLS", str(error))
