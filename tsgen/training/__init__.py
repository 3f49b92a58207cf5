"""Training of the score head: data rows, configuration, one step, the loop, weight averaging, selection."""
