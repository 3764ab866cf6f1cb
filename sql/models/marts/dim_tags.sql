-- One row per account and name of a tag, listed by the API at some time or only seen on mentions.
with named as (
    select *
    from {{ ref('stg_tag_versions') }}
    where tag is not null
    qualify row_number() over (
        partition by account_id, tag
        order by valid_to is null desc, valid_from desc, tag_id
    ) = 1
),

listed as (
    select account_id, tag_id, tag
    from {{ ref('stg_tag_versions') }}
    where valid_to is null
),

mentioned as (
    select distinct account_id, tag
    from {{ ref('stg_mention_tags') }}
    where tag is not null
)

select
    coalesce(named.account_id, mentioned.account_id) as account_id,
    coalesce(named.tag, mentioned.tag) as tag,
    named.tag_id,
    present.tag as present_tag,
    parent.tag as parent_tag,
    named.is_smart_tag,
    named.is_category_model_tag,
    named.is_visible,
    named.status,
    named.tag_id is not null and named.valid_to is null as is_listed
from named
full join mentioned
    on named.account_id = mentioned.account_id
    and named.tag = mentioned.tag
left join listed as present
    on named.account_id = present.account_id
    and named.tag_id = present.tag_id
left join listed as parent
    on named.account_id = parent.account_id
    and named.parent_tag_id = parent.tag_id
