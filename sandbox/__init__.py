"""A local Social Connect API over real HTTP: seeded, deterministic, with a clock of its own and faults on demand.

>>> with Sandbox(seed=1, mentions=500).serve() as server:
...     url = f"{server.base_url}/1417/inbox/mentions"
"""

from sandbox.behaviour import Behaviour
from sandbox.later_changes import RESTLESS, DailyChanges
from sandbox.sandbox import DEFAULT_NOW, Sandbox
from sandbox.server import Server

__all__ = ["DEFAULT_NOW", "RESTLESS", "Behaviour", "DailyChanges", "Sandbox", "Server"]
