"""Each setting of a grid with three seeds, which also draw whatever the residual vector draws."""

ablation = dict(
    seeds=[0, 1, 2], seed_keys=["randomness.seed", "model.losses.guidance.residual.seed"]
)
