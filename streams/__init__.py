"""The wire: catalogue, envelopes, hop records, topics and Kafka transport. No score is computed here."""
