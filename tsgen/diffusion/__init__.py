"""Pure formulas of the diffusion: noising, targets, closed-form velocities, reverse schemes, loss.

No modules with state, no files, no loops over trading time. Notation: ``tau`` is the noise angle in
[0, pi/2]; ``u = cos(tau) z + sin(tau) eps``; the velocity is ``F(u, tau) = E[cos(tau) eps - sin(tau) z | u]``.
"""
