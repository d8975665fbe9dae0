"""The experiments of the papers that leakjax builds on, done again: a study a question, each with its own document.

Sources: Shokri, Strobel & Zick, "Privacy Risks of Explaining Machine Learning Models" (arXiv 1907.00164); Ben Hmida et
al., "DeepLeak" (arXiv 2601.03429).
"""
