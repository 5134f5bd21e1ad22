"""Ways to prove, one module each: how an answer is parsed and verified. What is so of each is in `model.TRAITS`."""
