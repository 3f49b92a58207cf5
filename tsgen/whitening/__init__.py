"""Conditional whitening: what can be known of the next period in closed form.

A whitening turns the past into a location and an invertible scale, so that what is left, the innovation, is
close to standard normal given the past. It sees only the past, so it is adapted; it is invertible, so
likelihood ratios and KL divergences are unaffected. The diffusion learns the departure that remains.
"""
