{#-
    A view keeps the names it was made with. Without the database's name (which in DuckDB is the file's) it goes on
    working when it is copied into a file of another name, as publishing does.
-#}
{% macro ref() -%}
    {{ return(builtins.ref(*varargs, **kwargs).include(database=false)) }}
{%- endmacro %}

{% macro source() -%}
    {{ return(builtins.source(*varargs, **kwargs).include(database=false)) }}
{%- endmacro %}
