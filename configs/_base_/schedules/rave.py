"""RAVE's two phases and its optimizer."""

train_cfg = dict(
    type="PhasedTrainLoop",
    phases=[
        dict(name="reconstruction", iterations=1000, losses=["reconstruction"]),
        dict(name="guided", iterations=10000, losses=["guidance", "identity"]),
    ],
    val_interval=500,
)
val_cfg = dict(type="MultiValLoop")
test_cfg = dict(type="MultiTestLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-5, weight_decay=1e-3))
