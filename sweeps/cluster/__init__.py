"""A sweep's place elsewhere: `cluster` is the pool, `task` what travels, `submitit` and `ray` the two ways there."""
