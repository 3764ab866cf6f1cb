-- One row: the instant that this build reckons to.
select cast('{{ as_of() | trim }}' as timestamp with time zone) as as_of
