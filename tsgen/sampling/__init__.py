"""Sampling: period by period, block by block, with addressed noise."""
