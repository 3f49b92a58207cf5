"""Networks only: a truncated-history encoder and a velocity head around a closed-form anchor."""
