-- One row per item whose rows have come, or whose mark of deletion has changed, since the last build that succeeded, and
-- what int_items says of it.
-- A full build makes the rows of all items and does not ask; then there is none.
with loaded as (
    select account_id, object, unique_id
    from {{ ref('int_items') }}
    -- What was made from payloads has no load; the build after it is a full one.
    where coalesce(load_id, '') not in (select load_id from {{ built_loads() }})
),

marks as (
    (
        select * from {{ ref('stg_deletions') }}
        except
        select * from {{ built_deletions() }}
    )
    union
    (
        select * from {{ built_deletions() }}
        except
        select * from {{ ref('stg_deletions') }}
    )
),

-- A case's waits end with replies to its mentions.
cases_of_loaded as (
    select cases.account_id, 'case' as object, cases.unique_id
    from {{ ref('stg_case_linked_mentions') }} as cases
    inner join loaded
        on cases.account_id = loaded.account_id
        and cases.mention_unique_id = loaded.unique_id
        and loaded.object = 'mention'
),

touched as (
    select account_id, object, unique_id from loaded
    union
    select account_id, object, unique_id from marks
    union
    select account_id, object, unique_id from cases_of_loaded
)

select
    touched.*,
    items.* exclude (account_id, object, unique_id),
    items.unique_id is not null as is_there
from touched
left join {{ ref('int_items') }} as items
    on touched.account_id = items.account_id
    and touched.object = items.object
    and touched.unique_id = items.unique_id
{%- if execute and flags.FULL_REFRESH %}
where false
{%- endif %}
