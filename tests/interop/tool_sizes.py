"""Latents of the models, and how many of them are active where that is a number."""

F, K = 384, 12
