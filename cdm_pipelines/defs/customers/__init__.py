"""Assets and checks from the current records to the published golden customers."""
