"""A process that sends requests with its home's allowances: `python calling_process.py HOME URL TOKEN COUNT RESERVED`.

It prints how many were answered, when it has sent COUNT or may send no more.
"""

import sys
from pathlib import Path

from pydantic import SecretStr

from pipelines.api import BudgetUsedUp, SocialConnect


def main(home: str, url: str, token: str, count: str, reserved: str) -> None:
    answered = 0
    with SocialConnect(
        url, [SecretStr(token)], max_wait_seconds=0, reserved_count=int(reserved), shared_folder=Path(home)
    ) as api:
        try:
            for _ in range(int(count)):
                api.get("/me")
                answered += 1
        except BudgetUsedUp:
            pass
    print(answered)  # noqa: T201 - to the test


if __name__ == "__main__":
    main(*sys.argv[1:])
