"""A sweep that Optuna leads.

`study` is the source of its jobs, `trials` what was asked and told, `space` the search space, `sampling` samplers and
pruners, `settings` what the user may set, `store` the database.
"""
