"""What may be done with data of customers: for which purposes, by whom, and what they say about it themselves.

Belongs here: pure functions over declarations and tables, and the policies that say what they bind. Does not belong
here: the steps that read, ask and write (steps), tables and roles of the database (hub), or what a source delivers
(contracts).
"""
