-- One row per account and contact.
with contacts as (
    select * from {{ ref('stg_contacts') }}
),

tags as (
    select account_id, contact_id, count(distinct tag) as tag_count
    from {{ ref('stg_contact_tags') }}
    group by account_id, contact_id
),

profiles as (
    select * from {{ ref('stg_contact_social_profiles') }}
),

profile_counts as (
    select
        account_id,
        contact_id,
        count(*) as social_profile_count,
        count(distinct type) as service_count,
        arg_min(type, position) as first_service,
        bool_or(type is not null and service_id is not null) as has_known_profile
    from profiles
    group by account_id, contact_id
),

-- Without `distinct`, a profile that is listed twice would count its author's mentions twice.
identities as (
    select distinct account_id, contact_id, type as source_service, service_id as author_id
    from profiles
),

written as (
    select
        identities.account_id,
        identities.contact_id,
        count(*) as mention_count,
        min(coalesce(mentions.published_at, mentions.added_at)) as first_mention_at,
        max(coalesce(mentions.published_at, mentions.added_at)) as last_mention_at
    from identities
    inner join {{ ref('stg_mentions') }} as mentions
        on identities.account_id = mentions.account_id
        and identities.source_service = mentions.source_service
        and identities.author_id = mentions.author_id
    where mentions.deleted_at is null
    group by identities.account_id, identities.contact_id
)

select
    contacts.account_id,
    contacts.contact_id,
    contacts.address_country_code as country,
    contacts.language,
    contacts.timezone as time_zone,
    coalesce(contacts.company <> '', false) as has_company,
    coalesce(tags.tag_count, 0) as tag_count,
    coalesce(profile_counts.social_profile_count, 0) as social_profile_count,
    coalesce(profile_counts.service_count, 0) as service_count,
    profile_counts.first_service,
    case when profile_counts.has_known_profile then coalesce(written.mention_count, 0) end as mention_count,
    written.first_mention_at,
    written.last_mention_at,
    contacts.added_at,
    contacts.updated_at
from contacts
left join tags
    on contacts.account_id = tags.account_id
    and contacts.contact_id = tags.contact_id
left join profile_counts
    on contacts.account_id = profile_counts.account_id
    and contacts.contact_id = profile_counts.contact_id
left join written
    on contacts.account_id = written.account_id
    and contacts.contact_id = written.contact_id
