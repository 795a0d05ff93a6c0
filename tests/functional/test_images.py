"""What is done to photographs: against values worked out by hand."""

import pytest
import torch

from rave_mm.functional import apply_light_map, clip_input


class TestApplyLightMap:
    def test_divides_and_clamps(self) -> None:
        image = torch.tensor([0.0, 0.2, 0.6]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
        found = apply_light_map(image, torch.full((1, 1, 1, 3), 0.5))
        torch.testing.assert_close(found[0, 1, 0], torch.tensor([0.0, 0.4, 1.0]))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_light_map_of_zero(self, dtype: torch.dtype) -> None:
        image = torch.tensor([0.0, 1e-6, 1 / 255, 1.0], dtype=dtype).expand(1, 3, 1, 4).clone()
        light_map = torch.zeros(1, 1, 1, 4, dtype=dtype)
        image.requires_grad_()
        light_map.requires_grad_()
        enhanced = apply_light_map(image, light_map)
        enhanced.float().sum().backward()
        assert enhanced.dtype == dtype
        assert enhanced[0, 0, 0].tolist() == [0, 1, 1, 1]
        assert light_map.grad.isfinite().all()
        if dtype == torch.float32:
            assert image.grad.isfinite().all()

    def test_identity_where_the_light_map_is_one(self) -> None:
        image = torch.rand(2, 3, 5, 7)
        torch.testing.assert_close(apply_light_map(image, torch.ones(2, 1, 5, 7)), image)

    @pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 4, 4), (2, 1, 4, 5), (2, 4, 4)])
    def test_wrong_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"light map \(.*expected \(N, C, H, W\)"):
            apply_light_map(torch.rand(2, 3, 4, 4), torch.rand(shape))

    def test_eps_must_be_positive(self) -> None:
        with pytest.raises(ValueError, match="above zero"):
            apply_light_map(torch.rand(1, 3, 2, 2), torch.rand(1, 1, 2, 2), eps=0)


class TestClipInput:
    def test_halving_averages_each_2x2_block(self) -> None:
        images = torch.rand(2, 3, 8, 8)
        found = clip_input(images, 4, (0.1, 0.2, 0.3), (1.0, 2.0, 4.0))
        blocks = images.view(2, 3, 4, 2, 4, 2).mean((3, 5))
        wanted = torch.stack(
            [(blocks[:, 0] - 0.1), (blocks[:, 1] - 0.2) / 2, (blocks[:, 2] - 0.3) / 4], 1
        )
        torch.testing.assert_close(found, wanted)

    def test_without_antialias_single_pixels_are_missed(self) -> None:
        images = torch.zeros(1, 3, 32, 32)
        images[..., 0, 0] = 1
        plain = clip_input(images, 4, (0, 0, 0), (1, 1, 1))
        assert plain.abs().max() == 0
        assert clip_input(images, 4, (0, 0, 0), (1, 1, 1), antialias=True).max() > 0

    @pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (0, 3, 8, 8)])
    def test_wrong_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected RGB \(N, 3, H, W\)"):
            clip_input(torch.rand(shape), 4, (0, 0, 0), (1, 1, 1))

    def test_bytes_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"uint8; expected floating point in \[0, 1\]"):
            clip_input(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 4, (0, 0, 0), (1, 1, 1))

    @pytest.mark.parametrize(
        ("size", "mean", "std"),
        [(0, (0, 0, 0), (1, 1, 1)), (4, (0,), (1, 1, 1)), (4, (0, 0, 0), (1, 1, 0))],
    )
    def test_wrong_settings(
        self, size: int, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        with pytest.raises(ValueError, match="three means and three standard deviations"):
            clip_input(torch.rand(1, 3, 8, 8), size, mean, std)


def test_what_inference_mode_has_kept_serves_training() -> None:
    values = (0.123, 0.456, 0.789), (0.2, 0.3, 0.4)  # of this test alone
    with torch.inference_mode():
        clip_input(torch.rand(1, 3, 4, 4), 4, *values)
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    clip_input(images, 4, *values).sum().backward()
    assert images.grad is not None
    torch.testing.assert_close(images.grad[0, :, 0, 0], 1 / torch.tensor(values[1]))
