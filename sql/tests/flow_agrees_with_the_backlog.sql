-- On every date, the items that have come into new or pending and not left are those that the backlog counts.
with flow as (
    select account_id, object, status, flow_date, in_status_count
    from {{ ref('rpt_cumulative_flow') }}
    where status <> 'done'
),

backlog as (
    select account_id, object, status, backlog_date, sum(open_count) as open_count
    from {{ ref('agg_backlog_daily') }}
    group by account_id, object, status, backlog_date
)

select flow.*, backlog.*
from flow
full join backlog
    on flow.account_id = backlog.account_id
    and flow.object = backlog.object
    and flow.status = backlog.status
    and flow.flow_date = backlog.backlog_date
where coalesce(flow.in_status_count, 0) <> coalesce(backlog.open_count, 0)
