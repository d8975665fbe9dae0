"""leakjax: what model explanations leak about their training data, measured, hardened and explained."""
