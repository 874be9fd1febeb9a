"""One hop of ours beside Kafka Streams, Quix Streams, Bytewax, Faust and bare confluent-kafka."""
