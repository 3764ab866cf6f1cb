"""What Streamlit runs, from top to bottom, for each viewer and each click: the filters, then the page.

`pipelines.dashboard.serving` starts it. A failure is told in the server's log; the viewer sees what to do next.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.dashboard.filters import LISTS, ZONE, ZONES, Filters
from pipelines.dashboard.pages import PAGES
from pipelines.dashboard.published_copy import LACKS, MADE_EARLIER, PublishedCopy
from pipelines.dashboard.queries import CHOICES, FRESHNESS
from pipelines.dashboard.view import View
from pipelines.settings import read_settings
from pipelines.warehouse import Warehouse, WarehouseUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pandas as pd

    from pipelines.dashboard.pages import Page
    from pipelines.dashboard.published_copy import Reading

TITLE = "Social Connect"
FOCUS = Path(__file__).with_name("focus.css")
"""How it is shown what the keyboard acts on."""
SIDE_BAR_PIXELS = 350
"""Wide enough for two dates side by side: below each other, the lists would have no room to open on a low window."""
LOOK_EVERY_SECONDS = 20
"""How often a page that is left open looks whether a new version has been published."""


@st.cache_resource(show_spinner=False)
def _copy_of(home: Path) -> PublishedCopy:
    return PublishedCopy(Warehouse(home))


def show(page: Page) -> None:
    """The filters and a page, of the newest version."""
    copy = _copy_of(read_settings().social_warehouse_home)
    try:
        with copy.reading() as reading:
            _follow(copy, reading.state)
            _show(page, reading)
    except WarehouseUnreadable as error:
        st.title(page.title)
        st.warning(f"There is nothing to show yet. {error}")
    except LACKS:
        st.title(page.title)
        st.warning(MADE_EARLIER)


def _show(page: Page, reading: Reading) -> None:
    told = reading.frame(FRESHNESS.sql, {}).iloc[0]
    filters = _filters(reading.frame(CHOICES.sql, {}), told["as_of"], told["reporting_time_zone"])
    st.title(page.title)
    st.caption(
        f"{filters.first_date} to {filters.last_date}, days of {filters.zone or told['reporting_time_zone']}."
        f" Data as of {told['as_of']:%Y-%m-%d %H:%M} UTC."
    )
    page.show(View(reading, filters))


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _follow(copy: PublishedCopy, state: str) -> None:
    """Makes the page anew when another version has been published."""
    if copy.state() not in {None, state}:
        st.rerun()


def _filters(choices: pd.DataFrame, as_of: pd.Timestamp, reporting_time_zone: str) -> Filters:
    """The filters in the side bar, first as the address says, then as the viewer sets them; the address follows."""
    if ZONE not in st.session_state:
        st.session_state[ZONE] = Filters.zone_in(_address())
    today = as_of.tz_convert(st.session_state[ZONE] or reporting_time_zone).date()
    _begin(today)
    with st.sidebar:
        left, right = st.columns(2)
        first = left.date_input("From", key="first_date", format="YYYY-MM-DD")
        last = right.date_input("To, included", key="last_date", format="YYYY-MM-DD")
        for name in LISTS:
            labels = _labels(choices, name)
            st.multiselect(
                name.capitalize(),
                [*labels, *(value for value in st.session_state[name] if value not in labels)],
                key=name,
                format_func=partial(_label, labels),
                placeholder="all",
            )
        zone = st.selectbox(
            "Days of",
            [None, *ZONES],
            key=ZONE,
            format_func=lambda name: name or f"{reporting_time_zone}, as the warehouse",
        )
        st.caption("The address holds what is chosen: share it to share the view.")
    chosen = {name: tuple(st.session_state[name]) for name in LISTS}
    filters = Filters(min(first, last), max(first, last), **chosen, zone=zone)
    # Each time: a click on another page takes the choice out of the browser's address.
    st.query_params.from_dict(filters.to_address(today=today))
    return filters


def _begin(today: date) -> None:
    """Sets the filters as the address says, once: from then on they are the viewer's, on every page.

    The usual dates move on with the days, also into another zone, unless the viewer has chosen others.
    """
    before, st.session_state["today"] = st.session_state.get("today", today), today
    if "first_date" not in st.session_state:
        filters = Filters.from_address(_address(), today=today)
        for name in LISTS:
            st.session_state[name] = list(filters.values(name))
    elif before == today:
        return
    else:
        filters = Filters(st.session_state["first_date"], st.session_state["last_date"]).moved_on(before, today)
    st.session_state["first_date"], st.session_state["last_date"] = filters.first_date, filters.last_date


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _labels(choices: pd.DataFrame, name: str) -> dict[str, str]:
    """Names for people of a filter's values; with the account, where there are several."""
    rows = choices[choices["filter"] == name]
    has_several = choices.loc[choices["filter"] == "account"].shape[0] > 1
    return {
        str(value): f"{label} ({account_id})" if has_several and account_id else str(label)
        for value, label, account_id in zip(rows["value"], rows["label"], rows["account_id"].fillna(""), strict=True)
    }


def _label(labels: Mapping[str, str], value: str) -> str:
    return labels.get(value, value)


def main() -> None:
    """The navigation, and the page that the address names."""
    st.set_page_config(page_title=TITLE, layout="wide", initial_sidebar_state=SIDE_BAR_PIXELS)
    st.html(FOCUS)
    chosen = st.navigation(
        [
            st.Page(partial(show, page), title=page.title, url_path=page.address, default=page is PAGES[0])
            for page in PAGES
        ]
    )
    # Not chosen.run(): what is set in a page is forgotten with it, and the filters are those of all pages.
    show(next(page for page in PAGES if page.title == chosen.title))


if __name__ == "__main__":
    main()
