"""What teaches the bundled CLIP, by hand."""

import math
from itertools import islice

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rave_mm.clip.lighting_losses import (
    ACROSS_WEIGHT,
    CONTENT_WEIGHT,
    RunningResidual,
    climb,
    contrastive_loss,
    favours_of,
    quality,
    ranking_loss,
)


def test_rare_captions_are_not_taught_to_be_unlikely() -> None:
    """One picture, three captions of equal cosines: the loss is that of the favours alone."""
    images = normalize(torch.ones(1, 4), dim=1)
    given = (torch.zeros(3, 4), torch.zeros(1, 4), torch.tensor([[1.0, 0, 0]]))
    numbers = (torch.tensor([-1]), torch.tensor([0]))
    favours = torch.tensor([0.8, 0.1, 0.1]).log()
    loss = contrastive_loss(images, *given, *numbers, favours, 10.0)
    assert loss.item() == pytest.approx(-math.log(0.8), rel=1e-5)
    even = contrastive_loss(images, *given, *numbers, torch.zeros(3), 10.0)
    assert even.item() == pytest.approx(math.log(3), rel=1e-5)


def test_a_full_caption_fits_what_shows_the_same() -> None:
    images, labels, favours = torch.eye(2), torch.eye(2), torch.zeros(2)
    drawn, contents = torch.tensor([0, 1]), torch.tensor([3, 4])
    right = contrastive_loss(images, images, images, labels, contents, drawn, favours, 10.0)
    swapped = contrastive_loss(
        images, images, images.flip(0), labels, contents, drawn, favours, 10.0
    )
    each = math.log(1 + math.exp(-10))
    both_ways = 2 * CONTENT_WEIGHT
    assert right.item() == pytest.approx(each + both_ways * each, rel=1e-2)
    assert swapped.item() == pytest.approx(each + both_ways * (each + 10), rel=1e-4)


def test_pictures_without_a_full_caption_learn_the_light_alone() -> None:
    images, labels, favours = torch.eye(3), torch.eye(3), torch.zeros(3)
    numbers = torch.tensor([-1]), torch.tensor([0])
    loss = contrastive_loss(images, images, images[:1], labels, *numbers, favours, 10.0)
    assert loss.item() == pytest.approx(math.log(1 + 2 * math.exp(-10)), rel=1e-2)


def test_captions_are_favoured_as_their_group_is_frequent() -> None:
    seen = torch.tensor([38.0, 12, 40, 10])
    shares = favours_of(seen, 1.0, [[1, 2]]).exp()
    assert shares.tolist() == pytest.approx([0.38, 0.52, 0.52, 0.10])
    alone = favours_of(seen, 0.5, ()).exp()
    assert alone.tolist() == pytest.approx([share**0.5 for share in (0.38, 0.12, 0.4, 0.1)])


def test_quality_is_a_function_of_psnr() -> None:
    right = torch.full((3, 3, 4, 4), 0.5)
    pictures = right + torch.tensor([0, 0.1, -0.3]).view(3, 1, 1, 1)
    assert quality(pictures, right).tolist() == pytest.approx([0, -0.5, -0.75], abs=1e-6)


def test_the_better_picture_of_a_scene_must_score_higher() -> None:
    #                    0.5 * 0.4 asked, 0.1 there: 0.1 short
    scores = torch.tensor([0.5, 0.4], requires_grad=True)
    qualities, scenes = torch.tensor([0.0, -0.4]), torch.tensor([7, 7])
    loss = ranking_loss(scores, qualities, scenes, margin=0.5)
    assert loss.item() == pytest.approx(0.1)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.tolist() == [-1, 1]
    ahead = ranking_loss(torch.tensor([0.5, 0.2]), qualities, scenes, margin=0.5)
    assert ahead.item() == 0


def test_pictures_that_are_about_as_good_are_not_ranked() -> None:
    scores, scenes = torch.tensor([0.0, 0.9]), torch.tensor([0, 0])
    assert ranking_loss(scores, torch.tensor([-0.4, -0.45]), scenes, margin=0.5).item() == 0


def test_of_two_scenes_only_plain_differences_count_and_less() -> None:
    scores, scenes = torch.tensor([0.0, 0.0]), torch.tensor([0, 1])
    plain = ranking_loss(scores, torch.tensor([0.0, -0.4]), scenes, margin=0.5)
    assert plain.item() == pytest.approx(ACROSS_WEIGHT * 0.2)
    assert ranking_loss(scores, torch.tensor([0.0, -0.2]), scenes, margin=0.5).item() == 0


def test_climbing_finds_what_a_score_asks_for() -> None:
    """A score that likes an even 0.6 brightens what is dark and dims what is bright."""
    pictures = torch.cat([torch.full((1, 3, 8, 4), 0.3), torch.full((1, 3, 8, 4), 0.9)], dim=3)

    def score(changed: Tensor) -> Tensor:
        return -(changed - 0.6).square().mean((1, 2, 3))

    found = next(islice(climb(pictures, score, cells=2, channels=1, step=0.05), 20, None))
    assert not found.requires_grad
    assert score(found).item() > 0.2 * score(pictures).item()
    assert found[..., 0].mean() > 0.4 and found[..., -1].mean() < 0.8
    start, tinted = islice(climb(pictures, lambda x: x[:, 0].mean((1, 2)), 1, 3, step=0.1), 2)
    assert (tinted[:, 0] > pictures[:, 0]).all()
    torch.testing.assert_close(tinted[:, 1:], pictures[:, 1:])
    torch.testing.assert_close(start, pictures)


def test_the_residual_leads_from_backlit_to_well_lit() -> None:
    residual = RunningResidual(3, backlit=[2, 3], well_lit=0)
    labels = torch.tensor([[0, 0, 1.0, 0], [1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    vector = residual.update(torch.eye(3), labels)
    assert vector.tolist() == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5), 0])
    assert residual.vector.tolist() == vector.tolist()
    assert residual.target == pytest.approx(math.sqrt(0.5))
