"""What holds of the equations for any values: hypothesis looks for ones of which it does not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from rave_mm.functional import (
    apply_light_map,
    clip_enhance_loss,
    identity_loss,
    prompt_initialisation_loss,
    prompt_score,
    remove_span,
    residual_guidance_loss,
    residual_vector,
    target_along,
    token_shift,
)

seeds = st.integers(0, 2**31)
counts = st.integers(1, 9)
widths = st.integers(2, 12)


def rows(count: int, width: int, seed: int) -> Tensor:
    """Unit rows."""
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn, dim=1)


def uniform(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@given(seeds, st.floats(0, 1e6, width=32), st.sampled_from([torch.float32, torch.float16]))
def test_a_result_and_its_gradient_are_finite_whatever_the_light_map(
    seed: int, light: float, dtype: torch.dtype
) -> None:
    photo = uniform(seed, 1, 3, 4, 5).to(dtype)
    light_map = (uniform(seed + 1, 1, 1, 4, 5) * light).to(dtype).clamp(max=6e4)
    light_map.requires_grad_()
    result = apply_light_map(photo, light_map)
    assert result.dtype == dtype and result.min() >= 0 and result.max() <= 1
    result.sum().backward()
    assert light_map.grad is not None and light_map.grad.isfinite().all()


@given(seeds, st.floats(0.01, 100), st.floats(1, 3))
def test_a_darker_light_map_never_darkens_a_result(seed: int, light: float, less: float) -> None:
    photo = uniform(seed, 1, 3, 4, 5)
    light_map = torch.full((1, 1, 4, 5), light)
    assert (apply_light_map(photo, light_map / less) >= apply_light_map(photo, light_map)).all()


@given(counts, counts, widths, seeds)
def test_a_residual_vector_turns_with_its_embeddings(
    bright: int, dark: int, width: int, seed: int
) -> None:
    well_lit, backlit = rows(bright, width, seed), rows(dark, width, seed + 1)
    vector, target = residual_vector(well_lit, backlit)
    assert vector.norm() == pytest.approx(1, abs=1e-5)
    assert target == pytest.approx(target_along(vector, well_lit), abs=1e-5)
    # The way from the backlit mean to the well-lit one goes along it.
    assert target > float((backlit @ vector).mean()) - 1e-4
    turned, _ = torch.linalg.qr(rows(width, width, seed + 2) + 3 * torch.eye(width))
    again, same = residual_vector(well_lit @ turned, backlit @ turned)
    torch.testing.assert_close(again, vector @ turned, atol=2e-3, rtol=0)
    assert same == pytest.approx(target, abs=2e-3)


@given(counts, widths, seeds, st.floats(-1, 1))
def test_guidance_is_zero_at_its_target_alone(
    count: int, width: int, seed: int, target: float
) -> None:
    embeddings, vector = rows(count, width, seed), rows(1, width, seed + 1)[0]
    loss = float(residual_guidance_loss(embeddings, vector, target))
    wanted = float(((embeddings @ vector - target) ** 2).mean())
    assert loss == pytest.approx(wanted, abs=1e-5) and loss >= 0
    there = embeddings @ vector
    assert float(residual_guidance_loss(embeddings[:1], vector, there[0])) < 1e-9


@given(counts, widths, seeds, st.floats(0, 100))
def test_scores_of_a_pair_and_of_the_pair_turned_round_add_up_to_one(
    count: int, width: int, seed: int, scale: float
) -> None:
    embeddings, pair = rows(count, width, seed), rows(2, width, seed + 1)
    score, other = (prompt_score(embeddings, p, scale) for p in (pair, pair.flip(0)))
    torch.testing.assert_close(score + other, torch.ones(count))
    assert ((score >= 0) & (score <= 1)).all()
    assert float(clip_enhance_loss(embeddings, pair, scale)) >= 0


@given(counts, counts, widths, seeds)
def test_the_order_of_photos_does_not_matter(bright: int, dark: int, width: int, seed: int) -> None:
    well_lit, backlit = rows(bright, width, seed), rows(dark, width, seed + 1)
    embeddings = torch.cat([backlit, well_lit])
    labels = torch.cat([torch.zeros(dark), torch.ones(bright)]).long()
    pair = rows(2, width, seed + 2)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        prompt_initialisation_loss(embeddings, pair, labels),
        prompt_initialisation_loss(embeddings[order], pair, labels[order]),
        atol=1e-4,
        rtol=1e-5,
    )
    shuffled = residual_vector(well_lit.flip(0), backlit.flip(0))[0]
    torch.testing.assert_close(shuffled, residual_vector(well_lit, backlit)[0], atol=1e-3, rtol=0)


@given(counts, st.integers(1, 5), seeds)
def test_identity_is_a_squared_distance(count: int, layers: int, seed: int) -> None:
    shapes = [(count, layer + 1, 3, 2) for layer in range(layers)]
    found = [uniform(seed + i, *shape) for i, shape in enumerate(shapes)]
    wanted = [uniform(seed + 9 + i, *shape) for i, shape in enumerate(shapes)]
    weights = [0.5 + layer for layer in range(layers)]
    loss = identity_loss(found, wanted, weights)
    torch.testing.assert_close(loss, identity_loss(wanted, found, weights))
    assert float(identity_loss(found, found, weights)) == 0 < float(loss)
    twice = [2 * a - b for a, b in zip(found, wanted, strict=True)]  # twice as far
    torch.testing.assert_close(identity_loss(twice, wanted, weights), 4 * loss)


@given(widths.filter(lambda width: width > 4), st.integers(1, 3), seeds)
def test_what_is_removed_is_gone_and_nothing_else(width: int, count: int, seed: int) -> None:
    vector, directions = rows(1, width, seed)[0], rows(count, width, seed + 1)
    left = remove_span(vector, directions)
    assert left.norm() == pytest.approx(1, abs=1e-4)
    assert (directions @ left).abs().max() < 1e-3
    torch.testing.assert_close(remove_span(left, directions), left, atol=1e-3, rtol=0)


@given(widths.filter(lambda width: width > 4), st.integers(2, 20), st.data())
def test_a_token_shift_is_a_unit_vector(width: int, tokens: int, data: st.DataObject) -> None:
    seed, n = data.draw(seeds), data.draw(st.integers(1, tokens))
    vector = rows(1, width, seed)[0]
    try:
        shifted = token_shift(vector, rows(tokens, width, seed + 1), n)
    except ValueError as error:
        assert "nothing" in str(error) or "zero" in str(error)
    else:
        assert shifted.shape == vector.shape and shifted.norm() == pytest.approx(1, abs=1e-4)
