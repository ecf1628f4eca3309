"""One module per revision, named ``v<number>_<what it does>``; a published revision is never edited."""
