-- One row per reply of a person to a customer's item that is not touched, of an author who has a touched one; none when
-- the rows of all items are made.
{%- set is_asked = execute and is_changed_in_this_run('int_actions') and has_been_built() %}
select
    others.account_id,
    others.object,
    others.unique_id,
    others.action_number,
    others.action_type,
    others.agent_id,
    others.author_id,
    others.is_own,
    others.is_deleted,
    others.is_resolve,
    others.is_reopening,
    others.action_at,
    others.action_date,
    others.is_within_28_days,
    others.is_in_business_hours
from {{ ref('int_actions') }} as others
semi join {{ changes_of('int_actions') if is_asked else ref('int_actions') }} as actions
    on others.account_id = actions.account_id
    and others.author_id = actions.author_id
anti join {{ ref('int_touched_items') }} as touched
    on others.account_id = touched.account_id
    and others.object = touched.object
    and others.unique_id = touched.unique_id
where others.action_type = 'reply' and not others.is_own and {{ is_work('others') }} and {{ 'true' if is_asked else 'false' }}
