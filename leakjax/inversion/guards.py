"""What services do to their explanations in every part of a study: one table, so that one figure can show them all."""

SEGMENTS, NOISE = "segments of 2 x 2", "clip_norm(1.0)+gaussian_noise(0.1)"
PRESET = "preset:saliency"  # what `experiments.harden` recommends
# Of maps as large as their input.
GUARDS = {
    "none": "none",
    "round_to(2)": "round_to(2)",
    "sign": "sign",
    "keep_top_k(6)": "keep_top_k(6)",
    SEGMENTS: "coarsen(2)+upsample(2)",
    "clipped, noise of 0.1": NOISE,
    PRESET: PRESET,
}
NOISY = (NOISE, PRESET)  # an attacker asks more than once
