"""The steps of privacy and governance: read, call the room, write, count."""
