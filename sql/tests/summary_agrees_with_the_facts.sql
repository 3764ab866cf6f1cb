-- Each item is in at most one state of its account's summary (in none without a status), and what is open is in the list of open items.
{%- for object in ['mention', 'case'] %}
(with facts as (
    select account_id, count(*) as row_count
    from {{ ref('fct_' ~ object ~ 's') }}
    group by account_id
),

listed as (
    select
        account_id,
        count(*) as open_count,
        count(*) filter (where not is_owned) as open_unassigned_count,
        count(*) filter (where not has_reply) as open_unreplied_count
    from {{ ref('rpt_open_items') }}
    where object = '{{ object }}'
    group by account_id
)

select summary.account_id, '{{ object }}' as object
from {{ ref('agg_account_summary') }} as summary
left join facts on summary.account_id = facts.account_id
left join listed on summary.account_id = listed.account_id
where
    -- An own item that is deleted is deleted.
    coalesce(facts.row_count, 0)
    <> summary.{{ object }}_count + summary.{{ object }}_own_count + summary.{{ object }}_deleted_count
    or summary.{{ object }}_count < summary.{{ object }}_open_count + summary.{{ object }}_done_count
    or summary.{{ object }}_open_count < summary.{{ object }}_new_count + summary.{{ object }}_pending_count
    or summary.{{ object }}_open_count <> coalesce(listed.open_count, 0)
    or summary.{{ object }}_open_unassigned_count <> coalesce(listed.open_unassigned_count, 0)
    or summary.{{ object }}_open_unreplied_count <> coalesce(listed.open_unreplied_count, 0)) {{ 'union all' if not loop.last }}
{%- endfor %}
