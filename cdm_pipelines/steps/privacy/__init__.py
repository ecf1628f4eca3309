"""The steps that concern what may be done with customers' data: read, call the room, write, count."""
