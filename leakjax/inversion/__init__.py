"""What an attacker behind an oracle reconstructs: inputs, backgrounds, models, attributes; and what stops it.

plan = plan_for("digits", quick=True)
measured = run_units(units_of(plan, load_world(plan)), folder)
report = report_of(plan, measured, environment)          # typed; `leakjax.report.inversion.publish` writes its page
"""
