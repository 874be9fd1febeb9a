"""Ways to tell somebody: each carries a :class:`casework.alerts.intents.Send` out and answers for it."""
