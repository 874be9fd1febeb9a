"""From a warning to help: cases, alerts and assistance. Pure: no Kafka, no Redis, no wall clock."""
