"""Who may do what: callers, tokens, policies. Pure decisions that return a filter, no storage."""
