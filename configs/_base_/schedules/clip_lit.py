"""CLIP-LIT's schedule: start pair and network, then let them take turns.

About the published 50,000 iterations, were no phase prolonged: 9000 and 13 rounds of 3100. The
published code prolongs without end; here a phase at most doubles.
"""

_prompt_pipeline = [
    dict(type="LoadPhoto", key="img", at_least=256),
    dict(type="LoadPhoto", key="ref", at_least=256),
    dict(type="AugmentBacklit", size=256, zoom=(0.5, 1.5), keys=["img"]),
    dict(type="AugmentBacklit", size=256, zoom=(0.5, 1.5), keys=["ref"]),
    dict(type="PackInputs", keys=["img", "ref"], meta_keys=["ref_path", "ref_channel_order"]),
]

train_cfg = dict(
    type="PhasedTrainLoop",
    val_interval=500,
    loaders=dict(
        prompts=dict(
            batch_size=16,
            num_workers=4,
            persistent_workers=True,
            sampler=dict(type="ReplayableSampler", shuffle=True),
            dataset=dict(type="UnpairedPhotos", pipeline=_prompt_pipeline),
        )
    ),
    phases=[
        dict(
            name="initialisation",
            iterations=8000,
            losses=["initialisation"],
            trains="pair",
            loader="prompts",
        ),
        dict(
            name="reconstruction",
            iterations=1000,
            losses=["reconstruction"],
            restart=dict(value="psnr", below=8.0, after=100),
        ),
        dict(
            rounds=13,
            phases=[
                dict(
                    name="enhancement",
                    iterations=2100,
                    losses=["guidance", "identity"],
                    prolong=dict(value="loss", above=90.0, iterations=60, at_most=2100),
                    keep_best="loss",
                ),
                dict(
                    name="refinement",
                    iterations=1000,
                    losses=["ranking"],
                    trains="pair",
                    loader="prompts",
                    prolong=dict(value="loss", above=60.0, iterations=100, at_most=1000),
                    keep_best="loss",
                ),
            ],
        ),
    ],
)
val_cfg = dict(type="MultiValLoop")
test_cfg = dict(type="MultiTestLoop")
optim_wrapper = dict(
    constructor="MultiOptimWrapperConstructor",
    generator=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-5, weight_decay=1e-3)),
    pair=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=5e-6, weight_decay=1e-3)),
)
