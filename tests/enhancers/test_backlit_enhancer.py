import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.functional import apply_light_map
from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from tests.enhancers.batches import PREPROCESSOR
from tests.losses.known_residual import provenance


@pytest.fixture
def model() -> BacklitEnhancer:
    built: BacklitEnhancer = MODELS.build(
        {
            "type": "BacklitEnhancer",
            "generator": {"type": "LightMapUNet", "start": "identity"},
            "losses": {
                "guidance": {"type": "ResidualGuidanceLoss", "loss_weight": 10.0},
                "identity": {"type": "CLIPIdentityLoss", "loss_weight": 2.0},
            },
            "data_preprocessor": PREPROCESSOR,
        }
    )
    guidance: Any = built.losses["guidance"]
    clip = guidance.clip
    vector = torch.nn.functional.normalize(torch.ones(clip.dimension), dim=0)
    guidance.set_residual(ResidualVector(vector, 0.5, provenance(clip.fingerprint)))
    return built


def batch(count: int = 2, size: int = 24) -> dict[str, Any]:
    photos = [torch.randint(0, 128, (3, size, size), dtype=torch.uint8) for _ in range(count)]
    samples = [
        DataSample(
            metainfo={"img_path": f"{i}.png", "img_channel_order": "rgb", "img_color_type": "color"}
        )
        for i in range(count)
    ]
    return {"inputs": photos, "data_samples": samples}


def test_tensor_mode_is_the_photo_divided_by_its_light_map(model: BacklitEnhancer) -> None:
    x = torch.rand(1, 3, 20, 28)
    torch.testing.assert_close(model(x), apply_light_map(x, model.generator(x)))


def test_unknown_mode_is_refused(model: BacklitEnhancer) -> None:
    with pytest.raises(
        ValueError, match="mode: got 'infer', expected 'tensor', 'predict' or 'loss'"
    ):
        model(torch.rand(1, 3, 8, 8), mode="infer")


def test_a_training_step_logs_each_term_and_their_sum(model: BacklitEnhancer) -> None:
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    logged = model.train_step(batch(), wrapper)
    assert set(logged) == {"loss", "loss_guidance", "loss_identity"}
    torch.testing.assert_close(logged["loss"], logged["loss_guidance"] + logged["loss_identity"])


def test_training_lowers_the_guidance(model: BacklitEnhancer) -> None:
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-4))
    data = batch()
    model.activate_losses(["guidance"])
    values = [model.train_step(data, wrapper)["loss_guidance"].item() for _ in range(6)]
    assert values[-1] < values[0]


def test_only_active_terms_are_computed(model: BacklitEnhancer) -> None:
    model.activate_losses(["identity"])
    assert set(model(torch.rand(1, 3, 16, 16), mode="loss")) == {"loss_identity", "psnr"}
    model.activate_losses(["guidance"])
    assert set(model(torch.rand(1, 3, 16, 16), mode="loss")) == {"loss_guidance"}
    with pytest.raises(
        ValueError, match=r"losses: got \['identiy'\], expected some of \['guidance', 'identity'\]"
    ):
        model.activate_losses(["identiy"])


def test_a_paired_term_compares_with_the_ground_truth() -> None:
    """By hand: a light map of 1/2 makes 0.2 to 0.4, which is 0.1 off a ground truth of 0.5."""
    config = {
        "type": "BacklitEnhancer",
        "generator": {"type": "LightMapUNet", "start": "identity"},
        "losses": {"fidelity": {"type": "L1Loss"}, "input": {"type": "L1Loss"}},
        "paired_losses": ["fidelity"],
        "data_preprocessor": PREPROCESSOR,
    }
    model = MODELS.build(config)
    with torch.no_grad():
        model.generator.conv_out.weight.zero_()
        model.generator.conv_out.bias.fill_(0.5)
    photos = torch.full((2, 3, 16, 16), 0.2)
    pairs = DataSample(gt_img=torch.full((2, 3, 16, 16), 0.5))
    values = model(photos, pairs, mode="loss")
    assert values["loss_fidelity"].item() == pytest.approx(0.1, rel=1e-3)
    assert values["loss_input"].item() == pytest.approx(0.2, rel=1e-3)
    with pytest.raises(ValueError, match=r"'fidelity' compares with the ground truth.*BacklitPair"):
        model(photos, mode="loss")
    with pytest.raises(ValueError, match=r"losses: got \['fidelty'\], expected some of \['fid"):
        MODELS.build({**config, "paired_losses": ["fidelty"]})


def test_a_reconstruction_logs_how_close_it_is(model: BacklitEnhancer) -> None:
    model.activate_losses(["identity"])
    photos = torch.tensor([0.2, 0.4]).view(2, 1, 1, 1).expand(2, 3, 16, 16)
    with torch.no_grad():
        model.generator.conv_out.weight.zero_()
        model.generator.conv_out.bias.fill_(0.5)  # twice as bright: off by 0.2 and by 0.4
        values = model(photos, mode="loss")
        wanted = -10 * (math.log10(0.2**2) + math.log10(0.4**2)) / 2
        assert values["psnr"].item() == pytest.approx(wanted, rel=1e-4)
        model.generator.conv_out.bias.fill_(1.0)
        assert model(photos, mode="loss")["psnr"].item() == pytest.approx(100)
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    logged = model.train_step(batch(), wrapper)
    torch.testing.assert_close(logged["loss"], logged["loss_identity"])
    assert not logged["psnr"].requires_grad


def test_checkpoint_holds_network_and_residual_alone(model: BacklitEnhancer) -> None:
    prefixes = {key.split(".")[0] for key in model.state_dict()}
    assert prefixes == {"generator", "losses"}
    assert {key for key in model.state_dict() if key.startswith("losses")} == {
        f"losses.guidance.{name}" for name in ("vector", "target", "provenance")
    }
    assert sum(tensor.numel() for tensor in model.state_dict().values()) < 300_000


def test_predict_gives_result_and_input_for_the_metrics(model: BacklitEnhancer) -> None:
    data = batch(1)
    with torch.no_grad():
        (sample,) = model.val_step(data)
    assert sample.output.pred_img.shape == (3, 24, 24)
    # MMagic hands pictures back in its own order, BGR, in [0, 255].
    torch.testing.assert_close(sample.output.input, data["inputs"][0].flip(0).float())
    assert sample.output.pred_img.min() >= 0 and sample.output.pred_img.max() <= 255


def test_a_loss_that_is_not_finite_names_the_photos(model: BacklitEnhancer) -> None:
    guidance = model.losses["guidance"]
    assert isinstance(guidance, ResidualGuidanceLoss)
    guidance.vector.fill_(torch.nan)
    before = {key: value.clone() for key, value in model.generator.state_dict().items()}
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    with pytest.raises(
        FloatingPointError, match=r"not finite \(loss_guidance nan.*with 0\.png, 1\.png"
    ):
        model.train_step(batch(), wrapper)
    for key, value in model.generator.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_without_losses_it_enhances_but_does_not_train() -> None:
    model = BacklitEnhancer({"type": "LightMapUNet"}, data_preprocessor=PREPROCESSOR)
    assert model(torch.rand(1, 3, 9, 7)).shape == (1, 3, 9, 7)
    with pytest.raises(RuntimeError, match="built without losses"):
        model(torch.rand(1, 3, 9, 7), mode="loss")


class FewPhotos(Dataset[dict[str, Any]]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {key: values[0] for key, values in batch(1).items()}


@pytest.mark.parametrize("settings", [{}, {"begin_iter": 2}], ids=["at once", "later"])
def test_an_averaged_model_is_trained_saved_and_resumed(
    settings: dict[str, int], model: BacklitEnhancer, tmp_path: Path
) -> None:
    """EMAHook copies the model before the residual vector is known."""
    guidance = model.losses["guidance"]
    assert isinstance(guidance, ResidualGuidanceLoss)
    guidance.residual.save(tmp_path / "residual.npz")
    terms = {"guidance": {"type": "ResidualGuidanceLoss", "residual": tmp_path / "residual.npz"}}

    def train(iterations: int, resume: bool) -> dict[str, Any]:
        runner = Runner(
            model={
                "type": "BacklitEnhancer",
                "generator": {"type": "LightMapUNet", "start": "identity"},
                "losses": terms,
                "data_preprocessor": PREPROCESSOR,
            },
            work_dir=str(tmp_path / "run"),
            train_dataloader=DataLoader(FewPhotos(), batch_size=2, collate_fn=pseudo_collate),
            train_cfg={"type": "IterBasedTrainLoop", "max_iters": iterations},
            optim_wrapper={"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}},
            custom_hooks=[{"type": "EMAHook", **settings}],
            default_hooks={"checkpoint": {"type": "CheckpointHook", "by_epoch": False}},
            resume=resume,
            default_scope="mmagic",
            experiment_name=f"{tmp_path.name}-{iterations}",
            log_level="ERROR",
        )
        runner.train()
        return torch.load(tmp_path / f"run/iter_{iterations}.pth", weights_only=True)

    for saved in (train(2, resume=False), train(4, resume=True)):
        for weights in (
            {k.removeprefix("module."): v for k, v in saved["ema_state_dict"].items()},
            saved["state_dict"],
        ):
            torch.testing.assert_close(weights["losses.guidance.vector"], guidance.vector)
            assert weights["losses.guidance.target"] == guidance.target
