"""The search for defenses that keep explanations useful: many settings under a cheap attack, on shadows only."""
