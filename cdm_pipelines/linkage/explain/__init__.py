"""Why pairs and clusters came out as they did, in words and pictures."""
