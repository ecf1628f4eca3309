"""What data quality, customers and the way of working with them are worth, as figures with the formula beside them.

Belongs here: pure functions over frames and declarations: scorecards, what faults cost, the business case, key figures,
maturity, touch points, next best actions, takeovers, and the policies that they read. Does not belong here: the steps
that read, ask and write (steps.insight, steps.activation, steps.takeover), tables of the database (hub), or what leaves
the house (publish).
"""
