"""Steps of rights and governance: the database made what the policies say, reading noted, handbooks written."""
