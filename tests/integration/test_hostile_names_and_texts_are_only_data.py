"""What people and accounts call things goes the whole way as it is: it becomes no SQL, path, template or command.

Flattening alone is tried with many more in tests/unit/transforms/test_hostile_keys_and_texts.py.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import health, run
from pipelines.erasure import Subject

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

ACCOUNT = 1417
HOSTILE = (
    "mentions; drop table social_connect.mentions; --",
    "'; COPY (SELECT 1) TO 'hostile.csv'; --",
    "\"; ATTACH 'hostile.duckdb' AS \"x",
    "../../hostile",
    "/etc/../hostile\\..\\hostile",
    "$(touch hostile) `touch hostile` ; touch hostile | touch hostile &",
    "{{ run_query('drop schema marts cascade') }}{% do exit() %}{# #}",
    "{account_id} %(name)s %s $1 ? :name ${HOME}",
    "first\nsecond\r\n\tthird\x1b[31m",
    "nul\x00in the middle",
    "שלום \u202eevil\u202c مرحبا",
    "👩‍👩‍👧 🇧🇪 e\u0301 \u2028",
    "<script>alert(1)</script> [bold red]markup[/] =cmd()",
    "long " * 4_000,
    "NULL",
    "mentions",
    "",
)


def make_hostile(site: Any, texts: list[str]) -> dict[str, str]:
    """Gives each text to a mention, wherever text can stand in it, and to a tag; which mention has which."""
    given_to: dict[str, str] = {}
    for text, mention in zip(texts, site.box.mentions(ACCOUNT), strict=False):
        given_to[mention["unique_id"]] = text
        site.box.edit_mention(
            ACCOUNT,
            mention["unique_id"],
            {
                "author": {"name": text, "fullname": text, "id": text, "tags": [text]},
                "message": {"title": text, "content": text},
                "topic": {"name": text},
                "tags": [text, "ordinary"],
                "extra_attributes": [{"id": "1", "name": text, "value": text}],
                f"unknown {text}": {text: text},
            },
        )
    for contact, text in zip(site.box.contacts(ACCOUNT), texts, strict=False):
        site.box.edit_contact(ACCOUNT, str(contact["id"]), {"name": text, "company": text, "comments": text})
    for case, text in zip(site.box.cases(ACCOUNT), texts, strict=False):
        site.box.edit_mention(ACCOUNT, case["case"]["unique_id"], {"message": {"title": text, "content": text}})
    for text in {text for text in texts if text.strip()}:
        site.box.add(ACCOUNT, "tags", tag=text)
    return given_to


def assert_lands_as_it_is(site: Any, given_to: dict[str, str]) -> None:
    columns = "author_name, author_id, message_title, message_content, topic_name, value, name"
    rows = site.rows(
        f"SELECT unique_id, {columns} FROM mentions JOIN mention_extra_attributes USING (account_id, unique_id)"  # noqa: S608 - names
        " WHERE unique_id IN (SELECT unnest(?))",
        list(given_to),
    )
    assert {row[0]: set(row[1:]) for row in rows} == {unique_id: {text} for unique_id, text in given_to.items()}
    tags = site.rows("SELECT unique_id, tag FROM mention_tags WHERE unique_id IN (SELECT unnest(?))", list(given_to))
    assert set(tags) == {pair for each, text in given_to.items() for pair in ((each, text), (each, "ordinary"))}
    assert site.one("SELECT count(*) FROM mentions WHERE account_id = '1417'") == len(site.box.mentions(ACCOUNT))


@pytest.mark.filterwarnings("ignore")  # what dbt's imports raise is not ours to mend
@pytest.mark.parametrize("goes_on", [False, True])
def test_the_whole_way_from_the_api_to_a_reader(
    make_site: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, goes_on: bool
) -> None:
    outside = tmp_path / "somewhere" / "to start from"
    outside.mkdir(parents=True)
    monkeypatch.chdir(outside)
    site = make_site(mentions=60).with_home(tmp_path / "a home; $(with) `a` name")
    given_to = make_hostile(site, list(HOSTILE))
    site.sync()
    assert_lands_as_it_is(site, given_to)
    run.replay(site.settings(), as_of=site.box.now)
    assert_lands_as_it_is(site, given_to)
    if goes_on:
        site.transform()
        run.publish(site.settings())
        assert health.status(site.settings())
        with duckdb.connect(site.home / "published" / "warehouse.duckdb", read_only=True) as con:
            authors = con.execute(
                "SELECT unique_id, author_id FROM marts.fct_mentions WHERE unique_id IN (SELECT unnest($1))",
                [list(given_to)],
            ).fetchall()
        assert dict(authors) == given_to
        run.erase(site.settings(), Subject(author_id=HOSTILE[0]), reason=HOSTILE[1], as_of=site.box.now)
        assert site.one("SELECT count(*) FROM mentions WHERE author_name = ?", HOSTILE[0]) == 0
    assert list(outside.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"somewhere", site.home.name}
    assert list(tmp_path.rglob("*hostile*")) == []


def test_any_names_and_texts_are_loaded_as_they_are(make_site: Make, tmp_path: Path) -> None:
    site = make_site(mentions=60, stream_names=["topics", "mentions", "tags"])
    texts = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=200), min_size=1, max_size=20)
    before = set(os.listdir("."))  # noqa: PTH208 - names are enough
    place = 0

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(texts)
    @example(list(HOSTILE))
    def check(some: list[str]) -> None:
        nonlocal place
        place += 1
        there = site.with_home(tmp_path / str(place))
        given_to = make_hostile(there, some)
        there.sync()
        assert_lands_as_it_is(there, given_to)

    check()
    assert set(os.listdir(".")) == before  # noqa: PTH208 - as above
