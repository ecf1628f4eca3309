"""What data may be used for: purposes, and what follows from them for linking, golden values, profiles and sinks.

Belongs here: pure functions over declarations and tables, and the policies that say what they bind. Does not belong
here: the steps that read, ask and write (``steps``), or what a source delivers (``contracts``).
"""
