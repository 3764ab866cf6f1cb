"""Pure functions: API objects in, relational Arrow tables out. No network, no files, no clock."""
