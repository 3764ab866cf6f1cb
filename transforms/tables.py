"""Tables that come from no contract file: statistics, the quarantine, changes of shape."""

from __future__ import annotations

from transforms.contract import Column, Table
from transforms.contract.language import ACCOUNT_ID, LOADED_AT, REMOVED, Nested

OVERALL = "all"
"""The segment of a number that is not segmented: a key is never null."""

STATISTICS = Table(
    name="statistics",
    description=(
        "One row per number of the API's own statistics: a definition of statistics.yml, a bucket of time, a segment."
    ),
    element=Nested(fields={}),
    key=(
        ACCOUNT_ID,
        Column("definition", "text", "Name of the definition in statistics.yml.", is_required=True),
        Column(
            "segment",
            "text",
            f"Identifier of the segment, or the label of its filter; '{OVERALL}' for the number over all.",
            is_required=True,
        ),
        Column(
            "bucket_start_at", "timestamp", "Beginning of the bucket, on the clock of the API's zone.", is_required=True
        ),
    ),
    columns=(
        Column(
            "bucket_start_date",
            "text",
            "The UTC day in which the bucket begins, as 2026-03-01; the numbers of a day are replaced together.",
            is_required=True,
        ),
        Column("grouping", "text", "Length of the bucket.", values=("day", "hour"), is_required=True),
        Column(
            "zone_offset_seconds",
            "integer",
            "How far the API's zone is ahead of UTC at the bucket's beginning; null where the API does not say.",
        ),
        Column("segment_label", "text", "The segment as the API shows it to people; null for the number over all."),
        Column(
            "value",
            "float",
            "The number, in the unit of the row; null where the API gives none, such as a mean of nothing.",
        ),
        Column("unit", "text", "What the value is a number of, such as mentions or seconds.", is_required=True),
        Column("type", "text", "What was counted, as asked.", is_required=True),
        Column("filter", "text", "The filter, as asked; empty for all.", is_required=True),
        Column("topic_ids", "text", "The topics, as asked, separated by commas.", is_required=True),
        Column("profile_ids", "text", "The monitored profiles, as asked, separated by commas; empty for mentions."),
        Column("asked_from_at", "timestamp", "Where counting began, as asked.", is_required=True),
        Column("asked_to_at", "timestamp", "Where counting ended, as asked.", is_required=True),
        Column("request", "json", "The definition as sent; with the columns beside it, the whole question."),
    ),
    object_key=("account_id", "definition", "bucket_start_date"),
    housekeeping=(
        Column("_content_hash", "text", "MD5 of a day's numbers of a definition: equal while none changed."),
        LOADED_AT,
        REMOVED,
    ),
)
"""The numbers that one definition has for one day are replaced together: a segment that is gone leaves no row."""

QUARANTINE = (
    ACCOUNT_ID,
    Column("object", "text", "The object it was to be, as its contract names it.", is_required=True),
    Column("content_hash", "text", "MD5 of the account, the object's name and the text.", is_required=True),
    Column("reason", "text", "Why no row could be made.", is_required=True),
    Column(
        "raw_text",
        "text",
        "The record as sent; its shape only, where personal data is not kept.",
        is_required=True,
        personal=True,
    ),
    LOADED_AT,
)
"""Columns of the quarantine: records that could not be read, as text, with the reason."""

OBJECT = Column("object", "text", "What it is.", values=("mention", "case"), is_required=True)

RECONCILIATIONS = (
    Column("reconciled_at", "timestamp", "Start of the run that compared.", is_required=True),
    ACCOUNT_ID,
    Column(
        "day_start_at", "timestamp", "Beginning of the day, as the API cuts days; null for the sum over all of them."
    ),
    Column("measure", "text", "What was counted or averaged.", is_required=True),
    Column(
        "segment", "text", f"Topic, status, sentiment or tag; '{OVERALL}' for the number over all.", is_required=True
    ),
    Column("topic_id", "text", "Identifier of the topic, where the number is of one; else null."),
    Column("theirs", "float", "What the API says; null where it says nothing, such as a mean of nothing."),
    Column("ours_before", "float", "What the warehouse said."),
    Column("ours_after", "float", "What the warehouse says since; null where the day was not read again."),
    Column(
        "action",
        "text",
        "What was done.",
        values=("none", "read again", "still differs", "known difference", "not read"),
        is_required=True,
    ),
)
"""Columns of the comparisons: each number that differed, and the sum of each run."""

DELETIONS = (
    ACCOUNT_ID,
    OBJECT,
    Column("unique_id", "text", "Identifier of the object, unique within its account.", is_required=True),
    Column("deleted_at", "timestamp", "Start of the run that found it gone.", is_required=True),
    Column("restored_at", "timestamp", "Start of the run that found it there again; null while it is gone."),
)
"""Columns of what was found gone at the source."""

LAYOUTS = (
    Column("version", "integer", "Number of the layout.", is_required=True),
    Column("package_version", "text", "Version of the program that brought the file to it.", is_required=True),
    Column("written_at", "timestamp", "When it did.", is_required=True),
)
"""Columns of the layouts that the work file has been brought to; the highest is the present one."""
ERASURES = (
    Column("account_id", "text", "Account in which it was erased; null for every account."),
    Column(
        "kind",
        "text",
        "What was erased: somebody of the public, by the identifier that the author has on its service, or a thing.",
        values=("author", "mention", "case", "contact", "publisher_post"),
        is_required=True,
    ),
    Column(
        "id_hash", "text", "Keyed hash of the kind and the identifier; who has the key can make it.", is_required=True
    ),
    Column("erased_at", "timestamp", "When it was erased.", is_required=True),
    Column("reason", "text", "Why, in the words of who did it."),
)
"""Columns of what was erased, and is to stay so. The identifiers themselves are nowhere."""

LATENESS = (
    Column("loaded_at", "timestamp", "Start of the run that first read these mentions.", is_required=True),
    ACCOUNT_ID,
    Column(
        "at_most_seconds",
        "integer",
        "They came into the warehouse at most so long after they were added; null for the class of the latest.",
    ),
    Column("mention_count", "integer", "How many.", is_required=True),
)
"""Columns of how late mentions came that were added since their account is followed."""

DAYS_READ = (
    ACCOUNT_ID,
    OBJECT,
    Column("day_start_at", "timestamp", "Beginning of the day, as the API cuts days.", is_required=True),
    Column("read_at", "timestamp", "Start of the run that last read the whole day again; null before any did."),
)
"""Columns of the days that were compared."""

RUN_ID = Column("run_id", "text", "Identifier of the run: when it began, its kind, and some letters.", is_required=True)

RUNS = (
    RUN_ID,
    Column(
        "kind",
        "text",
        "What was run: the command, such as sync or reconcile, or backfill_dry_run. A step is part of its run.",
        is_required=True,
    ),
    Column("as_of", "timestamp", "The run's clock: what it took for now. Null where it needs none."),
    Column("started_at", "timestamp", "When it began, by the machine's clock.", is_required=True),
    Column("ended_at", "timestamp", "When it ended; null where it was killed."),
    Column("seconds", "float", "How long it took; null where it was killed."),
    Column(
        "outcome",
        "text",
        "How it ended. Of `budget_used_up`, what was read is loaded; of `stopped`, too; `killed` left no word.",
        values=("done", "failed", "busy", "tests_failed", "budget_used_up", "stopped", "killed"),
        is_required=True,
    ),
    Column("error", "text", "What went wrong, in one line; null where nothing did, and where it was killed."),
    Column("notices", "json", "What was left out, and why: a list of texts. Null where it was killed."),
    Column("request_count", "integer", "Requests sent, each attempt counted; null where it was killed."),
    Column("quarantined_count", "integer", "Records set aside because they could not be read; null where not loaded."),
    Column("published_bytes", "integer", "Size of the copy that it published; null where it published none."),
    Column("package_version", "text", "Version of the program.", is_required=True),
)
"""Columns of the runs."""

RUN_STREAMS = (
    RUN_ID,
    Column("stream", "text", "Name of the stream.", is_required=True),
    Column("record_count", "integer", "Records read.", is_required=True),
    Column("page_count", "integer", "Pages they came in; 0 where they came from payloads.", is_required=True),
    Column(
        "row_count", "integer", "Rows written to the stream's tables; rows found unchanged are not.", is_required=True
    ),
)
"""Columns of what runs read and wrote."""

RUN_REQUESTS = (
    RUN_ID,
    Column(
        "endpoint", "text", "What was asked: the path below the API's root, identifiers left out.", is_required=True
    ),
    Column("call_count", "integer", "Requests sent, each attempt counted.", is_required=True),
    Column("row_count", "integer", "Records that the answers listed; null where no answer was a list."),
    Column("retry_count", "integer", "Those sent again because an attempt before had failed.", is_required=True),
    Column("throttled_count", "integer", "Those that the API refused because of its rate limit.", is_required=True),
    Column("byte_count", "integer", "Size of the answers' bodies, unpacked.", is_required=True),
    Column("seconds", "float", "From sending to the answer's last byte, over all of them.", is_required=True),
)
"""Columns of what runs asked the API."""

SCHEMA_CHANGES = (
    Column("table_name", "text", "Table the value belongs to.", is_required=True),
    Column(
        "path", "text", "Where the value is in the table's element; empty for the element itself.", is_required=True
    ),
    Column("expected", "text", "What the contract declares there; nothing for an unknown field.", is_required=True),
    Column("found", "text", "What the API sent: the kind, or a value that is not documented.", is_required=True),
    Column("example", "text", "The first such value as JSON: its shape, every letter an x and every digit a 0."),
    Column("first_seen_at", "timestamp", "Start of the run that saw it first.", is_required=True),
)
"""Columns of the changes of shape."""
