"""Making the ledger's states again from Kafka: snapshots, and the log behind them."""
