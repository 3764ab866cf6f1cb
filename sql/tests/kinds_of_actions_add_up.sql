-- Every action of an agent's and of a team's day is of one kind.
{%- for model in ['agg_agents_daily', 'agg_teams_daily'] %}
select account_id, object, action_date
from {{ ref(model) }}
where
    action_count <> reply_count + assign_count + status_count + tag_count + note_count + other_count
    or in_business_hours_action_count + out_of_business_hours_action_count > action_count
    or items_handled_count > action_count
{{ 'union all' if not loop.last }}
{%- endfor %}
