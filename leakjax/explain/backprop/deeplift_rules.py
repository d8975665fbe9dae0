"""DeepLIFT's rules: what each operation makes of a change from the baseline, complete for each by itself."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax._validate import fail
from leakjax.explain.elementwise import COMPARISONS, UNARY
from leakjax.explain.flows import LINEAR, PLACED, Flow, Rule, Step, in_floats, jvp_at_middle

CLOSE = 4  # in units of the last place: nearer values have no slope between them but their own


def _gap(here: jax.Array, there: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The change from the baseline with 1 in place of none, and whether there is any."""
    gap = here - there
    far = jnp.abs(gap) > CLOSE * jnp.finfo(gap.dtype).eps * (jnp.abs(here) + jnp.abs(there))
    far &= jnp.isfinite(gap)
    return jnp.where(far, gap, jnp.ones_like(gap)), far


def _as_flow(value: Any, shape: tuple[int, ...] | None = None) -> Flow:
    """An input as a flow, a constant as one that does not move."""
    if isinstance(value, Flow):
        return value
    value = jnp.asarray(value) if shape is None else jnp.broadcast_to(value, shape)
    dtype = value.dtype if jnp.issubdtype(value.dtype, jnp.inexact) else jnp.result_type(float)
    return Flow((value, value), jnp.zeros(value.shape, dtype))


def secant(step: Step) -> list[Any]:
    """An elementwise function of one value: the slope between its two places, or where they meet its own."""
    flow, call = step.inputs[step.active()[0]], step.of_active()
    if not jnp.issubdtype(flow.primals[0].dtype, jnp.floating):
        return [_step(step.at(0)[0], step.at(1)[0], flow)]
    # Backward, because not every function that has a derivative of its own has one forward.
    here, back = jax.vjp(lambda value: call(value)[0], flow.primals[0])
    there = step.at(1)[0]
    if not jnp.issubdtype(here.dtype, jnp.floating):
        return [_step(here, there, flow)]
    (own,) = back(jnp.ones_like(here))
    gap, far = _gap(*flow.primals)
    return [Flow((here, there), flow.tangent * jnp.where(far, (here - there) / gap, own))]


def _step(here: jax.Array, there: jax.Array, flow: Flow) -> Flow:
    """A value that jumps, such as a truth or a whole number: its change over that of what it is made of."""
    dtype = flow.tangent.dtype
    gap, far = _gap(*(primal.astype(dtype) for primal in flow.primals))
    change = here.astype(dtype) - there.astype(dtype)
    return Flow((here, there), flow.tangent * jnp.where(far, change / gap, jnp.zeros_like(gap)))


def threshold(step: Step) -> list[Any]:
    """A comparison as the step that it is; its truth carries a tangent to where it selects."""
    here, there = step.at(0)[0], step.at(1)[0]
    left, right = (_as_flow(value) for value in step.inputs)
    dtype = jnp.result_type(left.tangent, right.tangent)
    primals = zip(left.primals, right.primals, strict=True)
    apart = Flow(tuple(a.astype(dtype) - b.astype(dtype) for a, b in primals), left.tangent - right.tangent)
    return [_step(here, there, apart)]


def select(step: Step) -> list[Any]:
    """A choice between two values, by the midpoint product rule where the example decides it."""
    if not isinstance(step.inputs[0], Flow):
        return jvp_at_middle(step)
    chosen, *cases = step.inputs
    here, there = step.at(0)[0], step.at(1)[0]
    if not jnp.issubdtype(here.dtype, jnp.floating):
        raise fail(
            "primitive", step.name, f"has no deeplift rule for a choice between values of {here.dtype}"
        )
    share = sum(p.astype(here.dtype) for p in chosen.primals) / 2
    if len(cases) != 2:
        raise fail(
            "primitive", step.name, "has no deeplift rule for a choice among more than two by the example"
        )
    no, yes = (_as_flow(case, here.shape) for case in cases)
    apart = (yes.primals[0] + yes.primals[1] - no.primals[0] - no.primals[1]) / 2
    tangent = (1 - share) * no.tangent + share * yes.tangent + chosen.tangent * apart
    return [Flow((here, there), tangent)]


def quotient(step: Step) -> list[Any]:
    """A ratio as the product with a reciprocal."""
    above, below = step.inputs
    if not isinstance(below, Flow):
        return jvp_at_middle(step)
    if not isinstance(above, Flow):
        return secant(step)
    inverses = tuple(1 / primal for primal in below.primals)
    tangent = above.tangent * (inverses[0] + inverses[1]) / 2
    tangent -= (above.primals[0] + above.primals[1]) / 2 * below.tangent * inverses[0] * inverses[1]
    return [Flow((step.at(0)[0], step.at(1)[0]), tangent)]


def winner(step: Step) -> list[Any]:
    """A maximum or minimum of many: those who hold it at either place are paid for its change."""
    if len(step.inputs) == 2 and len(step.active()) == 1:
        return secant(step)
    ends = (step.at(0)[0], step.at(1)[0])
    step = in_floats(step)
    here, there = step.at(0)[0], step.at(1)[0]
    between = (jnp.minimum if "min" in step.name else jnp.maximum)(here, there)
    flows = [step.inputs[place] for place in step.active()]
    shares = []
    for flow in flows:
        gap, far = _gap(*flow.primals)
        shares.append(jnp.where(far, flow.tangent / gap, jnp.zeros_like(gap)))
    paid = [
        jax.jvp(step.of_active(), [flow.primals[place] for flow in flows], shares)[1][0] for place in (0, 1)
    ]
    return [Flow(ends, (between - there) * paid[0] + (here - between) * paid[1])]


def truths(step: Step) -> list[Any]:
    """Whether any or all are true: the largest or the smallest of the truths."""
    (flow,) = step.inputs
    name, pick = ("reduce_max", jnp.max) if step.name == "reduce_or" else ("reduce_min", jnp.min)
    numbers = Flow(tuple(primal.astype(flow.tangent.dtype) for primal in flow.primals), flow.tangent)
    (found,) = winner(Step(name, {}, [numbers], lambda value: [pick(value, axis=step.params["axes"])]))
    return [Flow((step.at(0)[0], step.at(1)[0]), found.tangent)]


def through(step: Step) -> list[Any]:
    """A stop_gradient, as around the shift of a softmax: the comparison does not stop there."""
    return step.inputs


def unmoved(step: Step) -> list[Any]:
    """A truth about the value that explains nothing, such as that it is finite."""
    flow = step.inputs[0]
    return [Flow((step.at(0)[0], step.at(1)[0]), jnp.zeros_like(flow.tangent))]


def cast(step: Step) -> list[Any]:
    """A change of type; a truth or a whole number turned into a number keeps its tangent."""
    (flow,) = step.inputs
    here, there = step.at(0)[0], step.at(1)[0]
    if jnp.issubdtype(flow.primals[0].dtype, jnp.floating) and not jnp.issubdtype(here.dtype, jnp.inexact):
        return [_step(here, there, flow)]
    exact = jnp.issubdtype(here.dtype, jnp.inexact)
    return [Flow((here, there), flow.tangent.astype(here.dtype) if exact else flow.tangent)]


def magnitude(step: Step) -> list[Any]:
    """An absolute value; that of a complex number by the change of its square."""
    (flow,) = step.inputs
    if not jnp.issubdtype(flow.primals[0].dtype, jnp.complexfloating):
        return secant(step)
    here, there = step.at(0)[0], step.at(1)[0]
    both = here + there
    moved = jnp.real(jnp.conj(flow.primals[0] + flow.primals[1]) * flow.tangent)
    return [Flow((here, there), moved / jnp.where(both > 0, both, 1))]


def pair(step: Step) -> list[Any]:
    """A function of two values: the change that each makes, on average over both orders of changing."""
    if len(step.active()) == 1:
        return secant(step)
    (a, b), (c, d) = (step.inputs[place].primals for place in (0, 1))
    corner = {(i, j): step.call((a, b)[i], (c, d)[j])[0] for i in (0, 1) for j in (0, 1)}
    parts = (
        (corner[0, 0] - corner[1, 0] + corner[0, 1] - corner[1, 1]) / 2,
        (corner[0, 0] - corner[0, 1] + corner[1, 0] - corner[1, 1]) / 2,
    )
    slope = 0
    for part, flow in zip(parts, step.inputs, strict=True):
        gap, far = _gap(*flow.primals)
        slope = slope + flow.tangent * jnp.where(far, part / gap, 0)
    return [Flow((corner[0, 0], corner[1, 1]), slope)]


def products(step: Step) -> list[Any]:
    """A running product, or one along axes: factor by factor, each by the other midway."""
    (flow,) = step.inputs
    here, there = step.at(0)[0], step.at(1)[0]
    running = step.name == "cumprod"
    axes = (step.params["axis"],) if running else tuple(step.params["axes"])

    def in_front(value: jax.Array) -> jax.Array:
        moved = jnp.moveaxis(value, axes, range(len(axes)))
        moved = moved.reshape(-1, *moved.shape[len(axes) :])
        return moved[::-1] if step.params.get("reverse") else moved

    def multiply(so_far: Any, factor: Any) -> tuple[Any, Any]:
        (a, b, tangent), (c, d, own) = so_far, factor
        grown = (a * c, b * d, tangent * (c + d) / 2 + own * (a + b) / 2)
        return grown, grown[2] if running else None

    factors = tuple(map(in_front, (*flow.primals, flow.tangent)))
    first = tuple(value[0] for value in factors)
    last, rows = jax.lax.scan(multiply, first, tuple(value[1:] for value in factors))
    if not running:
        return [Flow((here, there), last[2])]
    rows = jnp.concatenate([first[2][None], rows])
    rows = rows[::-1] if step.params["reverse"] else rows
    return [Flow((here, there), jnp.moveaxis(rows, 0, axes[0]))]


def _crossings(here: jax.Array, there: jax.Array, tangent: jax.Array) -> jax.Array:
    """The tangent of sorted values [n]: at every level that a rank's value passes, those who crossed it pay alike.

    A rank's value moves over a level when the number of values above it does; it is paid by the values that crossed
    that level, each in its direction.
    """
    levels = jnp.sort(jnp.concatenate([here, there]))
    lengths, levels = jnp.diff(levels), levels[:-1]
    above = [values[:, None] > levels[None] for values in (here, there)]  # [n, levels], just above each level
    crossed = above[0].astype(here.dtype) - above[1]
    net = crossed.sum(0)
    ranks = jnp.arange(len(here))[:, None]
    moved = [ranks >= len(here) - counts.sum(0)[None] for counts in above]
    change = (moved[0].astype(here.dtype) - moved[1]) * (lengths / jnp.where(net == 0, 1, net))[None]
    gap, far = _gap(here, there)
    return change @ (crossed.T @ jnp.where(far, tangent / gap, 0))


def ordered(step: Step) -> list[Any]:
    """Sorted values; where which is which depends on the example nothing is said of the places."""
    active = step.active()
    if len(active) != 1:
        raise fail("primitive", step.name, "has a deeplift rule for one operand that depends on the example")
    flow = step.inputs[active[0]]
    axis = step.params.get("dimension", flow.primals[0].ndim - 1)
    rank = lambda value: jnp.moveaxis(value, axis, -1)
    crossings: Any = _crossings
    for _ in range(flow.primals[0].ndim - 1):
        crossings = jax.vmap(crossings)
    tangent = crossings(*map(rank, (*flow.primals, flow.tangent)))
    if step.name == "top_k":
        tangent = tangent[..., ::-1][..., : step.params["k"]]
    found = []
    for place, (here, there) in enumerate(zip(step.at(0), step.at(1), strict=True)):
        sorts = place == active[0]
        found.append(Flow((here, there), jnp.moveaxis(tangent, -1, axis) if sorts else None))
    return found


def holder(step: Step) -> list[Any]:
    """The place of the largest (or smallest): a step of the difference between the two that hold it."""
    (flow,) = step.inputs
    here, there = step.at(0)[0], step.at(1)[0]
    (axis,) = step.params["axes"]

    def between(value: jax.Array) -> jax.Array:
        at = (jnp.take_along_axis(value, jnp.expand_dims(place, axis), axis) for place in (here, there))
        first, second = at
        return jnp.squeeze(first - second, axis)

    return [_step(here, there, Flow(tuple(map(between, flow.primals)), between(flow.tangent)))]


def placed(step: Step) -> list[Any]:
    """A read or write at places that do not depend on the example."""
    operands = {"gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2}.get(step.name)
    taken = (0, 2) if operands is None else range(operands)
    if any(place not in taken for place in step.active()):
        raise fail("primitive", step.name, "has no deeplift rule where the places depend on the example")
    return jvp_at_middle(step)


RULES: dict[str, Rule] = {
    **dict.fromkeys(LINEAR, jvp_at_middle),
    **dict.fromkeys(PLACED, placed),
    **dict.fromkeys((*UNARY, "and", "or", "not", "xor"), secant),
    **dict.fromkeys(("pow", "atan2", "rem", "nextafter"), pair),
    **dict.fromkeys(("cumprod", "reduce_prod"), products),
    **dict.fromkeys(("argmax", "argmin"), holder),
    **dict.fromkeys(("sort", "top_k"), ordered),
    **dict.fromkeys(("reduce_or", "reduce_and"), truths),
    "abs": magnitude,
    **dict.fromkeys(COMPARISONS, threshold),
    **dict.fromkeys(
        ("max", "min", "reduce_max", "reduce_min", "reduce_window_max", "reduce_window_min"), winner
    ),
    "activation": secant,
    "is_finite": unmoved,
    "convert_element_type": cast,
    "div": quotient,
    "select_n": select,
    "stop_gradient": through,
}
