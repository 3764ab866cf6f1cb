"""Pure: API objects in, rows of normalised tables out, in a database that is handed in. No network, files or clock."""
