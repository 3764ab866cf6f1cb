"""What tables of numbers look like: Altair charts in colours that colour-blind people tell apart.

Lines differ in their dashes too, so that nothing is said by colour alone. Seconds are drawn in hours. Each chart has a
description of what is drawn, which a screen reader says.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import altair as alt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

Chart = alt.Chart
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""Those of Okabe and Ito, the darker ones first."""
SECONDS_PER_HOUR = 3600
HEIGHT_PIXELS = 260
PICTURE_WIDTH_PIXELS = 640


def _long(frame: pd.DataFrame, keys: Sequence[str], columns: Mapping[str, str]) -> pd.DataFrame:
    """A row for each value of the columns, which are known by the names that people read."""
    return frame.rename(columns=dict(columns)).melt(
        id_vars=list(keys), value_vars=list(columns.values()), var_name="series", value_name="value"
    )


def _in_hours(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    seconds = [column for column in columns if column.endswith("_seconds")]
    return frame.assign(**{column: frame[column] / SECONDS_PER_HOUR for column in seconds})


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(str, names))


_LEGEND = alt.Legend(orient="top", columns=2, labelLimit=300)


def _series(names: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=[COLOURS[place % len(COLOURS)] for place in range(len(names))])
    return alt.Color("series:N", title=None, scale=scale, legend=_LEGEND)


def lines(frame: pd.DataFrame, columns: Mapping[str, str], unit: str, *, by: str = "day") -> alt.Chart:
    """A line for each column, over days or other steps.

    Args:
        frame: the numbers.
        columns: what to draw, and its name for people. Those in seconds are drawn in hours.
        unit: what the numbers are, on the axis.
        by: the column of the steps.
    """
    return _lines(_long(_in_hours(frame, columns), [by], columns), list(columns.values()), unit, by)


def lines_of(frame: pd.DataFrame, value: str, of: str, unit: str) -> alt.Chart:
    """A line over days for each value of a column, of which a day has one row; none where there is no number."""
    series = frame[["day", of, value]].set_axis(["day", "series", "value"], axis="columns")
    return _lines(series, sorted(frame[of].unique()), unit, "day")


def _lines(series: pd.DataFrame, names: Sequence[str], unit: str, by: str) -> alt.Chart:
    step = alt.X(f"{by}:T", title=None) if by == "day" else alt.X(f"{by}:Q", title=by.replace("_", " "))
    drawn: alt.Chart = (
        alt.Chart(series)
        .mark_line(point=True)
        .encode(
            x=step,
            y=alt.Y("value:Q", title=unit),
            color=_series(names),
            strokeDash=alt.StrokeDash("series:N", title=None, scale=alt.Scale(domain=list(names)), legend=_LEGEND),
            tooltip=[by, "series", alt.Tooltip("value:Q", format=",.2f", title=unit)],
        )
        .properties(
            height=HEIGHT_PIXELS, description=f"A line for each of {_listed(names)}, by {by.replace('_', ' ')}; {unit}."
        )
    )
    return drawn


def stacked_days(frame: pd.DataFrame, value: str, of: str, unit: str) -> alt.Chart:
    """A bar for each day, made of the values of a column."""
    drawn: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(day):T", title=None),
            y=alt.Y(f"sum({value}):Q", title=unit),
            color=alt.Color(
                f"{of}:N",
                title=None,
                scale=alt.Scale(range=list(COLOURS)),
                legend=alt.Legend(orient="top", columns=3, labelLimit=200),
            ),
            tooltip=[alt.Tooltip("day:T", title="day"), of, alt.Tooltip(f"sum({value}):Q", title=unit)],
        )
        .properties(
            height=HEIGHT_PIXELS,
            description=f"A bar for each day, made of {_listed(sorted(frame[of].unique()))}; {unit}.",
        )
    )
    return drawn


def bars(frame: pd.DataFrame, columns: Mapping[str, str], of: str, unit: str) -> alt.Chart:
    """Bars lying side by side for each value of a column, in the order of the table.

    Args:
        frame: the numbers.
        columns: what to draw, and its name for people. Those in seconds are drawn in hours.
        of: the column whose values the bars are of.
        unit: what the numbers are, on the axis.
    """
    names = list(columns.values())
    drawn: alt.Chart = (
        alt.Chart(_long(_in_hours(frame, columns), [of], columns))
        .mark_bar()
        .encode(
            y=alt.Y(f"{of}:N", title=None, sort=frame[of].drop_duplicates().tolist(), axis=alt.Axis(labelLimit=160)),
            yOffset=alt.YOffset("series:N", sort=names),
            x=alt.X("value:Q", title=unit),
            color=_series(names),
            tooltip=[of, "series", alt.Tooltip("value:Q", format=",.2f", title=unit)],
        )
        .properties(
            height=alt.Step(max(10, 22 // len(names))),
            description=f"Bars of {_listed(names)} for each {of.replace('_', ' ')}; {unit}.",
        )
    )
    return drawn


def classes(frame: pd.DataFrame, names: Sequence[str], value: str, by: str, of: str, unit: str) -> alt.Chart:
    """Bars standing beside each other in each class of lengths, which have their own order."""
    drawn: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(f"{by}:N", title=None, sort=list(names), axis=alt.Axis(labelAngle=-40)),
            xOffset=alt.XOffset(f"{of}:N"),
            y=alt.Y(f"sum({value}):Q", title=unit),
            color=alt.Color(
                f"{of}:N", title=None, scale=alt.Scale(range=list(COLOURS)), legend=alt.Legend(orient="top")
            ),
            tooltip=[by, of, alt.Tooltip(f"sum({value}):Q", title=unit)],
        )
        .properties(
            height=HEIGHT_PIXELS,
            description=f"Bars for each {by}, one for each of {_listed(sorted(frame[of].unique()))}; {unit}.",
        )
    )
    return drawn


def heat_map(frame: pd.DataFrame, value: str, unit: str) -> alt.Chart:
    """A cell for each weekday and hour; a cell without a value is empty."""
    in_hours = _in_hours(frame, {value: unit})
    weekdays = frame.sort_values("iso_weekday")["weekday"].drop_duplicates().tolist()
    drawn: alt.Chart = (
        alt.Chart(in_hours)
        .mark_rect()
        .encode(
            x=alt.X("hour_of_day:O", title="hour of the day", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("weekday:N", sort=weekdays, title=None),
            color=alt.Color(
                f"{value}:Q", title=unit, scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="top")
            ),
            tooltip=["weekday", "hour_of_day", alt.Tooltip(f"{value}:Q", format=",.2f", title=unit)],
        )
        .properties(
            height=HEIGHT_PIXELS,
            description=f"A cell for each weekday and hour of the day, darker or lighter by its value; {unit}.",
        )
    )
    return drawn


def svg(chart: Chart) -> str:
    """A chart as a picture, which needs no script."""
    picture = StringIO()
    with alt.data_transformers.enable("default", max_rows=None):  # it refuses more than 5,000 otherwise
        chart.properties(width=PICTURE_WIDTH_PIXELS).configure(aria=False).save(picture, format="svg")
    return picture.getvalue()
