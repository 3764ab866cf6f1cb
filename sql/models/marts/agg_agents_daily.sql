-- One row per account, agent, object and date on which the agent did something or had an item given or taken away.
with actions as (
    select * from {{ ref('int_agent_actions') }}
),

assignments as (
    {{ assignments_to('agent') }}
)

{{ sums_by_day('agent_id', [
    {'relation': 'actions', 'day': 'action_date', 'sums': action_sums()},
    {'relation': 'assignments', 'day': reporting_date('started_at'), 'sums': received_sums()},
    {'relation': 'assignments', 'day': reporting_date('ended_at'), 'sums': ended_sums()},
]) }}
