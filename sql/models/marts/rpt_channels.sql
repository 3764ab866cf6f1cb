{{ config(materialized='view') }}
-- One row per account, period (all time, or a month) and channel.
with mentions as (
    select * from {{ ref('fct_mentions') }}
    where not is_deleted and mention_date is not null
),

{{ mentions_by_period('channel') }}
