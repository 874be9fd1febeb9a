"""Apache Kafka and Valkey from pip packages alone, as processes of this user."""
