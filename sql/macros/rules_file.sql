{#-
    A file of rules, which belong to whoever uses the warehouse (docs/rules.md), as a relation of texts. Not a seed of
    dbt: it takes seeds from its own project only, and writes over the file of one that is elsewhere.
-#}
{% macro rules_file(name) -%}
    {%- if execute -%}
        {%- set folder = env_var('SOCIAL_WAREHOUSE_RULES', invocation_args_dict.project_dir ~ '/rules') -%}
        read_csv('{{ folder }}/{{ name }}.csv', header = true, all_varchar = true, delim = ',', nullstr = '')
    {%- else -%}
        (select null)
    {%- endif -%}
{%- endmacro %}
