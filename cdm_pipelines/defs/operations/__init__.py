"""Jobs, sensors, resources: what keeps the platform running."""
