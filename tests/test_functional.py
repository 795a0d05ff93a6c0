"""The equations: against the published code's values, and against values worked out by hand."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP
from torch import Tensor

from rave_mm.functional import (
    PUBLISHED_MARGINS,
    apply_light_map,
    clip_enhance_loss,
    clip_input,
    identity_loss,
    prompt_initialisation_loss,
    prompt_ranking_loss,
    prompt_score,
    remove_span,
    residual_guidance_loss,
    residual_vector,
    target_along,
    token_shift,
)

Reference = dict[str, Tensor]


@pytest.fixture(scope="module")
def published(reference_losses: dict[str, np.ndarray]) -> Reference:
    return {name: torch.from_numpy(value) for name, value in reference_losses.items()}


def assert_agrees(found: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    """Relative to the wanted tensor's norm, and each value relative to its largest."""
    assert found.shape == wanted.shape
    difference = found.detach().double() - wanted
    assert difference.norm() <= tolerance * wanted.norm()
    assert difference.abs().max() <= tolerance * wanted.abs().max()


def encode(clip: CLIP, images: Tensor) -> Tensor:
    inputs = clip_input(images, 224, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    return F.normalize(clip.encode_image(inputs), dim=1)


def feature_maps(clip: CLIP, images: Tensor) -> list[Tensor]:
    maps = [clip.visual.stem(clip_input(images, 224, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))]
    for stage in (clip.visual.layer1, clip.visual.layer2, clip.visual.layer3, clip.visual.layer4):
        maps.append(stage(maps[-1]))
    return maps


def encode_prompts(clip: CLIP, tokens: Tensor, end: int) -> Tensor:
    hidden = clip.transformer(tokens + clip.positional_embedding, attn_mask=clip.attn_mask)
    return clip.ln_final(hidden)[:, end] @ clip.text_projection


def six_embeddings(published: Reference) -> tuple[Tensor, Tensor]:
    embeddings = torch.cat([published["z_backlit"], published["z_well_lit"]])
    return embeddings, torch.tensor([0, 0, 0, 1, 1, 1])


def unit_rows(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


class TestAgainstPublishedCode:
    @pytest.mark.parametrize("name", ["backlit", "enhanced", "well_lit"])
    def test_embeddings(self, name: str, published: Reference, tiny_vit: CLIP) -> None:
        assert_agrees(encode(tiny_vit, published[name]), published[f"z_{name}"])

    def test_residual_guidance(self, published: Reference, tiny_vit: CLIP) -> None:
        enhanced = published["enhanced"].clone().requires_grad_()
        loss = residual_guidance_loss(
            encode(tiny_vit, enhanced), published["residual"][0], float(published["target"])
        )
        loss.backward()
        assert_agrees(loss, published["residual_guidance"])
        assert_agrees(enhanced.grad, published["residual_guidance_grad"])

    # The published gradient is 0.97e-5 away from that of float64, since the score is saturated:
    # float32 may round as far to the other side.
    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 2e-5)])
    def test_clip_enhance(
        self, dtype: torch.dtype, tolerance: float, published: Reference, tiny_vit: CLIP
    ) -> None:
        enhanced = published["enhanced"].to(dtype, copy=True).requires_grad_()
        clip = copy.deepcopy(tiny_vit).to(dtype)
        loss = clip_enhance_loss(encode(clip, enhanced), published["latent_pair"].to(dtype))
        loss.backward()
        assert_agrees(loss, published["clip_enhance"])
        assert_agrees(enhanced.grad, published["clip_enhance_grad"], tolerance)

    @pytest.mark.parametrize(
        ("name", "weights"), [("identity", (1, 1, 1, 1, 0.5)), ("reconstruction", (1, 1, 1, 1, 1))]
    )
    def test_identity(
        self, name: str, weights: tuple[float, ...], published: Reference, tiny_resnet: CLIP
    ) -> None:
        enhanced = published["enhanced"].clone().requires_grad_()
        wanted = feature_maps(tiny_resnet, published["backlit"])
        loss = identity_loss(feature_maps(tiny_resnet, enhanced), wanted, weights)
        loss.backward()
        assert_agrees(loss, published[name])
        assert_agrees(enhanced.grad, published[f"{name}_grad"])

    def test_prompt_features(self, published: Reference, tiny_vit: CLIP) -> None:
        found = encode_prompts(tiny_vit, published["prompt_embedding"], 17)
        assert_agrees(found, published["prompt_text_features"])

    @pytest.mark.parametrize("image", ["backlit", "enhanced", "well_lit"])
    @pytest.mark.parametrize(
        ("kind", "pair"), [("prompt", "prompt_text_features"), ("latent", "latent_pair")]
    )
    def test_scores(self, kind: str, pair: str, image: str, published: Reference) -> None:
        found = prompt_score(published[f"z_{image}"], published[pair])
        assert_agrees(found, published[f"{kind}_score_{image}"])

    def test_latent_initialisation(self, published: Reference) -> None:
        pair = published["latent_pair"].clone().requires_grad_()
        embeddings, labels = six_embeddings(published)
        loss = prompt_initialisation_loss(embeddings, pair, labels)
        loss.backward()
        assert_agrees(loss, published["latent_init_loss"])
        assert_agrees(pair.grad, published["latent_init_loss_grad"])

    def test_prompt_initialisation(self, published: Reference, tiny_vit: CLIP) -> None:
        tokens = published["prompt_embedding"].clone().requires_grad_()
        pair = encode_prompts(tiny_vit, tokens, 17)
        embeddings, labels = six_embeddings(published)
        loss = prompt_initialisation_loss(embeddings, pair, labels)
        loss.backward()
        assert_agrees(loss, published["prompt_init_loss"])
        assert_agrees(tokens.grad, published["prompt_init_loss_grad"])

    @pytest.mark.parametrize("kind", ["prompt", "latent"])
    def test_ranking(self, kind: str, published: Reference) -> None:
        backlit, well_lit, enhanced = (
            published[f"{kind}_score_{name}"] for name in ("backlit", "well_lit", "enhanced")
        )
        two = prompt_ranking_loss(backlit, well_lit, margins=(1.0,))
        three = prompt_ranking_loss(backlit, well_lit, (enhanced,), (0.9, 0.2))
        assert_agrees(two, published[f"{kind}_ranking_2"])
        assert_agrees(three, published[f"{kind}_ranking_3"])


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


class TestResidualVector:
    def test_by_hand(self) -> None:
        well_lit = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
        backlit = torch.tensor([[0.0, 0, 1]])
        vector, target = residual_vector(well_lit, backlit)
        wanted = torch.tensor([math.sqrt(0.5), math.sqrt(0.5), -1]) / math.sqrt(2)
        torch.testing.assert_close(vector, wanted)
        assert isinstance(target, float)
        assert target == pytest.approx(math.sqrt(0.5))

    def test_order_of_photographs_does_not_matter(self) -> None:
        well_lit, backlit = unit_rows(9, 6), unit_rows(4, 6)
        one = residual_vector(well_lit, backlit)
        other = residual_vector(well_lit.flip(0), backlit.flip(0))
        torch.testing.assert_close(one, other)

    def test_swapped_sets_give_the_opposite_vector(self) -> None:
        well_lit, backlit = unit_rows(9, 6), unit_rows(4, 6)
        forth, back = residual_vector(well_lit, backlit), residual_vector(backlit, well_lit)
        torch.testing.assert_close(forth[0], -back[0])
        assert forth[0].norm().item() == pytest.approx(1)

    def test_equal_means_have_no_direction(self) -> None:
        rows = unit_rows(5, 6)
        with pytest.raises(ValueError, match="equal, so there is no residual vector"):
            residual_vector(rows, rows.flip(0))

    def test_opposite_rows_have_no_mean(self) -> None:
        row = unit_rows(1, 6)
        with pytest.raises(ValueError, match="mean of the well_lit embeddings is zero"):
            residual_vector(torch.cat([row, -row]), unit_rows(3, 6))

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite_names_the_rows(self, bad: float) -> None:
        backlit = unit_rows(4, 6)
        backlit[2, 1] = bad
        with pytest.raises(ValueError, match=r"NaN or infinity in backlit at \[2\] \(1 of 4\)"):
            residual_vector(unit_rows(3, 6), backlit)

    def test_rows_must_be_normalised(self) -> None:
        with pytest.raises(ValueError, match="well_lit rows of length 3 to 3; expected unit"):
            residual_vector(3 * unit_rows(3, 6), unit_rows(3, 6))

    @pytest.mark.parametrize("shape", [(0, 6), (3, 5), (6,)])
    def test_wrong_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"got backlit of shape .* expected \(N, 6\)"):
            residual_vector(unit_rows(3, 6), torch.ones(shape))


class TestResidualGuidanceLoss:
    def test_by_hand(self) -> None:
        embeddings = torch.tensor([[1.0, 0], [0, 1]])
        loss = residual_guidance_loss(embeddings, torch.tensor([0.6, 0.8]), 0.1)
        assert loss.item() == pytest.approx((0.5**2 + 0.7**2) / 2)

    def test_averages_over_the_batch(self) -> None:
        embeddings, vector = unit_rows(3, 8), unit_rows(8)
        once = residual_guidance_loss(embeddings, vector, 0.3)
        twice = residual_guidance_loss(embeddings.repeat(2, 1), vector, 0.3)
        torch.testing.assert_close(once, twice)

    def test_zero_and_still_at_the_target(self) -> None:
        vector = unit_rows(8)
        embeddings = vector[None].clone().requires_grad_()
        loss = residual_guidance_loss(embeddings, vector, 1.0)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-12)
        assert embeddings.grad.abs().max() < 1e-5

    def test_gradient_is_the_derivative(self) -> None:
        embeddings = unit_rows(3, 5).double().requires_grad_()
        vector = unit_rows(5).double()
        assert torch.autograd.gradcheck(
            lambda z: residual_guidance_loss(z, vector, 0.2), (embeddings,)
        )

    def test_nan_reaches_the_loss(self) -> None:
        embeddings = unit_rows(3, 5)
        embeddings[1, 2] = math.nan
        assert residual_guidance_loss(embeddings, unit_rows(5), 0.2).isnan()

    def test_autocast_does_not_lower_the_precision(self) -> None:
        embeddings, vector = unit_rows(64, 512), unit_rows(512)
        wanted = residual_guidance_loss(embeddings, vector, 0.2)
        with torch.autocast("cpu", torch.bfloat16):
            found = residual_guidance_loss(embeddings, vector, 0.2)
        assert torch.equal(found, wanted)

    @pytest.mark.parametrize("shape", [(1, 5), (4,)])
    def test_vector_of_another_clip(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected \(5,\).*same CLIP model"):
            residual_guidance_loss(unit_rows(3, 5), torch.ones(shape), 0.2)

    def test_empty_batch(self) -> None:
        with pytest.raises(ValueError, match=r"embeddings of shape \(0, 5\).*N above 0"):
            residual_guidance_loss(torch.empty(0, 5), unit_rows(5), 0.2)


class TestPromptScore:
    def test_by_hand(self) -> None:
        embeddings = torch.tensor([[1.0, 0], [0, 1], [math.sqrt(0.5), math.sqrt(0.5)]])
        found = prompt_score(embeddings, torch.tensor([[2.0, 0], [0, 5]]), scale=2)
        high = math.exp(2) / (math.exp(2) + 1)
        torch.testing.assert_close(found, torch.tensor([high, 1 - high, 0.5]))

    def test_lengths_of_the_pair_do_not_matter(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        scaled = pair * torch.tensor([[0.1], [30.0]])
        torch.testing.assert_close(prompt_score(embeddings, pair), prompt_score(embeddings, scaled))

    def test_swapped_pair_gives_the_rest(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        total = prompt_score(embeddings, pair, 3) + prompt_score(embeddings, pair.flip(0), 3)
        torch.testing.assert_close(total, torch.ones(4))

    def test_loss_is_its_mean(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        loss = clip_enhance_loss(embeddings, pair, 3)
        torch.testing.assert_close(loss, prompt_score(embeddings, pair, 3).mean())

    @pytest.mark.parametrize("shape", [(1, 8), (3, 8), (2, 7), (8,)])
    def test_wrong_pair(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected \(2, 8\): the negative"):
            prompt_score(unit_rows(4, 8), torch.ones(shape))


class TestIdentityLoss:
    def test_by_hand_sums_over_the_batch(self) -> None:
        zeros = [torch.zeros(2, 1, 2, 2), torch.zeros(2, 3, 1, 1)]
        found = [torch.ones(2, 1, 2, 2), torch.full((2, 3, 1, 1), 2.0)]
        assert identity_loss(found, zeros, (1, 0.5)).item() == pytest.approx(2 * (1 + 0.5 * 4))

    def test_twice_the_batch_is_twice_the_loss(self) -> None:
        found, wanted = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
        once = identity_loss([found], [wanted], [1])
        twice = identity_loss([found.repeat(2, 1, 1, 1)], [wanted.repeat(2, 1, 1, 1)], [1])
        torch.testing.assert_close(twice, 2 * once)

    def test_half_precision_is_summed_in_float32(self) -> None:
        found = torch.full((1, 64, 64, 64), 2.0, dtype=torch.float16)
        assert identity_loss([found], [torch.zeros_like(found)], [1]).item() == 4

    def test_counts_differ(self) -> None:
        maps = [torch.rand(1, 2, 3, 3)] * 2
        with pytest.raises(ValueError, match="2 feature maps, 2 reference .* 1 layer weights"):
            identity_loss(maps, maps, [1])

    def test_nothing_to_compare(self) -> None:
        with pytest.raises(ValueError, match="the same number of each, not 0"):
            identity_loss([], [], [])

    @pytest.mark.parametrize("shape", [(2, 2, 3, 3), (1, 2, 3, 4)])
    def test_shapes_differ(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="in layer 0; expected two equal shapes"):
            identity_loss([torch.rand(1, 2, 3, 3)], [torch.rand(shape)], [1])


class TestPromptInitialisationLoss:
    def test_by_hand(self) -> None:
        embeddings, pair = torch.eye(2), torch.eye(2)
        right = prompt_initialisation_loss(embeddings, pair, torch.tensor([0, 1]), scale=2)
        wrong = prompt_initialisation_loss(embeddings, pair, torch.tensor([1, 0]), scale=2)
        assert right.item() == pytest.approx(math.log(1 + math.exp(-2)))
        assert wrong.item() == pytest.approx(math.log(1 + math.exp(2)))

    @pytest.mark.parametrize("labels", [torch.tensor([0]), torch.tensor([0.0, 1.0])])
    def test_wrong_labels(self, labels: Tensor) -> None:
        with pytest.raises(ValueError, match="one torch.int64 label for each"):
            prompt_initialisation_loss(torch.eye(2), torch.eye(2), labels)


class TestPromptRankingLoss:
    backlit = torch.tensor([0.9, 0.5])
    well_lit = torch.tensor([0.2, 0.3])
    older = torch.tensor([0.7, 0.6])
    newer = torch.tensor([0.4, 0.8])

    def test_round_0_by_hand(self) -> None:
        loss = prompt_ranking_loss(self.backlit, self.well_lit)
        assert loss.item() == pytest.approx((0.3 + 0.8) / 2)

    def test_round_1_by_hand(self) -> None:
        loss = prompt_ranking_loss(self.backlit, self.well_lit, (self.newer,))
        first = (0.2 - 0.9 + 0.9) + (0.4 - 0.9 + 0.9) + (0.2 - 0.4 + 0.2)
        second = (0.3 - 0.5 + 0.9) + (0.8 - 0.5 + 0.9) + 0
        assert loss.item() == pytest.approx((first + second) / 2)

    def test_later_rounds_by_hand(self) -> None:
        loss = prompt_ranking_loss(
            self.backlit, self.well_lit, (self.older, self.newer), (0.9, 0.1, 0.15)
        )
        first = (0.2 - 0.9 + 0.9) + (0.7 - 0.9 + 0.9) + 0 + 0
        second = (0.3 - 0.5 + 0.9) + (0.6 - 0.5 + 0.9) + 0 + (0.8 - 0.6 + 0.15)
        assert loss.item() == pytest.approx((first + second) / 2)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_published_margins_are_the_default(self, count: int) -> None:
        results = (self.older, self.newer)[:count]
        named = prompt_ranking_loss(self.backlit, self.well_lit, results, PUBLISHED_MARGINS[count])
        assert prompt_ranking_loss(self.backlit, self.well_lit, results) == named

    def test_gradient_ranks_the_scores(self) -> None:
        backlit, older, newer, well_lit = (
            torch.full((1,), 0.5, requires_grad=True) for _ in "1234"
        )
        prompt_ranking_loss(backlit, well_lit, (older, newer)).backward()
        assert [s.grad.item() for s in (backlit, older, newer, well_lit)] == [-2, 0, 0, 2]

    def test_well_ranked_scores_cost_nothing(self) -> None:
        loss = prompt_ranking_loss(torch.ones(3), torch.zeros(3), margins=(1.0,))
        assert loss.item() == 0

    @pytest.mark.parametrize(("count", "margins"), [(0, (1.0, 0.2)), (1, (0.9,)), (2, (0.9, 0.1))])
    def test_wrong_number_of_margins(self, count: int, margins: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match=f"for {count} results; expected {count + 1}"):
            prompt_ranking_loss(self.backlit, self.well_lit, (self.older,) * count, margins)

    def test_too_many_results(self) -> None:
        with pytest.raises(ValueError, match="got 3 results; expected at most 2"):
            prompt_ranking_loss(self.backlit, self.well_lit, (self.older,) * 3)

    def test_shapes_differ(self) -> None:
        with pytest.raises(ValueError, match="the same .N,. for all"):
            prompt_ranking_loss(self.backlit, self.well_lit[:1])

    def test_empty_batch(self) -> None:
        with pytest.raises(ValueError, match="N above 0"):
            prompt_ranking_loss(torch.empty(0), torch.empty(0))


class TestTokenShift:
    def test_by_hand(self) -> None:
        # The scores are r, 0 and -r with r = sqrt(0.5). Both ends point along the third axis,
        # since the lowest token counts with its negative score: that axis is the bias.
        vector = torch.tensor([1.0, 0.0, 1.0]) / math.sqrt(2)
        tokens = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 0, -1]])
        torch.testing.assert_close(token_shift(vector, tokens, 1), torch.tensor([1.0, 0, 0]))

    def test_against_the_equation(self) -> None:
        vector, tokens = unit_rows(16), unit_rows(40, 16)
        ranked = sorted(
            ((float(e @ v), e) for v, e in ((vector.numpy(), e) for e in tokens.numpy())),
            key=lambda pair: pair[0],
        )
        ends = [np.mean([s * e for s, e in end], 0) for end in (ranked[-5:], ranked[:5])]
        bias = sum(end / np.linalg.norm(end) for end in ends)
        bias /= np.linalg.norm(bias)
        wanted = vector.numpy() - (vector.numpy() @ bias) * bias
        wanted /= np.linalg.norm(wanted)
        found = token_shift(vector, tokens, 5)
        torch.testing.assert_close(found, torch.from_numpy(wanted))
        assert found.norm().item() == pytest.approx(1)
        assert abs(found.numpy() @ bias) < 1e-6

    def test_order_of_tokens_does_not_matter(self) -> None:
        vector, tokens = unit_rows(8), unit_rows(30, 8)
        torch.testing.assert_close(token_shift(vector, tokens), token_shift(vector, tokens.flip(0)))

    @pytest.mark.parametrize("n", [0, 31])
    def test_wrong_n(self, n: int) -> None:
        with pytest.raises(ValueError, match=f"got n={n} for 30 token embeddings"):
            token_shift(unit_rows(8), unit_rows(30, 8), n)

    def test_vector_that_is_all_bias(self) -> None:
        vector = unit_rows(8)
        with pytest.raises(ValueError, match="all bias"):
            token_shift(vector, vector[None], 1)

    def test_not_finite(self) -> None:
        tokens = unit_rows(30, 8)
        tokens[3, 0] = math.nan
        with pytest.raises(ValueError, match=r"NaN or infinity in token_embeddings at \[3\]"):
            token_shift(unit_rows(8), tokens, 2)


class TestRemoveSpan:
    def test_by_hand(self) -> None:
        vector = torch.tensor([0.6, 0.0, 0.8])
        found = remove_span(vector, torch.tensor([[3.0, 0, 0]]))
        torch.testing.assert_close(found, torch.tensor([0.0, 0, 1]))

    def test_nothing_of_the_directions_is_left(self) -> None:
        vector, directions = unit_rows(8), unit_rows(3, 8)
        found = remove_span(vector, directions)
        assert found.norm().item() == pytest.approx(1)
        assert (directions @ found).abs().max() < 1e-6
        torch.testing.assert_close(remove_span(found, directions), found)

    def test_directions_may_depend_on_each_other(self) -> None:
        vector, directions = unit_rows(8), unit_rows(2, 8)
        more = torch.cat([directions, directions.sum(0, keepdim=True), 5 * directions])
        torch.testing.assert_close(remove_span(vector, more), remove_span(vector, directions))

    def test_what_lies_beside_the_span_stays(self) -> None:
        torch.testing.assert_close(remove_span(torch.eye(4)[0], torch.eye(4)[1:3]), torch.eye(4)[0])

    def test_nothing_left(self) -> None:
        with pytest.raises(ValueError, match="the 8 directions span the whole vector"):
            remove_span(unit_rows(8), torch.eye(8))

    def test_a_direction_of_zero(self) -> None:
        with pytest.raises(ValueError, match="a direction is zero"):
            remove_span(unit_rows(8), torch.zeros(1, 8))


class TestTargetAlong:
    def test_it_is_the_target_of_the_residual_vector(self) -> None:
        well_lit, backlit = unit_rows(5, 8), unit_rows(4, 8)
        vector, target = residual_vector(well_lit, backlit)
        assert target_along(vector, well_lit) == pytest.approx(target, abs=1e-6)

    def test_by_hand(self) -> None:
        # The mean (0.5, 0.5) is brought to length 1 first.
        assert target_along(torch.tensor([1.0, 0]), torch.eye(2)) == pytest.approx(math.sqrt(0.5))
