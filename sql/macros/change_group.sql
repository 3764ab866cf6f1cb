{#-
    The group under which the product's account history shows a kind of change, by the beginning of its name; the first
    that fits counts. What fits none is `other`.
-#}
{% macro change_group(type) -%}
    {%- set beginnings = [
        ('project_topic', ['project_', 'query_']),
        ('user', ['user_', 'security_user_']),
        ('security', ['security_']),
        ('data', [
            'mention_', 'service_mention_', 'account_volume_', 'account_premium_volume_', 'account_delete_contact_',
            'account_data_retention_',
        ]),
        ('workflow', [
            'automation_', 'auto_case_creation_', 'saved_search_', 'chart_template_', 'dashboard_', 'cannedrespon',
            'publishingguideline_', 'account_saved_segmentations_',
        ]),
        ('inbox', ['mailbox_', 'service_resolve_']),
        ('account', ['account_', 'connectedservice_', 'achievements_']),
    ] -%}
    case
    {%- for group, starts in beginnings %}
        when
        {%- for start in starts %} starts_with({{ type }}, '{{ start }}') {{- ' or' if not loop.last }} {%- endfor %}
            then '{{ group }}'
    {%- endfor %}
        else 'other'
    end
{%- endmacro %}
