"""What a step costs, counted by hand for steps that are simple enough."""

from collections import Counter

import torch
from torch import nn

from rave_mm.benchmark.step_cost import (
    Unit,
    Work,
    copy_rate,
    counted_work,
    product_rate,
    shortest_time,
    spent_time,
    taken_memory,
)

CPU = torch.device("cpu")
FLOAT32 = Unit(torch.float32)


def test_memory_is_the_most_that_a_step_holds_at_once() -> None:
    kept = torch.zeros(2**20)  # what was held before does not count

    def step() -> None:
        large = torch.zeros(2**20)
        del large
        small = [torch.zeros(2**18) for _ in range(3)]
        assert len(small) == 3 and len(kept) == 2**20

    assert taken_memory(step, CPU) == 4 * 2**20


def test_the_time_of_a_process() -> None:
    assert spent_time(lambda: sum(range(10**6)), CPU) > 10 * spent_time(lambda: None, CPU)


def test_counted_work() -> None:
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    # 3 x 5 results of four products and sums; each matrix moved once, in float32.
    work = Work(Counter({FLOAT32: 2 * 3 * 4 * 5}), 4 * (12 + 20 + 15))
    assert counted_work(lambda: (a @ b).relu()) == work
    convolution = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    photo = torch.ones(1, 2, 8, 8)
    work = counted_work(lambda: convolution(photo).sum().backward())
    forward = 2 * 8 * 8 * 3 * 2 * 9
    assert work.operations == {FLOAT32: 2 * forward}  # the photo's own gradient is not asked for
    sizes = {"photo": 128, "weight": 54, "result": 192}
    assert work.bytes == 4 * (sum(sizes.values()) + sum(sizes.values()) + sizes["weight"])


def test_operations_are_counted_by_their_precision() -> None:
    a = torch.ones(3, 3)
    work = counted_work(lambda: (a @ a, a.bfloat16() @ a.bfloat16(), a.bfloat16() @ a.bfloat16()))
    assert work.operations == {FLOAT32: 2 * 27, Unit(torch.bfloat16): 4 * 27}


def test_the_floor_is_what_takes_longer() -> None:
    rate, bandwidth = product_rate(CPU, FLOAT32), copy_rate(CPU)
    assert 1e9 < rate < 1e15 and 1e8 < bandwidth < 1e13
    busy = Work(Counter({FLOAT32: 10**12}), 1)
    assert shortest_time(busy, CPU) == 10**12 / rate
    assert shortest_time(Work(Counter({FLOAT32: 1}), 10**12), CPU) == 10**12 / bandwidth
