"""Extract files, databases and the lake: bytes become rows with their origin. No rules about content."""
