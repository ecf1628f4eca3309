"""Which records describe the same party: blocking, comparison, Fellegi-Sunter, clustering."""
